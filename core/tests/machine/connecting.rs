//! Opening, staying open, and ending.

use std::time::Duration;

use lightlike_core::conn::{Action, CloseReason, Config, ConnectionState, DialError, Event, Lost};
use lightlike_core::wire::{Protocol, QuerySetId, RequestId, ServerMessage, TransactionUpdate};

use crate::rig::{Rig, applied, committed, greeting, told, update};

/// The reason that the last event gives for the end.
fn lost(events: &[Event]) -> &Lost {
    match events.last() {
        Some(Event::State(ConnectionState::Closed(CloseReason::Lost(lost)))) => lost,
        other => panic!("not closed: {other:?}"),
    }
}

fn violation(messages: Vec<ServerMessage>) -> &'static str {
    let mut rig = Rig::online();
    for message in messages {
        rig.server(message);
    }
    let events = rig.events();
    assert!(matches!(rig.actions()[..], [Action::Abandon]));
    let Lost::Violation(what) = lost(&events) else { panic!("{events:?}") };
    what
}

#[test]
fn a_connection_starts_once() {
    let mut rig = Rig::online();
    assert!(!rig.connection.start(rig.now));
    assert!(rig.actions().is_empty());
}

#[test]
fn unopened_socket_is_given_up() {
    let mut rig = Rig::new();
    rig.connection.start(rig.now);
    assert_eq!(rig.sleep(), Config::default().connect_timeout);
    let events = rig.events();
    assert!(matches!(lost(&events), Lost::Dial(DialError::TimedOut(_))));
    assert!(rig.connection.poll_timeout().is_none());
}

#[test]
fn missing_greeting_is_given_up() {
    let mut rig = Rig::new();
    rig.connection.start(rig.now);
    let _ = rig.actions();
    rig.now += Duration::from_secs(4);
    rig.connection.handle_opened(Protocol::V2);
    assert_eq!(rig.sleep(), Config::default().connect_timeout - Duration::from_secs(4));
    assert!(matches!(rig.actions()[..], [Action::Abandon]));
    assert!(matches!(lost(&rig.events()), Lost::NotGreeted(_)));
}

#[test]
fn silent_server_is_pinged_then_given_up() {
    let mut rig = Rig::online();
    assert_eq!(rig.sleep(), Config::default().ping_after);
    assert!(matches!(rig.actions()[..], [Action::Ping]));
    assert_eq!(rig.sleep(), Config::default().pong_timeout);
    let silent = Config::default().ping_after + Config::default().pong_timeout;
    assert!(matches!(lost(&rig.events()), Lost::Silent(time) if *time == silent));
}

#[test]
fn a_sign_of_life_puts_the_ping_off() {
    let mut rig = Rig::online();
    rig.now += Duration::from_secs(15);
    rig.connection.handle_activity(rig.now);
    assert_eq!(rig.sleep(), Config::default().ping_after);
    assert!(matches!(rig.actions()[..], [Action::Ping]));
    rig.connection.handle_activity(rig.now);
    assert_eq!(rig.sleep(), Config::default().ping_after);
}

#[test]
fn an_early_timeout_does_nothing() {
    let mut rig = Rig::online();
    rig.connection.handle_timeout(rig.now);
    rig.connection.handle_timeout(rig.now + Duration::from_secs(19));
    assert!(rig.actions().is_empty() && rig.events().is_empty());
}

#[test]
fn protocol_violation_ends_the_connection() {
    let (request, set) = (RequestId(77), QuerySetId(77));
    #[rustfmt::skip]
    let cases = [
        (greeting(), "it greeted twice"),
        (applied(request, set, &[b"a"]), "it applied a query set that was not asked for"),
        (ServerMessage::UnsubscribeApplied { request_id: request, query_set_id: set, rows: None }, "it ended a query set that it does not have"),
        (ServerMessage::TransactionUpdate(update(set, &[b"a"], &[])), "it updated a query set that it does not have"),
        (committed(request, TransactionUpdate::default()), "it answered a request that was not made"),
    ];
    for (message, what) in cases {
        assert_eq!(violation(vec![message]), what);
    }
}

#[test]
fn first_message_must_be_the_greeting() {
    let mut rig = Rig::new();
    rig.connection.start(rig.now);
    rig.connection.handle_opened(Protocol::V3);
    rig.server(ServerMessage::TransactionUpdate(TransactionUpdate::default()));
    assert!(matches!(
        lost(&rig.events()),
        Lost::Violation("its first message is not InitialConnection")
    ));
}

#[test]
fn undecodable_message_ends_connection_and_keeps_rows() {
    let mut rig = Rig::online();
    rig.applied(&[b"row"]);
    rig.body(vec![200, 1, 2, 3]);
    let events = rig.events();
    assert!(matches!(lost(&events), Lost::Wire(_)));
    assert_eq!(rig.rows(), [b"row"]);
}

#[test]
fn inapplicable_change_ends_connection_and_keeps_rows() {
    let mut rig = Rig::online();
    rig.applied(&[b"row"]);
    rig.server(ServerMessage::TransactionUpdate(update(QuerySetId(0), &[b"new"], &[b"unknown"])));
    let events = rig.events();
    assert!(matches!(lost(&events), Lost::OutOfSync(_)));
    assert_eq!(rig.rows(), [b"row"]);
}

#[test]
fn closing_flushes_sends_and_awaits_server() {
    let mut rig = Rig::online();
    let _ = rig.call("last_words");
    rig.connection.close(rig.now);
    assert!(matches!(rig.actions()[..], [Action::Send(_), Action::Close]));
    assert!(rig.events().is_empty());
    rig.server(committed(RequestId(0), TransactionUpdate::default()));
    assert_eq!(told(&rig.events()), ["call 0: Committed"]);
    rig.connection.handle_lost(rig.now, Lost::Closed { code: 1000, reason: "".into() });
    let events = rig.events();
    assert!(
        matches!(events[..], [Event::State(ConnectionState::Closed(CloseReason::Requested))]),
        "{events:?}"
    );
}

#[test]
fn unanswered_close_is_abandoned() {
    let mut rig = Rig::online();
    rig.connection.close(rig.now);
    let _ = rig.actions();
    assert_eq!(rig.sleep(), Config::default().close_timeout);
    assert!(matches!(rig.actions()[..], [Action::Abandon]));
    assert_eq!(told(&rig.events()), ["Closed"]);
}

#[test]
fn closing_before_the_greeting_lets_go_at_once() {
    let mut rig = Rig::new();
    rig.connection.start(rig.now);
    rig.connection.close(rig.now);
    assert!(matches!(rig.actions()[..], [Action::Abandon]));
    assert_eq!(told(&rig.events()), ["Connecting", "Closed"]);
    rig.connection.handle_opened(Protocol::V3);
    rig.lose();
    assert!(rig.events().is_empty());
}

#[test]
fn what_was_received_before_the_socket_ended_counts() {
    let mut rig = Rig::online();
    let _ = rig.applied(&[b"old"]);
    let _ = rig.call("f");
    let _ = rig.call("g");
    rig.server(committed(RequestId(1), update(QuerySetId(0), &[b"new"], &[])));
    rig.lose();
    assert_eq!(
        told(&rig.events()),
        [
            "transaction: Call",
            "call 0: Committed",
            "call 1: Unknown",
            "set 0 ended: Closed",
            "Closed"
        ]
    );
    assert_eq!(rig.rows(), [b"new", b"old"]);
}

#[test]
fn full_inbox_stops_socket_reads() {
    let mut rig = Rig::limited(|limits| limits.max_received_bytes = 10).greeted(Protocol::V3);
    assert!(rig.connection.can_receive());
    rig.server(ServerMessage::TransactionUpdate(TransactionUpdate::default()));
    rig.server(ServerMessage::TransactionUpdate(TransactionUpdate::default()));
    assert!(!rig.connection.can_receive());
    let _ = rig.events();
    assert!(rig.connection.can_receive());
}
