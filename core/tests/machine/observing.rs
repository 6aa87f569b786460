//! Reports of a connection: counters, and an application that does not keep up.

use std::time::Duration;

use lightlike_core::conn::Progress;
use lightlike_core::wire::{Protocol, QuerySetId, ServerMessage, TransactionUpdate};

use crate::rig::{Rig, committed, told, update};

#[test]
fn stats_count_done_and_pending_work() {
    let mut rig = Rig::online();
    rig.applied(&[b"a", b"b"]);
    let before = rig.connection.stats();
    let _ = (rig.call("f"), rig.call("f"));
    let waiting = rig.connection.stats();
    assert_eq!((waiting.calls_waiting, waiting.calls_in_flight), (0, 2));
    assert_eq!(waiting.messages_sent - before.messages_sent, 2);
    let sent = rig.sent();
    rig.now += Duration::from_millis(30);
    rig.server(committed(sent[0].request_id(), update(QuerySetId(0), &[b"c"], &[b"a"])));
    rig.server(committed(sent[1].request_id(), TransactionUpdate::default()));
    let received = rig.connection.stats();
    assert!(received.bytes_waiting > 0);
    assert_eq!(
        received.message_bytes_received - before.message_bytes_received,
        received.bytes_waiting as u64
    );
    let _ = rig.events();
    let after = rig.connection.stats();
    assert_eq!((after.bytes_waiting, after.calls_in_flight), (0, 0));
    assert_eq!(
        (after.transactions - before.transactions, after.rows_changed - before.rows_changed),
        (1, 2)
    );
    assert_eq!(
        (after.frames_sent - before.frames_sent, after.frames_received - before.frames_received),
        (1, 2)
    );
    assert_eq!((after.messages_received - before.messages_received, after.calls_answered), (2, 2));
    assert_eq!(after.round_trips.percentile(50.0), Some(Duration::from_millis(30)));
    assert_eq!((after.connections, after.reconnects(), after.losses), (1, 0, 0));
    rig.lose();
    assert_eq!(rig.connection.stats().losses, 1);
}

#[test]
fn slow_consumption_is_reported_once_per_lag() {
    let mut rig = Rig::online();
    rig.applied(&[b"a"]);
    for row in [b"b", b"c"] {
        rig.server(committed_by_others(row));
    }
    rig.now += Duration::from_secs(3);
    let lines = ["slow: Applying, 3s behind", "transaction: Other", "transaction: Other"];
    assert_eq!(told(&rig.events()), lines);
    rig.server(committed_by_others(b"d"));
    assert_eq!(told(&rig.events()), ["transaction: Other"], "it has caught up");
    rig.server(committed_by_others(b"e"));
    rig.now += Duration::from_secs(1);
    assert_eq!(told(&rig.events()), ["transaction: Other"], "nothing has piled up");
    for row in [b"f", b"g"] {
        rig.server(committed_by_others(row));
    }
    rig.now += Duration::from_secs(1);
    let lines = ["slow: Applying, 1s behind", "transaction: Other", "transaction: Other"];
    assert_eq!(told(&rig.events()), lines);
    assert_eq!(rig.connection.stats().slow_notices, 2);
}

#[test]
fn callbacks_that_take_long_are_told_of() {
    let mut rig = Rig::online();
    rig.applied(&[b"a"]);
    rig.server(committed_by_others(b"b"));
    let _ = rig.connection.step(rig.now, 100);
    while !rig.connection.has_events() {
        let _ = rig.connection.step(rig.now, 100);
    }
    let delivered: Vec<_> = std::iter::from_fn(|| rig.connection.poll_event()).collect();
    assert_eq!(told(&delivered), ["transaction: Other"]);
    rig.now += Duration::from_secs(2);
    assert_eq!(told(&rig.events()), ["slow: Callbacks, 2s behind"]);
    rig.now += Duration::from_secs(60);
    assert!(rig.events().is_empty(), "nothing happens, which is not slow");
}

#[test]
fn views_that_hold_up_applying_are_told_of() {
    let mut rig = Rig::limited(|limits| limits.max_dead_rows = 1).greeted(Protocol::V3);
    rig.applied(&[b"a", b"b", b"c"]);
    let held = rig.connection.reader().read();
    rig.server(left(&[b"a", b"b"]));
    assert_eq!(told(&rig.events()), ["transaction: Other"]);
    rig.server(left(&[b"c"]));
    for _ in 0..10 {
        let _ = rig.connection.step(rig.now, 100);
    }
    assert!(rig.connection.poll_event().is_none());
    rig.now += Duration::from_secs(1);
    let _ = rig.connection.step(rig.now, 100);
    let event = rig.connection.poll_event().into_iter().collect::<Vec<_>>();
    assert_eq!(told(&event), ["slow: Views, 1s behind"]);
    drop(held);
    assert_eq!(told(&rig.events()), ["transaction: Other"]);
}

#[test]
fn idle_connection_looks_again_whether_views_were_dropped() {
    let rows = [1_u8, 2].map(|first| vec![first; 1 << 20]);
    let mut rig = Rig::limited(|limits| limits.max_dead_bytes = 1 << 20).greeted(Protocol::V3);
    rig.applied(&[&rows[0], &rows[1]]);
    let held = rig.connection.reader().read();
    rig.server(left(&[&rows[0]]));
    assert_eq!(told(&rig.events()), ["transaction: Other"]);
    rig.server(left(&[&rows[1]]));
    assert_eq!(rig.connection.step(rig.now, 100), Progress::More, "the message is taken");
    assert_eq!(rig.connection.step(rig.now, 100), Progress::Waiting);
    drop(held);
    assert_eq!(told(&rig.events()), ["transaction: Other"]);

    // The transaction that was delivered last had views too. Then nothing is left to look for.
    assert_eq!(rig.sleep(), Duration::from_millis(10));
    assert!(rig.events().is_empty());
    assert!(rig.sleep() >= Duration::from_secs(1));
    let mut rig = Rig::online();
    rig.applied(&[&rows[0]]);
    let held = rig.connection.reader().read();
    rig.server(left(&[&rows[0]]));
    assert_eq!(told(&rig.events()), ["transaction: Other"]);
    let mut pauses = Vec::new();
    for _ in 0..3 {
        pauses.push(rig.sleep().as_millis());
        assert!(rig.events().is_empty());
    }
    assert_eq!(pauses, [10, 20, 40]);
    drop(held);
    assert_eq!(rig.sleep(), Duration::from_millis(80));
    assert!(rig.events().is_empty());
    assert!(rig.sleep() >= Duration::from_secs(1), "all is freed");
}

fn committed_by_others(row: &[u8]) -> ServerMessage {
    ServerMessage::TransactionUpdate(update(QuerySetId(0), &[row], &[]))
}

fn left(rows: &[&[u8]]) -> ServerMessage {
    ServerMessage::TransactionUpdate(update(QuerySetId(0), &[], rows))
}
