//! Query sets: asked for, applied, updated, ended.

use lightlike_core::conn::Event;
use lightlike_core::wire::{ClientMessage, Protocol, QuerySetId, RequestId, ServerMessage, Text};

use crate::rig::{Rig, applied, greeting, told, update};

fn ended(query_set_id: u32) -> ServerMessage {
    ServerMessage::UnsubscribeApplied {
        request_id: RequestId(1),
        query_set_id: QuerySetId(query_set_id),
        rows: None,
    }
}

fn error(request_id: Option<u32>, query_set_id: u32) -> ServerMessage {
    ServerMessage::SubscriptionError {
        request_id: request_id.map(RequestId),
        query_set_id: QuerySetId(query_set_id),
        error: Text::from("no such table"),
    }
}

fn transaction(set: u32, inserts: &[&[u8]], deletes: &[&[u8]]) -> ServerMessage {
    ServerMessage::TransactionUpdate(update(QuerySetId(set), inserts, deletes))
}

#[test]
fn early_subscriptions_are_sent_after_greeting() {
    let mut rig = Rig::new();
    let _ = rig.connection.subscribe(vec!["SELECT * FROM a".into()]);
    rig.connection.start(rig.now);
    let _ = rig.actions();
    let _ = rig.connection.subscribe(vec!["SELECT * FROM b".into(), "SELECT * FROM c".into()]);
    rig.connection.handle_opened(Protocol::V3);
    assert!(rig.actions().is_empty());
    rig.server(greeting());
    let _ = rig.events();
    let queries: Vec<_> = rig
        .sent()
        .into_iter()
        .map(|message| match message {
            ClientMessage::Subscribe { query_set_id, queries, .. } => {
                (query_set_id.0, queries.len())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(queries, [(0, 1), (1, 2)]);
}

#[test]
fn applied_comes_after_the_rows() {
    let mut rig = Rig::online();
    let _ = rig.connection.subscribe(vec!["SELECT * FROM t".into()]);
    let _ = rig.sent();
    rig.server(applied(RequestId(0), QuerySetId(0), &[b"a", b"b"]));
    assert_eq!(told(&rig.events()), ["transaction: Applied", "set 0 applied"]);
    assert_eq!(rig.rows(), [b"a", b"b"]);
}

#[test]
fn a_set_without_rows_is_applied_too() {
    let mut rig = Rig::online();
    let _ = rig.connection.subscribe(vec!["SELECT * FROM t".into()]);
    let _ = rig.sent();
    rig.server(applied(RequestId(0), QuerySetId(0), &[]));
    assert_eq!(told(&rig.events()), ["set 0 applied"]);
}

#[test]
fn unsent_set_ends_at_once() {
    let mut rig = Rig::new();
    let set = rig.connection.subscribe(vec!["SELECT * FROM t".into()]);
    rig.connection.unsubscribe(set);
    assert_eq!(told(&rig.events()), ["set 0 ended: Unsubscribed"]);
    let mut rig = rig.greeted(Protocol::V3);
    assert!(rig.sent().is_empty());
}

#[test]
fn set_ended_before_applied_shows_no_rows() {
    let mut rig = Rig::online();
    let set = rig.connection.subscribe(vec!["SELECT * FROM t".into()]);
    rig.connection.unsubscribe(set);
    rig.connection.unsubscribe(set);
    assert_eq!(rig.sent().len(), 2, "one Subscribe, one Unsubscribe");
    rig.server(applied(RequestId(0), QuerySetId(0), &[b"a"]));
    rig.server(transaction(0, &[b"b"], &[b"a"]));
    rig.server(ended(0));
    assert_eq!(told(&rig.events()), ["set 0 ended: Unsubscribed"]);
    assert!(rig.rows().is_empty());
}

#[test]
fn ending_set_stays_in_step_until_confirmed() {
    let mut rig = Rig::online();
    let set = rig.applied(&[b"a"]);
    rig.connection.unsubscribe(set);
    rig.server(transaction(0, &[b"b"], &[b"a"]));
    assert_eq!(told(&rig.events()), ["transaction: Other"]);
    assert_eq!(rig.rows(), [b"b"]);
    rig.server(ended(0));
    assert_eq!(told(&rig.events()), ["transaction: Unsubscribed", "set 0 ended: Unsubscribed"]);
    assert!(rig.rows().is_empty());
}

#[test]
fn rows_that_another_set_holds_stay() {
    let mut rig = Rig::online();
    let first = rig.applied(&[b"a", b"b"]);
    let _second = rig.applied(&[b"b", b"c"]);
    rig.connection.unsubscribe(first);
    rig.server(ended(0));
    let _ = rig.events();
    assert_eq!(rig.rows(), [b"b", b"c"]);
}

#[test]
fn a_refused_set_ends_with_the_servers_words() {
    let mut rig = Rig::online();
    let _ = rig.connection.subscribe(vec!["SELECT * FROM nonsense".into()]);
    let _ = rig.sent();
    rig.server(error(Some(0), 0));
    assert_eq!(told(&rig.events()), ["set 0 ended: refused, no such table"]);
}

#[test]
fn late_error_removes_only_that_sets_rows() {
    let mut rig = Rig::online();
    rig.applied(&[b"a", b"b"]);
    rig.applied(&[b"b"]);
    rig.server(error(None, 0));
    assert_eq!(told(&rig.events()), ["transaction: Failed", "set 0 ended: refused, no such table"]);
    assert_eq!(rig.rows(), [b"b"]);
    rig.server(transaction(1, &[b"c"], &[]));
    assert_eq!(told(&rig.events()), ["transaction: Other"]);
}

#[test]
fn error_crossing_unsubscribe_counts_as_unsubscribed() {
    let mut rig = Rig::online();
    let set = rig.applied(&[b"a"]);
    rig.connection.unsubscribe(set);
    rig.server(error(None, 0));
    rig.server(error(Some(1), 0));
    assert_eq!(told(&rig.events()), ["transaction: Unsubscribed", "set 0 ended: Unsubscribed"]);
    assert!(rig.rows().is_empty());
}

#[test]
fn nothing_is_applied_while_events_wait() {
    let mut rig = Rig::online();
    rig.applied(&[b"a"]);
    rig.server(transaction(0, &[b"b"], &[]));
    rig.server(transaction(0, &[b"c"], &[]));
    while rig.rows().len() < 2 {
        let _ = rig.connection.step(rig.now, 1);
    }
    for _ in 0..10 {
        let _ = rig.connection.step(rig.now, 1);
        assert_eq!(rig.rows(), [b"a", b"b"]);
    }
    assert!(matches!(rig.connection.poll_event(), Some(Event::Transaction(_))));
    let _ = rig.events();
    assert_eq!(rig.rows(), [b"a", b"b", b"c"]);
}

#[test]
fn asking_on_a_closed_connection_ends_at_once() {
    let mut rig = Rig::online();
    rig.lose();
    let _ = rig.events();
    let _ = rig.connection.subscribe(vec!["SELECT * FROM t".into()]);
    assert_eq!(told(&rig.events()), ["set 0 ended: Closed"]);
}

#[test]
fn queries_that_are_too_large_are_not_sent() {
    let mut rig = Rig::limited(|limits| limits.max_outgoing_bytes = 10).greeted(Protocol::V3);
    let _ = rig.connection.subscribe(vec!["SELECT * FROM t".into()]);
    assert_eq!(told(&rig.events()), ["set 0 ended: NotSent"]);
    assert!(rig.sent().is_empty());
}
