//! Times that an application may choose: any of them, zero and for ever included.

use std::time::{Duration, Instant};

use lightlike_core::conn::{Action, CallOptions, Config, ConnectionState, DialError, Event, Lost};
use lightlike_core::wire::Protocol;

use crate::offline::Offline;
use crate::rig::{Rig, greeting, reducer, told};

/// As far as a `Duration` goes, and what is just beyond or before the end of an `Instant`.
fn odd_times() -> Vec<Duration> {
    let seconds = [0, 1, u64::from(u32::MAX), i64::MAX as u64 - 1, i64::MAX as u64, u64::MAX];
    let mut times: Vec<_> = seconds.into_iter().map(Duration::from_secs).collect();
    times.extend([Duration::from_nanos(1), Duration::MAX]);
    times
}

/// Sleeps to the next deadline, unless it is as good as none.
fn sleep(rig: &mut Rig) -> bool {
    match rig.connection.poll_timeout() {
        Some(at) if at.saturating_duration_since(rig.now) < Duration::from_secs(1 << 40) => {
            rig.now = rig.now.max(at);
            rig.connection.handle_timeout(rig.now);
            true
        }
        _ => false,
    }
}

/// Opens the socket that is dialed, if one is.
fn answer_dial(rig: &mut Rig) {
    if rig.actions().iter().any(|action| matches!(action, Action::Dial(_))) {
        rig.connection.handle_opened(Protocol::V3);
        rig.server(greeting());
    }
}

/// All that a connection keeps time for.
fn live(mut config: Config) {
    config.reconnect.first = true;
    let mut rig = Rig::with(config);
    rig.connection.start(rig.now);
    answer_dial(&mut rig);
    let _ = rig.connection.subscribe(vec!["SELECT * FROM t".into()]);
    let losses = [
        Lost::HungUp,
        Lost::Closed { code: 4000, reason: "session busy".into() },
        Lost::Dial(DialError::status(401, "no")),
        Lost::Dial(DialError::status(302, "")),
    ];
    for lost in losses {
        let _ = rig.events();
        rig.connection.handle_lost(rig.now, lost);
        let _ = rig.events();
        for _ in 0..8 {
            sleep(&mut rig);
            answer_dial(&mut rig);
            let _ = rig.events();
        }
        rig.connection.reconnect_now(rig.now);
        rig.connection.set_token(rig.now, "another".into());
        answer_dial(&mut rig);
    }
    rig.connection.close(rig.now);
    let _ = rig.events();
    while sleep(&mut rig) {
        let _ = (rig.actions(), rig.events());
    }
    rig.lose();
    let _ = rig.events();
    assert!(rig.connection.is_closed());
}

#[test]
fn no_duration_of_the_configuration_panics() {
    let count = Config::default().durations().len();
    for time in odd_times() {
        for which in 0..count {
            let mut config = Config::default();
            *config.durations()[which] = time;
            live(config);
        }
        let mut config = Config::default();
        config.durations().into_iter().for_each(|duration| *duration = time);
        live(config);
    }
}

#[test]
fn no_duration_of_an_offline_call_panics() {
    for time in odd_times() {
        let mut offline = Offline::with(|config| {
            config.max_age = Some(time);
            config.unclaimed_after = time;
        });
        let ttl = |options: &mut CallOptions| options.ttl = Some(time);
        offline.call_with("before", ttl);
        let _ = offline.connect();
        offline.call_with("then", ttl);
        offline.lose();
        let _ = offline.told();
        offline.call_with("after", ttl);
        let mut again = offline.restart();
        let _ = again.connect();
        sleep(&mut again.rig);
        let _ = again.told();
    }
}

#[test]
fn times_that_never_end_set_no_deadline() {
    let mut config = Config::default();
    config.durations().into_iter().for_each(|duration| *duration = Duration::MAX);
    let mut rig = Rig::with(config).greeted(Protocol::V3);
    assert_eq!(rig.connection.poll_timeout(), None);
    rig.lose();
    let events = rig.events();
    let [Event::State(ConnectionState::Reconnecting { next_at, .. })] = events[..] else {
        panic!("{events:?}")
    };
    assert!(next_at > rig.now + Duration::from_secs(1 << 31), "none starts by itself");
    assert_eq!(rig.connection.poll_timeout(), None);
    rig.connection.reconnect_now(rig.now);
    assert!(matches!(rig.actions()[..], [Action::Dial(_)]));
}

#[test]
fn times_of_zero_make_no_loop() {
    let mut config = Config::default();
    config.durations().into_iter().for_each(|duration| *duration = Duration::ZERO);
    config.connect_timeout = Duration::from_secs(10);
    config.reconnect.first = true;
    let mut rig = Rig::with(config);
    let began = rig.now;
    rig.connection.start(rig.now);
    for attempt in 0..200 {
        let _ = rig.events();
        while !rig.actions().iter().any(|action| matches!(action, Action::Dial(_))) {
            rig.sleep();
            let _ = rig.events();
        }
        let lost =
            if attempt % 2 == 0 { Lost::HungUp } else { Lost::Dial(DialError::status(503, "")) };
        rig.connection.handle_lost(rig.now, lost);
    }
    // Half of 100 ms each, on average.
    assert!(rig.now - began > Duration::from_secs(5), "{:?}", rig.now - began);
}

#[test]
fn zero_ping_pause_makes_no_loop() {
    let mut config = Config::default();
    config.ping_after = Duration::ZERO;
    let mut rig = Rig::with(config).greeted(Protocol::V3);
    for _ in 0..10 {
        assert!(rig.sleep() >= Duration::from_millis(10));
        assert!(matches!(rig.actions()[..], [Action::Ping]));
        rig.connection.handle_activity(rig.now);
    }
}

#[test]
fn a_deadline_that_is_over_counts_as_now() {
    let mut rig = Rig::online();
    let over: Instant = rig.now;
    rig.now += Duration::from_secs(1);
    rig.connection.call(reducer("f"), Some(over));
    rig.connection.handle_timeout(rig.now);
    assert_eq!(told(&rig.events()), ["call 0: timed out, sent: true"]);
}

#[test]
fn finishing_without_deadline_waits_for_every_answer() {
    let mut rig = Rig::online();
    let _ = rig.call("f");
    rig.connection.finish(rig.now, None);
    for _ in 0..100 {
        rig.sleep();
        rig.connection.handle_activity(rig.now);
    }
    assert!(!rig.connection.is_closed() && rig.connection.pending_calls() == 1);
}
