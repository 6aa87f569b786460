//! Comparing the cache with the server.

use lightlike_core::cache::Drift;
use lightlike_core::conn::{Config, Event, Verification};
use lightlike_core::wire::{ClientMessage, Protocol, QuerySetId, RequestId, ServerMessage, Text};

use crate::item::{Item, item};
use crate::rig::{Rig, applied, told, update};

fn rig() -> Rig {
    Rig::with(Config::default()).greeted(Protocol::V3)
}

/// The set that is asked for to be compared.
fn asked(rig: &mut Rig) -> (RequestId, QuerySetId) {
    let sent = rig.sent();
    let [ClientMessage::Subscribe { request_id, query_set_id, .. }] = sent[..] else {
        panic!("{sent:?}")
    };
    (request_id, query_set_id)
}

fn verification(rig: &mut Rig) -> Option<Verification> {
    let events = rig.events();
    let [Event::Verified { outcome, .. }] = &events[..] else { panic!("{events:?}") };
    outcome.clone()
}

/// The server ends what was only there to be compared, and the rows are as they were.
fn ends_quietly(rig: &mut Rig, rows: &[&[u8]]) {
    let sent = rig.sent();
    let [ClientMessage::Unsubscribe { request_id, query_set_id, .. }] = sent[..] else {
        panic!("{sent:?}")
    };
    rig.server(ServerMessage::UnsubscribeApplied { request_id, query_set_id, rows: None });
    assert!(rig.events().is_empty());
    assert_eq!(rig.rows(), rows);
}

#[test]
fn matching_cache_has_no_drift() {
    let mut rig = rig();
    rig.applied(&[b"a", b"b"]);
    rig.connection.verify();
    let (request_id, set) = asked(&mut rig);
    // What changes before the answer changes for both.
    rig.server(ServerMessage::TransactionUpdate(update(QuerySetId(0), &[b"c"], &[b"a"])));
    assert_eq!(told(&rig.events()), ["transaction: Other"]);
    rig.server(applied(request_id, set, &[b"b", b"c"]));
    let verified = verification(&mut rig).unwrap();
    assert_eq!((verified.sets, verified.rows, verified.drifts.len()), (1, 2, 0));
    // What changes after it is told for both, until the server has ended the second.
    let mut both = update(QuerySetId(0), &[b"d"], &[]);
    both.query_sets.extend(update(set, &[b"d"], &[]).query_sets);
    rig.server(ServerMessage::TransactionUpdate(both));
    assert_eq!(told(&rig.events()), ["transaction: Other"]);
    ends_quietly(&mut rig, &[b"b", b"c", b"d"]);
}

#[test]
fn drift_is_counted_and_not_repaired() {
    let mut rig = rig();
    let set = rig.applied(&[b"a", b"b"]);
    rig.connection.verify();
    let (request_id, wire) = asked(&mut rig);
    rig.server(applied(request_id, wire, &[b"b", b"x", b"y"]));
    let verified = verification(&mut rig).unwrap();
    let [(of, Drift { table, missing, surplus, .. })] = &verified.drifts[..] else {
        panic!("{verified:?}")
    };
    assert_eq!((of, &**table, *missing, *surplus), (&set, "t", 2, 1));
    ends_quietly(&mut rig, &[b"a", b"b"]);
}

#[test]
fn what_is_only_expected_is_left_aside() {
    let mut rig = rig();
    rig.connection.register::<Item>().unwrap();
    let (one, two) = (item(1, 1).bytes(), item(2, 2).bytes());
    rig.applied(&[&one, &two]);
    let call = rig.call("f");
    let run = |tx: &mut lightlike_core::cache::LocalTx| {
        tx.upsert(item(1, 9));
        tx.upsert(item(3, 9));
        tx.delete_by(Item::ID, &2);
    };
    rig.connection.optimistic(rig.now, call, Box::new(run)).unwrap();
    let _ = (rig.events(), rig.sent());
    rig.connection.verify();
    let (request_id, set) = asked(&mut rig);
    rig.server(applied(request_id, set, &[&one, &two]));
    assert_eq!(verification(&mut rig).unwrap().drifts, []);
}

#[test]
fn verify_without_answer_is_inconclusive() {
    let mut rig = rig();
    rig.applied(&[b"a"]);
    rig.connection.verify();
    let _ = rig.sent();
    rig.lose();
    assert_eq!(told(&rig.events())[0], "verified: None");
    rig.connection.verify();
    assert_eq!(told(&rig.events()), ["verified: None"]);
}

#[test]
fn refused_or_ended_set_is_not_verified() {
    let mut rig = rig();
    rig.applied(&[b"a"]);
    rig.connection.verify();
    let (_, query_set_id) = asked(&mut rig);
    let (request_id, error) = (None, Text::from("no"));
    rig.server(ServerMessage::SubscriptionError { request_id, query_set_id, error });
    assert_eq!(verification(&mut rig).unwrap(), Verification::default());
    assert_eq!(rig.rows(), [b"a"]);
}
