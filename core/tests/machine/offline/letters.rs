//! Calls that failed, and calls that do not fit any more.

use lightlike_core::conn::{CallOptions, Storage};
use lightlike_core::journal::Delivery::{AtLeastOnce, AtMostOnce};
use lightlike_core::journal::{Failure, QueuedState};
use lightlike_core::types::Timestamp;
use lightlike_core::wire::{ReducerOutcome, RequestId, ServerMessage};

use super::Offline;
use crate::rig::reducer;

fn rejected(request_id: u32) -> ServerMessage {
    ServerMessage::ReducerResult {
        request_id: RequestId(request_id),
        timestamp: Timestamp::from_micros(5),
        outcome: ReducerOutcome::Err(bytes::Bytes::from_static(b"why")),
    }
}

/// One dead letter, after a restart.
fn with_a_letter() -> Offline {
    let mut offline = Offline::new();
    offline.call("f", AtMostOnce);
    offline.store();
    let _ = offline.connect();
    assert_eq!(offline.called(), ["f"]);
    offline.rig.server(rejected(0));
    assert_eq!(offline.told(), ["call 0: Rejected"]);
    offline.store();
    let mut offline = offline.restart();
    let letters = offline.connection().dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].failure, Failure::Rejected(bytes::Bytes::from_static(b"why")));
    offline
}

#[test]
fn dead_letter_stays_until_discarded() {
    let mut offline = with_a_letter();
    let id = offline.connection().dead_letters()[0].id;
    assert!(offline.connection().discard_dead_letter(id));
    assert!(!offline.connection().discard_dead_letter(id));
    offline.store();
    assert!(offline.restart().connection().dead_letters().is_empty());
}

#[test]
fn a_call_that_failed_can_be_made_again() {
    let mut offline = with_a_letter();
    let id = offline.connection().dead_letters()[0].id;
    assert!(offline.connection().retry_dead_letter(id).is_some());
    assert!(offline.connection().retry_dead_letter(id).is_none());
    offline.store();
    let mut offline = offline.restart();
    assert_eq!(offline.connection().queued_calls()[0].id, id);
    let _ = offline.connect();
    assert_eq!(offline.called(), ["f"]);
}

#[test]
fn only_so_many_failures_are_kept() {
    let mut offline = Offline::with(|config| config.max_dead_letters = 2);
    for name in ["a", "b", "c"] {
        let call = offline.call(name, AtMostOnce);
        let _ = call;
    }
    offline.store();
    let _ = offline.connect();
    assert_eq!(offline.called().len(), 3);
    for request in 0..3 {
        offline.rig.server(rejected(request));
    }
    let _ = offline.told();
    let counts = |offline: &mut Offline| {
        let state = offline.connection().sync_state();
        (state.failed, state.dead_letters)
    };
    assert_eq!(counts(&mut offline), (3, 2), "the forgotten one has failed too");
    offline.store();
    let mut offline = offline.restart();
    assert_eq!(counts(&mut offline), (2, 2));
    let letters = offline.connection().dead_letters();
    let names: Vec<_> = letters.iter().map(|letter| letter.reducer.as_str()).collect();
    assert_eq!(names, ["b", "c"]);
}

#[test]
fn dead_letters_are_bounded_by_bytes() {
    let mut offline = Offline::with(|config| config.max_dead_letter_bytes = 1200);
    let large: &str = "d".repeat(5000).leak();
    for name in ["a", "b", "c", large] {
        let _ = offline.call(name, AtMostOnce);
    }
    offline.store();
    let _ = offline.connect();
    assert_eq!(offline.called().len(), 4);
    (0..3).for_each(|request| offline.rig.server(rejected(request)));
    let _ = offline.told();
    let names = |offline: &mut Offline| -> Vec<String> {
        let letters = offline.connection().dead_letters();
        letters.iter().map(|letter| letter.reducer.as_str().to_owned()).collect()
    };
    assert_eq!(names(&mut offline), ["b", "c"]);
    assert_eq!(offline.connection().sync_state().failed, 3);
    // They give their bytes back.
    let id = offline.connection().dead_letters()[0].id;
    assert!(offline.connection().discard_dead_letter(id));
    offline.rig.server(rejected(3));
    let _ = offline.told();
    assert_eq!(names(&mut offline), [large], "the newest one is kept");
}

#[test]
fn call_with_changed_arguments_is_held_alone() {
    let mut offline = Offline::new();
    for (name, fingerprint) in [("changed", 10), ("same", 20), ("gone", 30)] {
        offline.call_with(name, |options| options.fingerprint = fingerprint);
    }
    offline.store();
    let mut offline = offline.restart();
    offline.connection().expect_arguments("changed", Some(11));
    offline.connection().expect_arguments("same", Some(20));
    offline.connection().expect_arguments("gone", None);
    let _ = offline.connect();
    assert_eq!(offline.called(), ["same"]);
    assert_eq!(offline.connection().sync_state().held, 2);
    let held = offline.connection().queued_calls();
    assert_eq!(held[0].state, QueuedState::NeedsMigration);
    let id = held[0].id;
    assert!(offline.connection().migrate(id, bytes::Bytes::from_static(b"new"), 11).is_some());
    offline.store();
    assert_eq!(offline.called(), ["changed"]);
    assert_eq!(offline.connection().sync_state().held, 1);
    // Still held after a restart, and can be taken back.
    let mut offline = offline.restart();
    offline.connection().expect_arguments("gone", None);
    let held = offline.connection().queued_calls();
    let gone = held.iter().find(|call| call.reducer == "gone").unwrap().id;
    assert!(offline.connection().cancel_queued(gone));
}

#[test]
fn failing_disk_limits_accepted_calls() {
    let mut offline = Offline::new();
    offline.call("on disk", AtMostOnce);
    offline.store();
    let _ = offline.told();
    offline.call("not on disk", AtMostOnce);
    let batch = offline.connection().poll_commit().unwrap();
    offline.connection().handle_stored(batch.ticket, Err("the disk is full".into()));
    assert_eq!(offline.told(), ["call 1 accepted: Waiting"]);
    assert_eq!(
        offline.connection().sync_state().storage,
        Storage::Degraded("the disk is full".into())
    );
    offline.call("later", AtMostOnce);
    assert_eq!(offline.told(), ["call 2 accepted: Waiting"]);
    let _ = offline.connect();
    // What the disk has as unsent would be sent again by the next run.
    assert_eq!(offline.called(), ["not on disk", "later"]);
    offline.call("online", AtMostOnce);
    assert_eq!(offline.called(), ["online"]);
    let mut offline = offline.restart();
    let _ = offline.connect();
    assert_eq!(offline.called(), ["on disk"]);
}

#[test]
fn failing_disk_does_not_stop_idempotent_calls() {
    let mut offline = Offline::new();
    offline.call("again", AtLeastOnce);
    offline.store();
    offline.call("more", AtMostOnce);
    let batch = offline.connection().poll_commit().unwrap();
    offline.connection().handle_stored(batch.ticket, Err("no".into()));
    let _ = offline.connect();
    assert_eq!(offline.called(), ["again", "more"]);
}

#[test]
fn call_names_are_unique_and_time_ordered() {
    let mut offline = Offline::new();
    let mut names = Vec::new();
    for _ in 0..100 {
        offline.rig.now += std::time::Duration::from_millis(1);
        names.push(offline.rig.connection.new_call_name(offline.rig.now).unwrap());
    }
    assert!(names.is_sorted() && names.windows(2).all(|pair| pair[0] != pair[1]));
    assert_eq!(names[0].version(), Some(7));
    let options = CallOptions { id: Some(names[7]), ..CallOptions::default() };
    offline.rig.connection.call_with(offline.rig.now, reducer("f"), options);
    assert_eq!(offline.connection().queued_calls()[0].id, names[7]);
}
