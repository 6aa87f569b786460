//! Answers to a redial: what ends a connection that was there, and what is waited out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use lightlike_core::conn::{Action, AnswerOrigin, Config, ConnectionState, DialError, Event, Lost};
use lightlike_core::wire::{Protocol, ServerMessage, TransactionUpdate};

use crate::rig::{Rig, greeting, told};

fn answer(status: u16, origin: AnswerOrigin) -> DialError {
    DialError::Status {
        status,
        body: "what it says".into(),
        location: None,
        retry_after: None,
        origin,
    }
}

fn broken() -> Arc<io::Error> {
    Arc::new(io::Error::other("not what was expected"))
}

/// What a captive portal, a proxy or a stranger may do to a handshake.
fn odd_answers() -> Vec<DialError> {
    use AnswerOrigin::{Elsewhere, Unknown};
    let statuses = [200, 204, 301, 302, 307, 400, 404, 405, 407, 408, 410, 418, 426, 451, 500, 511];
    let mut answers: Vec<_> = statuses
        .into_iter()
        .flat_map(|status| [answer(status, Elsewhere), answer(status, Unknown)])
        .collect();
    answers.extend([answer(401, Elsewhere), answer(403, Elsewhere)]);
    answers.extend([
        DialError::Tls(broken()),
        DialError::Handshake(broken()),
        DialError::Protocol("v9".into()),
        DialError::TimedOut(Duration::from_secs(10)),
        DialError::Io { authority: "host".into(), source: broken() },
    ]);
    answers
}

/// Was ready, and has lost its socket.
fn lost() -> Rig {
    let mut rig = Rig::with(Config::default()).greeted(Protocol::V3);
    rig.lose();
    let _ = rig.events();
    rig
}

/// Waits for the next attempt.
fn dial(rig: &mut Rig) {
    while !rig.actions().iter().any(|action| matches!(action, Action::Dial(_))) {
        rig.sleep();
        let _ = rig.events();
    }
}

fn fail(rig: &mut Rig, error: DialError) -> Vec<Event> {
    dial(rig);
    rig.connection.handle_lost(rig.now, Lost::Dial(error));
    rig.events()
}

fn state(events: &[Event]) -> &ConnectionState {
    match events.last() {
        Some(Event::State(state)) => state,
        other => panic!("{other:?}"),
    }
}

#[test]
fn odd_answers_end_no_established_connection() {
    for error in odd_answers() {
        let mut rig = lost();
        for _ in 0..20 {
            let events = fail(&mut rig, error.clone());
            let ConnectionState::Reconnecting { reason, .. } = state(&events) else {
                panic!("{error:?}: {events:?}")
            };
            assert!(matches!(reason, Lost::Dial(_)), "the application is told: {reason:?}");
        }
        dial(&mut rig);
        rig.connection.handle_opened(Protocol::V3);
        rig.server(greeting());
        assert_eq!(told(&rig.events()).last().unwrap(), "Ready", "{error:?}");
    }
}

/// Something on the way changes what the server says.
#[test]
fn garbled_bytes_end_no_established_connection() {
    let mut rig = Rig::with(Config::default()).greeted(Protocol::V3);
    for body in [vec![99], vec![], vec![0, 1], vec![99]].into_iter().cycle().take(20) {
        rig.body(body);
        let events = rig.events();
        let ConnectionState::Reconnecting { reason, .. } = state(&events) else {
            panic!("{events:?}")
        };
        let text = reason.to_string();
        assert!(text.contains("cannot read a message of the server's: cannot decode"), "{text}");
        dial(&mut rig);
        rig.connection.handle_opened(Protocol::V3);
        rig.server(greeting());
        assert_eq!(told(&rig.events()).last().unwrap(), "Ready");
    }
}

#[test]
fn a_database_that_is_gone_is_the_end() {
    let mut rig = lost();
    let events = fail(&mut rig, answer(404, AnswerOrigin::Server));
    assert!(matches!(state(&events), ConnectionState::Closed(_)), "{events:?}");
    assert!(rig.connection.is_closed());
}

#[test]
fn wrong_address_is_final_before_first_greeting() {
    for (error, end) in [
        (answer(404, AnswerOrigin::Server), "Closed"),
        (answer(404, AnswerOrigin::Unknown), "Closed"),
        (DialError::Handshake(broken()), "Closed"),
        (answer(503, AnswerOrigin::Unknown), "Reconnecting"),
        (answer(408, AnswerOrigin::Unknown), "Reconnecting"),
    ] {
        let mut config = Config::default();
        config.reconnect.first = true;
        let mut rig = Rig::with(config);
        rig.connection.start(rig.now);
        let events = fail(&mut rig, error.clone());
        assert_eq!(told(&events), ["Connecting", end], "{error:?}");
    }
}

#[test]
fn retry_after_is_kept_and_bounded_and_spread() {
    let asked = |after: u64| DialError::Status {
        status: 503,
        body: "".into(),
        location: None,
        retry_after: Some(Duration::from_secs(after)),
        origin: AnswerOrigin::Unknown,
    };
    for (after, at_least) in [(7, 7), (120, 120), (u64::MAX, 600)] {
        let mut rig = lost();
        let events = fail(&mut rig, asked(after));
        let ConnectionState::Reconnecting { next_at, .. } = state(&events) else { panic!() };
        let pause = *next_at - rig.now;
        assert!(pause >= Duration::from_secs(at_least), "{pause:?}");
        assert!(pause <= Duration::from_secs(at_least + 1), "{pause:?}");
    }
    let mut rig = lost();
    let _ = fail(&mut rig, asked(120));
    rig.connection.reconnect_now(rig.now);
    assert!(matches!(rig.actions()[..], [Action::Dial(_)]), "the application knows better");
}

#[test]
fn busy_session_is_asked_less_and_less_often() {
    let busy = || Lost::Closed { code: 4000, reason: "session busy".into() };
    let mut rig = lost();
    let mut pauses = Vec::new();
    for _ in 0..10 {
        dial(&mut rig);
        rig.connection.handle_opened(Protocol::V3);
        rig.connection.handle_lost(rig.now, busy());
        let events = rig.events();
        let ConnectionState::Reconnecting { next_at, .. } = state(&events) else { panic!() };
        pauses.push(*next_at - rig.now);
    }
    let limit = |n: u32| {
        (Config::default().reconnect.session_busy_pause * 2_u32.pow(n))
            .min(Config::default().reconnect.pause_max)
    };
    for (n, pause) in (0..).zip(&pauses) {
        assert!(*pause >= limit(n) / 2 && *pause <= limit(n), "{pauses:?}");
    }
    pauses.sort();
    pauses.dedup();
    assert_eq!(pauses.len(), 10, "they are drawn at random");
}

#[test]
fn refused_token_is_retried_after_pause() {
    for status in [401, 403] {
        let mut rig = lost();
        let events = fail(&mut rig, answer(status, AnswerOrigin::Unknown));
        assert!(matches!(state(&events), ConnectionState::NeedsAuth(_)), "{events:?}");
        let pause = rig.sleep();
        let _ = rig.events();
        let longest = Config::default().reconnect.auth_pause;
        let rest = if rig.actions().is_empty() { rig.sleep() } else { Duration::ZERO };
        assert!(pause + rest >= longest / 2 && pause + rest <= longest, "{pause:?} {rest:?}");
        rig.connection.handle_opened(Protocol::V3);
        rig.server(greeting());
        assert_eq!(told(&rig.events()).last().unwrap(), "Ready");
    }
}

#[test]
fn a_first_connection_waits_for_another_token() {
    let mut config = Config::default();
    config.reconnect.first = true;
    let mut rig = Rig::with(config);
    rig.connection.start(rig.now);
    let _ = fail(&mut rig, answer(401, AnswerOrigin::Unknown));
    assert_eq!(rig.connection.poll_timeout(), None);
}

#[test]
fn token_set_during_refusal_is_presented() {
    let mut rig = lost();
    dial(&mut rig);
    rig.connection.set_token(rig.now, "fresh".into());
    rig.connection.handle_lost(rig.now, Lost::Dial(answer(401, AnswerOrigin::Unknown)));
    let actions = rig.actions();
    assert!(
        matches!(&actions[..], [Action::Dial(dial)] if dial.token.as_deref() == Some("fresh")),
        "{actions:?}"
    );
}

#[test]
fn token_set_before_greeting_waits_for_next_socket() {
    let mut rig = lost();
    dial(&mut rig);
    rig.connection.handle_opened(Protocol::V3);
    rig.connection.set_token(rig.now, "fresh".into());
    rig.server(greeting());
    let _ = rig.events();
    rig.lose();
    let _ = rig.events();
    rig.sleep();
    let actions = rig.actions();
    assert!(
        matches!(&actions[..], [Action::Dial(dial)] if dial.token.as_deref() == Some("fresh")),
        "{actions:?}"
    );
}

#[test]
fn refusal_says_status_location_and_body() {
    let error = DialError::Status {
        status: 302,
        body: "x".repeat(1000).into(),
        location: Some("http://portal.example/login".into()),
        retry_after: None,
        origin: AnswerOrigin::Elsewhere,
    };
    let text = error.to_string();
    assert!(text.starts_with("not SpacetimeDB but something on the way to it answered"), "{text}");
    assert!(text.contains("302") && text.contains("http://portal.example/login"), "{text}");
    assert!(text.contains("xxx") && text.len() < 400, "{text}");
}

#[test]
fn closing_waits_for_received_messages_in_bounds() {
    let mut rig = Rig::online();
    rig.connection.close(rig.now);
    let _ = rig.actions();
    let began = rig.now;
    for _ in 0..10_000 {
        rig.server(ServerMessage::TransactionUpdate(TransactionUpdate::default()));
    }
    let mut steps = 0;
    while !rig.connection.is_closed() {
        // An application that takes ten milliseconds over each message.
        rig.now += Duration::from_millis(10);
        rig.connection.handle_timeout(rig.now);
        while rig.connection.poll_event().is_some() {}
        let _ = rig.connection.step(rig.now, 1);
        steps += 1;
        assert!(steps < 10_000, "it never ends");
    }
    assert!(rig.now - began <= 2 * Config::default().close_timeout + Duration::from_millis(20));
}
