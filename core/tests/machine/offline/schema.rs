//! Calls of an earlier run beside what the server's reducers take now.

use std::time::Duration;

use lightlike_core::conn::LiveReducer;
use lightlike_core::journal::Delivery::{AtLeastOnce, AtMostOnce, Probe};
use lightlike_core::journal::{Held, QueuedState};
use lightlike_core::wire::{QueryRows, RequestId, ServerMessage, TransactionUpdate};

use super::Offline;
use crate::rig::committed;

const OLD: u64 = 10;
const NEW: u64 = 11;

/// Reducers of the server's, and what they take.
fn live(reducers: &[(&str, u64)]) -> Option<Vec<LiveReducer>> {
    let reducers = reducers.iter().map(|&(name, arguments)| LiveReducer {
        name: name.into(),
        arguments: Some(arguments),
        params: "title: String".into(),
    });
    Some(reducers.collect())
}

fn learn(offline: &mut Offline, reducers: Option<Vec<LiveReducer>>) {
    let round = offline.connection().schema_round();
    offline.connection().handle_schema(round, reducers);
}

/// A run after one that made these calls without a connection, which is told of the server's reducers.
fn after(calls: &[&'static str]) -> Offline {
    let mut offline = Offline::new();
    for name in calls {
        offline.call_with(name, |options| options.fingerprint = OLD);
    }
    offline.store();
    let mut offline = offline.restart();
    offline.connection().await_schema();
    offline
}

/// Writes what is to be written, and says which reducers were called.
fn sent(offline: &mut Offline) -> Vec<String> {
    let mut called = offline.called();
    offline.store();
    called.extend(offline.called());
    called
}

#[test]
fn persisted_calls_await_schema_unlike_new_ones() {
    let mut offline = after(&["a", "b"]);
    let _ = offline.connect();
    offline.call("now", AtMostOnce);
    assert_eq!(sent(&mut offline), ["now"]);
    learn(&mut offline, live(&[("a", OLD), ("b", OLD), ("now", OLD)]));
    assert_eq!(sent(&mut offline), ["a", "b"]);
}

#[test]
fn later_disconnected_calls_keep_their_place() {
    let mut offline = after(&["a"]);
    offline.call("b", AtMostOnce);
    offline.store();
    let _ = offline.connect();
    assert_eq!(sent(&mut offline), [""; 0]);
    learn(&mut offline, live(&[("a", OLD), ("b", OLD)]));
    assert_eq!(sent(&mut offline), ["a", "b"]);
}

#[test]
fn schema_is_fetched_only_for_persisted_calls() {
    let mut offline = Offline::new();
    offline.connection().await_schema();
    assert_eq!(offline.connect(), ["Connected", "Ready"]);
    offline.call("a", AtMostOnce);
    assert_eq!(sent(&mut offline), ["a"]);
    assert!(!offline.connection().wants_schema());
}

#[test]
fn queued_calls_check_schema_of_their_connection() {
    let mut offline = Offline::new();
    offline.connection().await_schema();
    let _ = offline.connect();
    learn(&mut offline, live(&[("f", OLD)]));
    offline.lose();
    // The module is published again.
    for name in ["f", "g"] {
        offline.call_with(name, |options| options.fingerprint = OLD);
    }
    offline.store();
    let before = offline.connection().schema_round();
    offline.lose();
    let told = offline.come_back();
    assert!(told.contains(&"schema wanted".into()), "{told:?}");
    assert_eq!(sent(&mut offline), [""; 0]);
    // What was asked for before the connection was lost is no answer.
    offline.lose();
    offline.connection().handle_schema(before, live(&[("f", OLD), ("g", OLD)]));
    let _ = offline.come_back();
    offline.connection().handle_schema(before, None);
    assert_eq!(sent(&mut offline), [""; 0]);
    learn(&mut offline, live(&[("f", NEW), ("g", OLD)]));
    assert_eq!(sent(&mut offline), ["g"]);
    assert_eq!(offline.connection().sync_state().held, 1);
}

#[test]
fn mismatched_or_missing_reducer_holds_call_with_reason() {
    let mut offline = after(&["same", "changed", "gone"]);
    offline.connection().expect_arguments("changed", Some(OLD));
    let _ = offline.connect();
    learn(&mut offline, live(&[("same", OLD), ("changed", NEW)]));
    assert_eq!(sent(&mut offline), ["same"]);
    assert_eq!(offline.connection().sync_state().held, 2);
    let queued = offline.connection().queued_calls();
    let held: Vec<_> = queued.iter().filter_map(|call| call.held.clone()).collect();
    assert_eq!(held, [Held::Server("title: String".into()), Held::NoReducer]);
    assert_eq!(
        held[0].to_string(),
        "the server's reducer takes other arguments than the call was made with: (title: String)"
    );
    assert!(queued[1..].iter().all(|call| call.state == QueuedState::NeedsMigration));
    let (changed, gone) = (queued[1].id, queued[2].id);
    offline.connection().expect_arguments("changed", Some(NEW));
    assert!(offline.connection().migrate(changed, b"new".as_slice().into(), NEW).is_some());
    assert_eq!(sent(&mut offline), ["changed"]);
    assert!(offline.connection().cancel_queued(gone));
    assert_eq!(offline.connection().sync_state().held, 0);
}

#[test]
fn held_call_is_rechecked_next_run() {
    let mut offline = after(&["f"]);
    let _ = offline.connect();
    learn(&mut offline, live(&[("f", NEW)]));
    assert_eq!(sent(&mut offline), [""; 0]);
    // The module is changed back.
    let mut offline = offline.restart();
    offline.connection().await_schema();
    let _ = offline.connect();
    learn(&mut offline, live(&[("f", OLD)]));
    assert_eq!(sent(&mut offline), ["f"]);
}

#[test]
fn without_schema_calls_go_unchecked() {
    let mut offline = after(&["a", "b"]);
    let _ = offline.connect();
    assert_eq!(sent(&mut offline), [""; 0]);
    learn(&mut offline, None);
    assert_eq!(sent(&mut offline), ["a", "b"]);
    assert_eq!(offline.connection().sync_state().held, 0);
}

#[test]
fn they_go_on_waiting_over_a_lost_socket() {
    let mut offline = after(&["a", "b"]);
    let _ = offline.connect();
    offline.lose();
    offline.call("c", AtMostOnce);
    offline.store();
    let _ = offline.come_back();
    assert_eq!(sent(&mut offline), [""; 0]);
    offline.lose();
    let _ = offline.come_back();
    learn(&mut offline, live(&[("a", OLD), ("b", NEW), ("c", OLD)]));
    assert_eq!(sent(&mut offline), ["a", "c"]);
    assert_eq!(offline.connection().sync_state().held, 1);
}

#[test]
fn server_schema_is_forgotten_on_disconnect() {
    let mut offline = after(&["f"]);
    let _ = offline.connect();
    learn(&mut offline, live(&[("f", OLD)]));
    assert_eq!(sent(&mut offline), ["f"]);
    offline.rig.server(ServerMessage::ReducerResult {
        request_id: RequestId(0),
        timestamp: lightlike_core::types::Timestamp::from_micros(5),
        outcome: lightlike_core::wire::ReducerOutcome::InternalError("no".into()),
    });
    let _ = offline.told();
    let letter = offline.connection().dead_letters()[0].id;
    // As long as it counts, a call that is made again is looked at.
    learn(&mut offline, live(&[]));
    assert!(offline.connection().retry_dead_letter(letter).is_some());
    assert_eq!(sent(&mut offline), [""; 0]);
    assert_eq!(offline.connection().queued_calls()[0].held, Some(Held::NoReducer));
    offline.lose();
    let _ = offline.come_back();
    offline.call_with("g", |options| options.fingerprint = NEW);
    assert_eq!(sent(&mut offline), ["g"]);
}

#[test]
fn possibly_sent_calls_are_held_or_probed() {
    let mut offline = Offline::new();
    let _ = offline.connect();
    offline.call_with("again", |options| {
        (options.delivery, options.fingerprint) = (AtLeastOnce, OLD);
    });
    offline.call_with("ask", |options| {
        (options.delivery, options.fingerprint) = (Probe("did it?".into()), OLD);
    });
    assert_eq!(sent(&mut offline), ["again", "ask"]);
    let mut offline = offline.restart();
    offline.connection().await_schema();
    let _ = offline.connect();
    assert_eq!(sent(&mut offline), [""; 0]);
    learn(&mut offline, live(&[("again", NEW), ("ask", OLD)]));
    assert_eq!(sent(&mut offline), ["probe: did it?"]);
    // While the probe is out the module is said to be another one: then it is not sent even if it did not run.
    learn(&mut offline, live(&[("ask", NEW)]));
    let result = Ok(QueryRows { tables: Vec::new() });
    offline.rig.server(ServerMessage::OneOffQueryResult { request_id: RequestId(0), result });
    let _ = offline.told();
    assert_eq!(sent(&mut offline), [""; 0]);
    assert_eq!(offline.connection().sync_state().held, 2);
}

#[test]
fn held_departing_call_is_unsent_next_run() {
    let mut offline = Offline::new();
    offline.call_with("f", |options| options.fingerprint = OLD);
    offline.store();
    let mut offline = offline.restart();
    offline.rig.connection.start(offline.rig.now);
    let _ = offline.rig.actions();
    offline.rig.connection.handle_opened(lightlike_core::wire::Protocol::V3);
    offline.rig.server(crate::rig::greeting());
    let _ = offline.told();
    // It is being marked as sent.
    learn(&mut offline, live(&[("f", NEW)]));
    assert_eq!(sent(&mut offline), [""; 0]);
    let mut offline = offline.restart();
    assert_eq!(offline.told(), [""; 0], "it is not unknown");
    let _ = offline.connect();
    assert_eq!(sent(&mut offline), ["f"]);
}

#[test]
fn waiting_call_may_expire_or_be_cancelled() {
    let mut offline = Offline::new();
    offline.call_with("old", |options| options.ttl = Some(Duration::from_secs(61)));
    offline.call("back", AtMostOnce);
    offline.call("stays", AtMostOnce);
    offline.store();
    let mut offline = offline.restart();
    offline.connection().await_schema();
    let _ = offline.connect();
    let back = offline.restored[1].id;
    assert!(offline.connection().cancel_queued(back));
    offline.rig.now += Duration::from_secs(2);
    let now = offline.rig.now;
    offline.connection().handle_timeout(now);
    assert_eq!(offline.told(), ["call 1: Cancelled", "call 0: Expired"]);
    learn(&mut offline, live(&[("stays", OLD)]));
    assert_eq!(sent(&mut offline), ["stays"]);
}

#[test]
fn disk_failure_stops_only_calls_stored_unsent() {
    let mut offline = after(&["stays"]);
    let _ = offline.connect();
    offline.call("g", AtLeastOnce);
    let batch = offline.connection().poll_commit().unwrap();
    offline.connection().handle_stored(batch.ticket, Err("the disk is full".into()));
    learn(&mut offline, live(&[("stays", OLD), ("g", OLD)]));
    offline.call("h", AtMostOnce);
    assert_eq!(offline.called(), ["g", "h"]);
    offline.rig.server(committed(RequestId(0), TransactionUpdate::default()));
    assert_eq!(offline.told().last().unwrap(), "call 1: Committed");
    // The next run sends it.
    let mut offline = offline.restart();
    let _ = offline.connect();
    assert_eq!(sent(&mut offline), ["stays"]);
}
