//! Closing when everything is answered; and which token is kept.

use std::time::Duration;

use lightlike_core::conn::{Action, Config, Event, Lost, WhileDisconnected};
use lightlike_core::wire::{Protocol, QuerySetId, TransactionUpdate};

use crate::rig::{Rig, committed, greeting, told, update};

const LONG: Duration = Duration::from_secs(60);

fn finish(rig: &mut Rig, within: Duration) {
    rig.connection.finish(rig.now, rig.now + within);
}

#[test]
fn a_connection_without_calls_closes_at_once() {
    let mut rig = Rig::online();
    finish(&mut rig, LONG);
    assert!(rig.events().is_empty());
    assert!(matches!(rig.actions()[..], [Action::Close]));
    rig.connection.handle_lost(rig.now, Lost::HungUp);
    assert_eq!(told(&rig.events()), ["Closed"]);
    assert_eq!(rig.connection.unanswered(), 0);
}

#[test]
fn last_answers_rows_apply_before_close() {
    let mut rig = Rig::online();
    rig.applied(&[b"a"]);
    let _ = rig.call("f");
    let sent = rig.sent();
    finish(&mut rig, LONG);
    assert!(rig.events().is_empty() && rig.actions().is_empty());
    let _ = rig.call("too late");
    assert_eq!(told(&rig.events()), ["call 1: NotSent"]);
    rig.server(committed(sent[0].request_id(), update(QuerySetId(0), &[b"b"], &[])));
    assert_eq!(told(&rig.events()), ["transaction: Call", "call 0: Committed"]);
    assert!(matches!(rig.actions()[..], [Action::Close]));
    assert_eq!(rig.rows(), [b"a", b"b"]);
}

#[test]
fn what_has_no_answer_in_time_is_counted() {
    let mut rig = Rig::online();
    let _ = (rig.call("f"), rig.call("g"));
    assert_eq!(rig.sent().len(), 2);
    finish(&mut rig, Duration::from_secs(3));
    finish(&mut rig, LONG);
    assert!(rig.events().is_empty());
    assert_eq!(rig.sleep(), Duration::from_secs(3), "the earlier end counts");
    assert!(matches!(rig.actions()[..], [Action::Close]));
    rig.lose();
    assert_eq!(told(&rig.events()), ["call 0: Unknown", "call 1: Unknown", "Closed"]);
    assert_eq!(rig.connection.unanswered(), 2);
}

#[test]
fn finishing_reconnects_for_waiting_calls() {
    let mut config = Config::default();
    config.while_disconnected = WhileDisconnected::Wait;
    let mut rig = Rig::with(config).greeted(Protocol::V3);
    rig.lose();
    assert_eq!(told(&rig.events()), ["Reconnecting"]);
    let _ = rig.call("f");
    finish(&mut rig, LONG);
    rig.connection.reconnect_now(rig.now);
    assert!(matches!(rig.actions()[..], [Action::Dial(_)]));
    rig.connection.handle_opened(Protocol::V3);
    rig.server(greeting());
    assert_eq!(told(&rig.events()), ["Connected", "Ready"]);
    let sent = rig.sent();
    rig.server(committed(sent[0].request_id(), TransactionUpdate::default()));
    assert_eq!(told(&rig.events()), ["call 0: Committed"]);
    assert!(matches!(rig.actions()[..], [Action::Close]));
}

#[test]
fn unstarted_connection_finishes_at_once() {
    let mut rig = Rig::new();
    finish(&mut rig, LONG);
    assert_eq!(told(&rig.events()), ["Closed"]);
}

#[test]
fn stand_in_token_keeps_and_presents_original() {
    let mut rig = Rig::with(Config::default());
    assert!(rig.connection.start(rig.now));
    assert!(matches!(rig.actions()[..], [Action::Dial(_)]));
    rig.connection.handle_opened(Protocol::V3);
    rig.connection.keep_token("the real one".into());
    rig.server(greeting());
    let told_token = rig.events().into_iter().find_map(|event| match event {
        Event::Connected(greeting) => Some(greeting.token),
        _ => None,
    });
    assert_eq!(told_token.as_deref(), Some("the real one"));
    rig.lose();
    let _ = rig.events();
    rig.connection.reconnect_now(rig.now);
    let actions = rig.actions();
    let [Action::Dial(dial)] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(dial.token.as_deref(), Some("the real one"));
    // The next socket needs no stand-in: the greeting's token counts again.
    rig.connection.handle_opened(Protocol::V3);
    rig.server(greeting());
    let _ = rig.events();
    assert_eq!(rig.connection.greeting().map(|greeting| &*greeting.token), Some("token"));
}

fn leave(rig: &mut Rig) {
    rig.connection.leave(rig.now);
}

#[test]
fn leaving_waits_for_answer_to_sent_call() {
    let mut rig = Rig::online();
    let _ = rig.call("f");
    leave(&mut rig);
    assert!(rig.connection.is_leaving());
    let sent = rig.sent();
    assert!(rig.actions().is_empty());
    let _ = rig.call("too late");
    assert_eq!(told(&rig.events()), ["call 1: NotSent"]);
    rig.server(committed(sent[0].request_id(), TransactionUpdate::default()));
    assert_eq!(told(&rig.events()), ["call 0: Committed"]);
    assert!(!rig.connection.is_leaving());
    assert!(matches!(rig.actions()[..], [Action::Close]));
}

#[test]
fn leaving_ends_after_linger_without_answer() {
    let mut rig = Rig::online();
    let _ = rig.call("f");
    let _ = rig.sent();
    leave(&mut rig);
    assert_eq!(rig.sleep(), Config::default().linger);
    assert!(matches!(rig.actions()[..], [Action::Close]));
    rig.lose();
    assert_eq!(told(&rig.events()), ["call 0: Unknown", "Closed"]);
    assert_eq!(rig.connection.unanswered(), 1);
}

#[test]
fn leaving_without_calls_closes_at_once() {
    let mut rig = Rig::online();
    leave(&mut rig);
    assert!(matches!(rig.actions()[..], [Action::Close]));
}

#[test]
fn left_connection_is_not_made_again() {
    let mut rig = Rig::online();
    let _ = rig.call("f");
    let _ = rig.sent();
    leave(&mut rig);
    rig.lose();
    assert_eq!(told(&rig.events()), ["call 0: Unknown", "Closed"]);
    assert!(rig.actions().is_empty());
}

#[test]
fn leaving_while_dialing_sends_waiting_call() {
    let mut config = Config::default();
    config.while_disconnected = WhileDisconnected::Wait;
    let mut rig = Rig::with(config);
    assert!(rig.connection.start(rig.now));
    let _ = (rig.actions(), rig.call("f"));
    leave(&mut rig);
    rig.connection.handle_opened(Protocol::V3);
    rig.server(greeting());
    assert_eq!(told(&rig.events()), ["Connecting", "Connected", "Ready"]);
    let sent = rig.sent();
    rig.server(committed(sent[0].request_id(), TransactionUpdate::default()));
    assert_eq!(told(&rig.events()), ["call 0: Committed"]);
    assert!(matches!(rig.actions()[..], [Action::Close]));
}
