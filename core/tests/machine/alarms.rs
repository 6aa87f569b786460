//! Moments that the application wants to hear of.

use std::time::Duration;

use crate::rig::{Rig, told};

#[test]
fn alarms_come_at_their_moments_and_once() {
    let mut rig = Rig::online();
    let start = rig.now;
    let second = rig.connection.set_alarm(start + Duration::from_millis(20));
    let first = rig.connection.set_alarm(start + Duration::from_millis(10));
    let cleared = rig.connection.set_alarm(start + Duration::from_millis(15));
    rig.connection.clear_alarm(start + Duration::from_millis(15), cleared);
    assert_eq!(rig.sleep(), Duration::from_millis(10));
    assert_eq!(told(&rig.events()), [format!("alarm {}", first.0)]);
    assert_eq!(rig.sleep(), Duration::from_millis(10));
    assert_eq!(told(&rig.events()), [format!("alarm {}", second.0)]);
    rig.connection.handle_timeout(rig.now);
    assert!(rig.events().is_empty());
}

#[test]
fn alarm_in_the_past_fires_at_once() {
    let mut rig = Rig::online();
    let _ = rig.connection.set_alarm(rig.now);
    assert_eq!(rig.sleep(), Duration::ZERO);
    assert_eq!(told(&rig.events()), ["alarm 0"]);
}

#[test]
fn a_closed_connection_has_no_alarms() {
    let mut rig = Rig::new();
    let _ = rig.connection.set_alarm(rig.now + Duration::from_secs(1));
    rig.connection.close(rig.now);
    let _ = rig.connection.set_alarm(rig.now + Duration::from_secs(2));
    assert_eq!(rig.connection.poll_timeout(), None);
}
