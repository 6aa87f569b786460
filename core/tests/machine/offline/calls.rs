//! Calls that wait on disk, and how each is delivered.

use std::time::Duration;

use lightlike_core::conn::{Event, NotSent, Overflow, Replay, Reply, WhileDisconnected};
use lightlike_core::journal::Delivery::{AtLeastOnce, AtMostOnce, Probe};
use lightlike_core::wire::{
    ClientMessage, QueryRows, RequestId, RowList, ServerMessage, TableName, TableRows,
    TransactionUpdate,
};

use super::Offline;
use crate::rig::{committed, told};

#[test]
fn call_is_queued_only_once_on_disk() {
    let mut offline = Offline::new();
    offline.call("f", AtMostOnce);
    assert_eq!(offline.told(), [""; 0]);
    offline.store();
    assert_eq!(offline.told(), ["call 0 accepted: Queued"]);
}

#[test]
fn immediate_call_costs_no_write() {
    let mut offline = Offline::new();
    let _ = offline.connect();
    let before = offline.disk.len();
    offline.call("f", AtMostOnce);
    assert_eq!(offline.called(), ["f"]);
    assert_eq!(offline.told(), ["call 0 accepted: Sent"]);
    assert!(offline.connection().poll_commit().is_none());
    assert_eq!(offline.disk.len(), before);
}

#[test]
fn calls_leave_in_order_after_disk_confirms() {
    let mut offline = Offline::new();
    for name in ["a", "b", "c"] {
        offline.call(name, AtMostOnce);
    }
    offline.store();
    offline.rig.connection.start(offline.rig.now);
    let _ = offline.rig.actions();
    offline.rig.connection.handle_opened(lightlike_core::wire::Protocol::V3);
    offline.rig.server(crate::rig::greeting());
    let _ = offline.told();
    assert_eq!(offline.called(), [""; 0], "they are not marked yet");
    offline.store();
    assert_eq!(offline.called(), ["a", "b", "c"]);
}

#[test]
fn calls_survive_a_restart_and_are_sent_once() {
    let mut offline = Offline::new();
    for name in ["a", "b"] {
        offline.call(name, AtMostOnce);
    }
    offline.store();
    let mut offline = offline.restart();
    let names: Vec<_> = offline.restored.iter().map(|call| call.reducer.to_string()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(offline.connection().pending_calls(), 2);
    assert_eq!(offline.connect(), ["Connected", "Ready"]);
    assert_eq!(offline.called(), ["a", "b"]);
    for request in 0..2 {
        offline.rig.server(committed(RequestId(request), TransactionUpdate::default()));
    }
    assert_eq!(offline.told(), ["call 0: Committed", "call 1: Committed"]);
    offline.store();
    let mut offline = offline.restart();
    assert!(offline.restored.is_empty());
    let _ = offline.connect();
    assert_eq!(offline.called(), [""; 0]);
}

#[test]
fn sent_call_follows_policy_after_crash() {
    let mut offline = Offline::new();
    offline.call("once", AtMostOnce);
    offline.call("again", AtLeastOnce);
    offline.call("asked", Probe("SELECT 1".into()));
    offline.store();
    let _ = offline.connect();
    assert_eq!(offline.called(), ["once", "again", "asked"]);
    let mut offline = offline.restart();
    assert_eq!(offline.told(), ["call 0: Unknown"]);
    let letters = offline.connection().dead_letters();
    assert_eq!(letters.len(), 1);
    let _ = offline.connect();
    assert_eq!(offline.called(), ["again", "probe: SELECT 1"]);
}

/// The probe's answer: this many rows.
fn probed(request_id: RequestId, rows: usize) -> ServerMessage {
    let rows = RowList::from_rows(vec![b"row"; rows]);
    let tables = vec![TableRows { table: TableName::from("t"), rows }];
    ServerMessage::OneOffQueryResult { request_id, result: Ok(QueryRows { tables }) }
}

#[test]
fn probe_with_rows_means_call_ran() {
    for (rows, after) in [(1, "call 0: Committed"), (0, "")] {
        let mut offline = Offline::new();
        let _ = offline.connect();
        offline.call("asked", Probe("SELECT 1".into()));
        offline.store();
        assert_eq!(offline.called(), ["asked"]);
        offline.call("behind", AtMostOnce);
        offline.lose();
        let _ = offline.told();
        let _ = offline.come_back();
        let sent = offline.rig.sent();
        let [ClientMessage::OneOffQuery { request_id, .. }] = sent[..] else { panic!("{sent:?}") };
        offline.rig.server(probed(request_id, rows));
        assert_eq!(offline.told().join(" "), after);
        let called = if rows == 1 { vec![""; 0] } else { vec!["asked"] };
        assert_eq!(offline.called(), called);
        assert_eq!(offline.connection().pending_calls(), 1 - rows);
    }
}

#[test]
fn refused_probe_leaves_call_unknown() {
    let mut offline = Offline::new();
    let _ = offline.connect();
    offline.call("asked", Probe("nonsense".into()));
    offline.store();
    let _ = offline.called();
    offline.lose();
    let _ = offline.come_back();
    let sent = offline.rig.sent();
    let result = Err("no such table".into());
    let request_id = sent[0].request_id();
    offline.rig.server(ServerMessage::OneOffQueryResult { request_id, result });
    assert_eq!(offline.told(), ["call 0: Unknown"]);
}

#[test]
fn lost_socket_completes_plain_and_resends_idempotent_calls() {
    let mut offline = Offline::new();
    let _ = offline.connect();
    offline.call("once", AtMostOnce);
    offline.call("again", AtLeastOnce);
    offline.store();
    assert_eq!(offline.called(), ["once", "again"]);
    let _ = offline.told();
    offline.lose();
    assert_eq!(offline.told(), ["call 0: Unknown", "Reconnecting"]);
    offline.call("later", AtMostOnce);
    offline.store();
    let _ = offline.told();
    let _ = offline.come_back();
    let sent = offline.rig.sent();
    let [ClientMessage::CallReducer { reducer, request_id, .. }] = &sent[..] else {
        panic!("{sent:?}")
    };
    assert_eq!(reducer.as_str(), "again");
    offline.rig.server(committed(*request_id, TransactionUpdate::default()));
    let _ = offline.told();
    offline.store();
    assert_eq!(offline.called(), ["later"]);
}

#[test]
fn idempotent_calls_resend_without_journal() {
    let mut rig = crate::rig::Rig::with(lightlike_core::conn::Config::default())
        .greeted(lightlike_core::wire::Protocol::V3);
    let options = lightlike_core::conn::CallOptions { delivery: AtLeastOnce, ..Default::default() };
    rig.connection.call_with(rig.now, crate::rig::reducer("again"), options);
    assert_eq!(rig.sent().len(), 1);
    rig.lose();
    assert_eq!(told(&rig.events()), ["Reconnecting"]);
    rig.sleep();
    let _ = rig.actions();
    rig.connection.handle_opened(lightlike_core::wire::Protocol::V3);
    rig.server(crate::rig::greeting());
    let _ = rig.events();
    assert_eq!(rig.sent().len(), 1);
    rig.connection.close(rig.now);
    rig.lose();
    assert!(told(&rig.events()).contains(&"call 0: Unknown".to_owned()));
}

#[test]
fn crash_between_mark_and_send_is_unknown() {
    let mut offline = Offline::new();
    offline.call("once", AtMostOnce);
    offline.store();
    let _ = offline.connect();
    // It is marked, and the frame is in a buffer.
    let mut offline = offline.restart();
    assert_eq!(offline.told(), ["call 0: Unknown"]);
    let _ = offline.connect();
    assert_eq!(offline.called(), [""; 0]);
}

#[test]
fn unused_sent_mark_is_taken_back() {
    let mut offline = Offline::new();
    offline.call("once", AtMostOnce);
    offline.store();
    offline.rig.connection.start(offline.rig.now);
    let _ = offline.rig.actions();
    offline.rig.connection.handle_opened(lightlike_core::wire::Protocol::V3);
    offline.rig.server(crate::rig::greeting());
    let _ = offline.rig.events();
    // The mark is asked for; before it is written the socket is lost.
    offline.lose();
    let _ = offline.told();
    offline.store();
    let mut offline = offline.restart();
    assert_eq!(offline.told(), [""; 0]);
    let _ = offline.connect();
    assert_eq!(offline.called(), ["once"]);
}

#[test]
fn disconnected_call_fails_drops_or_waits() {
    let mut offline = Offline::new();
    let _ = offline.connect();
    offline.lose();
    let _ = offline.told();
    offline.call_with("f", |options| options.while_disconnected = Some(WhileDisconnected::Fail));
    offline.call_with("f", |options| options.while_disconnected = Some(WhileDisconnected::Drop));
    offline.call_with("f", |options| options.while_disconnected = Some(WhileDisconnected::Wait));
    offline.store();
    assert_eq!(offline.told(), ["call 0: NotSent", "call 1: Dropped", "call 2 accepted: Queued"]);
}

#[test]
fn non_waiting_calls_answer_when_connection_is_lost() {
    let mut offline = Offline::new();
    offline.rig.connection.start(offline.rig.now);
    offline.call_with("f", |options| options.while_disconnected = Some(WhileDisconnected::Drop));
    offline.call_with("f", |options| options.while_disconnected = Some(WhileDisconnected::Fail));
    offline.call("f", AtMostOnce);
    let _ = offline.told();
    offline.lose();
    assert_eq!(offline.told(), ["call 0: Dropped", "call 1: NotSent", "Reconnecting"]);
    assert_eq!(offline.connection().pending_calls(), 1);
}

#[test]
fn call_expiry_holds_over_restart() {
    let ttl = Duration::from_secs(100);
    let mut offline = Offline::new();
    offline.call_with("f", |options| options.ttl = Some(ttl));
    offline.store();
    let _ = offline.told();
    let mut offline = offline.restart();
    assert_eq!(offline.rig.sleep(), ttl - Duration::from_secs(60));
    assert_eq!(offline.told(), ["call 0: Expired"]);
    offline.store();
    assert!(offline.restart().restored.is_empty());
}

#[test]
fn call_expired_while_stopped_is_never_sent() {
    let mut offline = Offline::with(|config| config.max_age = Some(Duration::from_secs(30)));
    offline.call("f", AtMostOnce);
    offline.store();
    let mut offline = offline.restart();
    offline.rig.connection.handle_timeout(offline.rig.now);
    assert_eq!(offline.told(), ["call 0: Expired"]);
    let _ = offline.connect();
    assert_eq!(offline.called(), [""; 0]);
}

#[test]
fn what_was_sent_does_not_expire() {
    let mut offline = Offline::new();
    let _ = offline.connect();
    offline.call_with("f", |options| {
        options.delivery = AtLeastOnce;
        options.ttl = Some(Duration::from_secs(1));
    });
    assert_eq!(offline.called(), ["f"]);
    offline.store();
    let _ = offline.told();
    offline.lose();
    offline.rig.now += Duration::from_secs(5);
    offline.rig.connection.handle_timeout(offline.rig.now);
    let _ = offline.come_back();
    assert_eq!(offline.called(), ["f"]);
}

#[test]
fn full_queue_refuses_new_or_drops_oldest() {
    for (overflow, after) in [
        (Overflow::RejectNew, "call 2: NotSent"),
        (Overflow::DropOldest, "call 0: Dropped call 2 accepted: Queued"),
    ] {
        let mut offline = Offline::with(|config| {
            config.max_queued = 2;
            config.overflow = overflow;
        });
        offline.call("a", AtMostOnce);
        offline.call("b", AtMostOnce);
        offline.store();
        let _ = offline.told();
        offline.call("c", AtMostOnce);
        offline.store();
        let events = offline.rig.events();
        let lines: Vec<_> =
            told(&events).into_iter().filter(|line| !line.contains("pending")).collect();
        assert_eq!(lines.join(" "), after);
        if overflow == Overflow::RejectNew {
            assert!(events.iter().any(|event| matches!(
                event,
                Event::Answered { reply: Reply::NotSent(NotSent::QueueFull { limit: 2 }), .. }
            )));
        }
    }
}

#[test]
fn call_is_cancellable_until_sent() {
    let mut offline = Offline::new();
    let (waits, goes) = (offline.call("waits", AtMostOnce), offline.call("goes", AtMostOnce));
    offline.store();
    let _ = offline.told();
    assert!(offline.connection().cancel(waits));
    assert!(!offline.connection().cancel(waits));
    assert_eq!(offline.told(), ["call 0: Cancelled"]);
    let _ = offline.connect();
    assert_eq!(offline.called(), ["goes"]);
    assert!(!offline.connection().cancel(goes));
}

#[test]
fn replay_hook_decides_earlier_calls() {
    let mut offline = Offline::with(|config| config.asks_before_replay = true);
    for name in ["a", "b"] {
        offline.call(name, AtMostOnce);
    }
    offline.store();
    let mut offline = offline.restart();
    assert_eq!(offline.connect(), ["Connected", "Ready", "before replay: a b"]);
    offline.call("c", AtMostOnce);
    assert_eq!(offline.called(), [""; 0], "nothing overtakes");
    let first = offline.restored[0].id;
    offline.connection().replay(&[(first, Replay::Drop)]);
    offline.store();
    assert_eq!(offline.told(), ["call 0: Dropped", "call 2 accepted: Queued"]);
    offline.store();
    assert_eq!(offline.called(), ["b", "c"]);
}

#[test]
fn closing_leaves_calls_for_the_next_run() {
    let mut offline = Offline::new();
    offline.call("waits", AtMostOnce);
    offline.store();
    let _ = offline.told();
    offline.rig.connection.close(offline.rig.now);
    assert_eq!(offline.told(), ["call 0: Kept", "Closed"]);
    offline.store();
    let mut offline = offline.restart();
    let _ = offline.connect();
    assert_eq!(offline.called(), ["waits"]);
}

#[test]
fn unsent_timed_out_call_is_never_sent() {
    let mut offline = Offline::new();
    let deadline = offline.rig.now + Duration::from_secs(1);
    offline.call_with("f", |options| options.deadline = Some(deadline));
    offline.store();
    let _ = offline.told();
    offline.rig.sleep();
    assert_eq!(offline.told(), ["call 0: timed out, sent: false"]);
    offline.store();
    assert!(offline.restart().restored.is_empty());
}
