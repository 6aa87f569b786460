//! Messages that take long to arrive: signs of life, and what is told meanwhile.

use std::time::Duration;

use lightlike_core::conn::{Action, Config, Event, Lost, PartialMessage, Receiving};
use lightlike_core::wire::{ClientMessage, Protocol, ServerMessage, TransactionUpdate};

use crate::rig::{Rig, applied, told};

const SECOND: Duration = Duration::from_secs(1);

/// A message that changes nothing.
fn nothing_new() -> ServerMessage {
    ServerMessage::TransactionUpdate(TransactionUpdate::default())
}

/// A part of a message comes, of which this much is here then.
fn part(rig: &mut Rig, bytes: u64, received: u64) {
    let message = PartialMessage { received, length: Some(30_000_000) };
    rig.connection.handle_bytes(rig.now, bytes, Some(message));
}

/// What is told of the message that is arriving.
fn progress(rig: &mut Rig) -> Vec<Receiving> {
    let events = rig.events().into_iter();
    let receiving = events.map(|event| match event {
        Event::Receiving(receiving) => receiving,
        other => panic!("{other:?}"),
    });
    receiving.collect()
}

/// Passes this much time, a second at a time, with a hundred kilobytes in each.
fn slow_link(rig: &mut Rig, seconds: u64) -> Vec<Action> {
    let mut actions = Vec::new();
    for second in 1..=seconds {
        rig.now += SECOND;
        part(rig, 100_000, second * 100_000);
        rig.connection.handle_timeout(rig.now);
        actions.extend(rig.actions());
    }
    actions
}

#[test]
fn a_message_of_minutes_is_no_silence() {
    let mut rig = Rig::online();
    let set = rig.connection.subscribe(vec!["SELECT * FROM t".into()]);
    let sent = rig.sent();
    let [ClientMessage::Subscribe { request_id, query_set_id, .. }] = sent[..] else { panic!() };
    let actions = slow_link(&mut rig, 300);
    assert!(actions.iter().all(|action| matches!(action, Action::Ping)), "{actions:?}");
    // The server drops whom it has not heard for 30 s, and its own pings wait behind the message.
    assert!(actions.len() >= 10, "{}", actions.len());
    rig.server(applied(request_id, query_set_id, &[b"a"]));
    assert_eq!(told(&rig.events()), ["transaction: Applied", "set 0 applied"]);
    assert_eq!(set.0, 0);
}

#[test]
fn a_message_that_stops_halfway_is_silence() {
    let mut rig = Rig::online();
    slow_link(&mut rig, 60);
    let _ = rig.events();
    let stopped = rig.now;
    while !rig.connection.is_closed() {
        rig.sleep();
        let _ = (rig.actions(), rig.events());
    }
    let config = Config::default();
    assert!(rig.now - stopped <= config.ping_after + config.pong_timeout);
}

#[test]
fn bytes_between_ping_and_pong_are_an_answer() {
    let mut rig = Rig::online();
    assert_eq!(rig.sleep(), Config::default().ping_after);
    assert!(matches!(rig.actions()[..], [Action::Ping]));
    rig.now += Config::default().pong_timeout - SECOND;
    part(&mut rig, 1, 1);
    rig.now += 2 * SECOND;
    rig.connection.handle_timeout(rig.now);
    assert!(!rig.events().iter().any(|event| matches!(event, Event::State(_))));
}

#[test]
fn our_sends_do_not_hide_server_silence() {
    let mut rig = Rig::online();
    for _ in 0..100 {
        rig.now += SECOND;
        let _ = rig.call("f");
        rig.connection.set_clock(rig.now);
        let _ = rig.actions();
        rig.connection.handle_timeout(rig.now);
        if rig.connection.is_closed() {
            return;
        }
        let _ = rig.events();
    }
    panic!("nothing is missed");
}

#[test]
fn progress_is_told_while_a_message_arrives() {
    let mut rig = Rig::online();
    let before = rig.connection.receiving().bytes;
    part(&mut rig, 10, 8);
    rig.now += Duration::from_millis(60);
    part(&mut rig, 5, 13);
    assert!(progress(&mut rig).is_empty(), "it may be here in a moment");
    rig.now += Duration::from_millis(60);
    part(&mut rig, 7, 20);
    let told = progress(&mut rig);
    let [Receiving { bytes, message: Some(message), .. }] = told[..] else { panic!("{told:?}") };
    assert_eq!((bytes - before, message.received, message.length), (22, 20, Some(30_000_000)));
    part(&mut rig, 1, 21);
    assert!(progress(&mut rig).is_empty(), "nothing is told at once again");
    rig.server(nothing_new());
    rig.connection.handle_bytes(rig.now, 100, None);
    let told = progress(&mut rig);
    assert!(matches!(told[..], [Receiving { message: None, .. }]), "{told:?}");
    assert_eq!(rig.connection.stats().socket_bytes_received - before, 123);
}

#[test]
fn messages_in_one_piece_are_no_news() {
    let mut rig = Rig::online();
    rig.server(nothing_new());
    rig.connection.handle_bytes(rig.now, 100, None);
    assert!(rig.events().is_empty());
}

#[test]
fn lost_socket_ends_arriving_message() {
    let mut rig = Rig::with(Config::default()).greeted(Protocol::V3);
    part(&mut rig, 10, 8);
    rig.now += SECOND;
    part(&mut rig, 10, 18);
    let _ = rig.events();
    rig.connection.handle_lost(rig.now, Lost::HungUp);
    let told = told(&rig.events());
    assert_eq!(told, ["Reconnecting", "receiving: None"]);
    assert_eq!(rig.connection.receiving().message, None);
}

/// A set that is asked for again after a lost socket.
fn resyncing() -> (Rig, ClientMessage) {
    let mut rig = Rig::with(Config::default()).greeted(Protocol::V3);
    rig.applied(&[b"a"]);
    rig.lose();
    let _ = rig.events();
    while !rig.actions().iter().any(|action| matches!(action, Action::Dial(_))) {
        rig.sleep();
    }
    rig.connection.handle_opened(Protocol::V3);
    rig.server(crate::rig::greeting());
    assert_eq!(told(&rig.events()), ["Connected", "Resyncing"]);
    let asked = rig.sent().remove(0);
    (rig, asked)
}

#[test]
fn resync_waits_for_arriving_message() {
    let (mut rig, asked) = resyncing();
    let ClientMessage::Subscribe { request_id, query_set_id, .. } = asked else { panic!() };
    slow_link(&mut rig, 300);
    let events = told(&rig.events());
    assert!(!events.iter().any(|event| event.contains("stale") || event == "Ready"), "{events:?}");
    rig.server(applied(request_id, query_set_id, &[b"b"]));
    let events = told(&rig.events());
    assert_eq!(events, ["receiving: None", "transaction: Resync", "set 0 applied", "Ready"]);
}

#[test]
fn a_resync_that_nothing_arrives_for_ends() {
    let (mut rig, _) = resyncing();
    slow_link(&mut rig, 100);
    // Of something else.
    rig.server(nothing_new());
    rig.connection.handle_bytes(rig.now, 0, None);
    let since = rig.now;
    loop {
        rig.sleep();
        rig.connection.handle_activity(rig.now);
        let _ = rig.actions();
        if told(&rig.events()).contains(&"Ready".to_owned()) {
            break;
        }
    }
    assert!(rig.now - since <= Config::default().reconnect.resync_timeout);
}
