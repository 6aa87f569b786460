//! Predicted effects of calls: from when they are seen, and until when.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use lightlike_core::cache::{LocalTx, MutationId, RowStatus};
use lightlike_core::conn::{CallId, Cause, Config, Event, WhileDisconnected};
use lightlike_core::types::Timestamp;
use lightlike_core::wire::{
    ClientMessage, Protocol, QuerySetId, ReducerOutcome, RequestId, ServerMessage,
    TransactionUpdate,
};

use crate::item::{Item, item};
use crate::rig::{Rig, applied, committed, greeting, reducer, told, update};

impl Rig {
    /// Makes a call that is expected to do something.
    fn expect(&mut self, run: impl Fn(&mut LocalTx) + Send + 'static) -> CallId {
        let call = self.call("f");
        self.connection.optimistic(self.now, call, Box::new(run)).unwrap();
        call
    }

    fn items(&self) -> Vec<Item> {
        let view = self.connection.reader().read();
        let mut items: Vec<_> = view.table::<Item>().unwrap().iter().copied().collect();
        items.sort();
        items
    }

    fn refuse(&mut self, request_id: u32) {
        self.server(ServerMessage::ReducerResult {
            request_id: RequestId(request_id),
            timestamp: Timestamp::from_micros(5),
            outcome: ReducerOutcome::Err(Bytes::from_static(b"no")),
        });
    }

    fn reconnect(&mut self) {
        self.sleep();
        let _ = self.actions();
        self.connection.handle_opened(Protocol::V3);
        self.server(greeting());
    }
}

/// Online, with an applied set of these items.
fn with_items(config: Config, items: &[Item]) -> Rig {
    let mut rig = Rig::with(config).greeted(Protocol::V3);
    rig.connection.register::<Item>().unwrap();
    let bytes: Vec<_> = items.iter().map(|item| item.bytes()).collect();
    rig.applied(&bytes.iter().map(|bytes| &bytes[..]).collect::<Vec<_>>());
    rig
}

fn rig(items: &[Item]) -> Rig {
    with_items(Config::default(), items)
}

fn inserted(items: &[Item]) -> TransactionUpdate {
    let bytes: Vec<_> = items.iter().map(|item| item.bytes()).collect();
    update(QuerySetId(0), &bytes.iter().map(|bytes| &bytes[..]).collect::<Vec<_>>(), &[])
}

fn add(id: u32, value: u32) -> impl Fn(&mut LocalTx) + Send {
    move |tx| tx.upsert(item(id, value))
}

#[test]
fn prediction_is_visible_when_call_is_made() {
    let mut rig = rig(&[item(1, 10)]);
    let call = rig.expect(add(2, 20));
    assert_eq!(rig.items(), [item(1, 10), item(2, 20)]);
    let status = rig.connection.row_status::<Item>(&item(2, 20));
    assert_eq!(status, Some(RowStatus::Pending(vec![MutationId(call.0)])));
    assert_eq!(told(&rig.events()), ["transaction: Optimistic"]);
    assert_eq!(rig.sent().len(), 1);
}

#[test]
fn commit_as_predicted_only_confirms() {
    let mut rig = rig(&[]);
    let call = rig.expect(add(2, 20));
    let _ = rig.events();
    rig.server(committed(RequestId(1), inserted(&[item(2, 20)])));
    assert_eq!(told(&rig.events()), [format!("call {}: Committed", call.0)]);
    assert_eq!(rig.connection.row_status::<Item>(&item(2, 20)), Some(RowStatus::Confirmed));
}

#[test]
fn commit_unlike_prediction_brings_difference() {
    let mut rig = rig(&[]);
    rig.expect(|tx| {
        let id = tx.temp_id();
        tx.insert(item(id, 20));
    });
    let _ = rig.events();
    rig.server(committed(RequestId(1), inserted(&[item(2, 20)])));
    assert_eq!(told(&rig.events()), ["transaction: Call", "call 0: Committed"]);
    assert_eq!(rig.items(), [item(2, 20)]);
}

#[test]
fn answer_awaiting_revert_outlives_connection() {
    let mut config = Config::default();
    config.while_disconnected = WhileDisconnected::Wait;
    let mut rig = with_items(config, &[item(1, 10)]);
    rig.lose();
    let call = rig.expect(add(2, 20));
    let _ = rig.events();
    assert!(rig.connection.cancel(call));
    rig.connection.close(rig.now);
    let end = ["transaction: Reverted", "call 0: Cancelled", "set 0 ended: Closed", "Closed"];
    assert_eq!(told(&rig.events()), end);
    assert_eq!(rig.items(), [item(1, 10)]);
}

#[test]
fn a_refusal_leaves_no_trace() {
    let mut rig = rig(&[item(1, 10)]);
    let call = rig.expect(|tx| {
        tx.delete_by(Item::ID, &1);
    });
    let _ = rig.events();
    assert!(rig.items().is_empty());
    rig.refuse(1);
    let events = rig.events();
    assert_eq!(told(&events), ["transaction: Reverted", "call 0: Rejected"]);
    let Event::Transaction(event) = &events[0] else { panic!() };
    assert_eq!(event.cause, Cause::Reverted([call].into()));
    assert_eq!(rig.items(), [item(1, 10)]);
}

#[test]
fn refused_call_leaves_no_prediction() {
    let mut config = Config::default();
    config.limits.max_calls = 1;
    let mut rig = with_items(config, &[]);
    let _ = rig.call("unanswered");
    rig.expect(add(2, 20));
    assert_eq!(told(&rig.events()), ["call 1: NotSent"]);
    assert!(rig.items().is_empty());
}

#[test]
fn unknown_outcome_keeps_prediction_until_resync() {
    for landed in [false, true] {
        let mut rig = rig(&[]);
        rig.expect(add(2, 20));
        let _ = rig.events();
        let _ = rig.sent();
        rig.lose();
        assert_eq!(told(&rig.events()), ["call 0: Unknown", "Reconnecting"]);
        assert_eq!(rig.items(), [item(2, 20)]);

        rig.reconnect();
        let _ = rig.events();
        let sent = rig.sent();
        let [ClientMessage::Subscribe { request_id, query_set_id, .. }] = sent[..] else {
            panic!("{sent:?}")
        };
        let bytes = item(2, 20).bytes();
        let rows: &[&[u8]] = if landed { &[&bytes] } else { &[] };
        rig.server(applied(request_id, query_set_id, rows));
        let (events, items) = (told(&rig.events()), rig.items());
        if landed {
            assert_eq!(events, ["set 0 applied", "Ready"]);
            assert_eq!(items, [item(2, 20)]);
        } else {
            assert_eq!(events, ["transaction: Resync", "set 0 applied", "Ready"]);
            assert_eq!(items, []);
        }
    }
}

#[test]
fn unknown_prediction_without_sets_goes_on_reconnect() {
    let mut rig = Rig::with(Config::default()).greeted(Protocol::V3);
    rig.connection.register::<Item>().unwrap();
    rig.expect(add(2, 20));
    let _ = rig.events();
    rig.lose();
    let _ = rig.events();
    rig.reconnect();
    assert_eq!(told(&rig.events()), ["Connected", "transaction: Reverted", "Ready"]);
}

#[test]
fn waiting_call_stays_predicted() {
    let mut config = Config::default();
    config.while_disconnected = WhileDisconnected::Wait;
    let mut rig = with_items(config, &[item(1, 10)]);
    rig.lose();
    let _ = rig.events();
    rig.expect(|tx| {
        let value = tx.find(Item::ID, &1).map_or(0, |item| item.value);
        tx.upsert(item(1, value + 1));
    });
    assert_eq!(rig.items(), [item(1, 11)]);
    rig.reconnect();
    let _ = rig.events();
    let sent = rig.sent();
    let [ClientMessage::Subscribe { request_id, query_set_id, .. }] = sent[..] else {
        panic!("{sent:?}")
    };
    rig.server(applied(request_id, query_set_id, &[&item(1, 50).bytes()]));
    assert_eq!(told(&rig.events())[0], "transaction: Resync");
    assert_eq!(rig.items(), [item(1, 51)]);
    assert_eq!(rig.sent().len(), 1);
}

#[test]
fn timed_out_sent_call_stays_predicted() {
    let mut rig = rig(&[]);
    let deadline = rig.now + Duration::from_secs(1);
    let call = rig.connection.call(reducer("f"), Some(deadline));
    rig.connection.optimistic(rig.now, call, Box::new(add(2, 20))).unwrap();
    let _ = rig.events();
    rig.sleep();
    assert_eq!(told(&rig.events()), ["call 0: timed out, sent: true"]);
    assert_eq!(rig.items(), [item(2, 20)]);
    rig.refuse(1);
    assert_eq!(told(&rig.events()), ["transaction: Reverted"]);
    assert_eq!(rig.items(), []);
}

#[test]
fn timed_out_unsent_call_loses_prediction() {
    let mut config = Config::default();
    config.while_disconnected = WhileDisconnected::Wait;
    let mut rig = with_items(config, &[]);
    rig.lose();
    let _ = rig.events();
    let call = rig.connection.call(reducer("f"), Some(rig.now));
    rig.connection.optimistic(rig.now, call, Box::new(add(2, 20))).unwrap();
    let _ = rig.events();
    rig.connection.handle_timeout(rig.now);
    assert_eq!(told(&rig.events()), ["transaction: Reverted", "call 0: timed out, sent: false"]);
    assert_eq!(rig.items(), []);
}

#[test]
fn closing_leaves_server_rows_only() {
    let mut rig = rig(&[item(1, 10)]);
    rig.expect(add(2, 20));
    let _ = rig.events();
    rig.connection.close(rig.now);
    rig.lose();
    assert_eq!(
        told(&rig.events()),
        ["call 0: Unknown", "transaction: Reverted", "set 0 ended: Closed", "Closed"]
    );
    assert_eq!(rig.items(), [item(1, 10)]);
}

#[test]
fn inapplicable_message_keeps_predictions() {
    let mut rig = rig(&[]);
    rig.expect(add(2, 20));
    let _ = rig.events();
    let gone = update(QuerySetId(0), &[], &[&item(2, 99).bytes()]);
    rig.server(committed(RequestId(1), gone));
    let events = told(&rig.events());
    assert_eq!(events, ["call 0: Unknown", "Reconnecting"]);
    assert_eq!(rig.items(), [item(2, 20)]);
}

#[test]
fn thousands_of_calls_predict_once_each() {
    const CALLS: u32 = 5000;
    let items: Vec<_> = (0..CALLS).map(|id| item(id, id)).collect();
    let mut rig = rig(&items);
    let runs = Arc::new(AtomicUsize::new(0));
    for id in 0..CALLS {
        let runs = Arc::clone(&runs);
        rig.expect(move |tx| {
            runs.fetch_add(1, Ordering::Relaxed);
            let value = tx.find(Item::ID, &id).map_or(0, |item| item.value);
            tx.upsert(item(id, value + 1));
        });
        let _ = rig.connection.poll_event();
    }
    let _ = rig.sent();
    for id in 0..CALLS {
        let (came, left) = (item(id, id + 1).bytes(), item(id, id).bytes());
        // Every third one is refused.
        if id % 3 == 0 {
            rig.refuse(id + 1);
        } else {
            let update = update(QuerySetId(0), &[&came], &[&left]);
            rig.server(committed(RequestId(id + 1), update));
        }
        let told = rig.events().len();
        assert_eq!(told, if id % 3 == 0 { 2 } else { 1 });
    }
    assert_eq!(runs.load(Ordering::Relaxed), CALLS as usize);
    let value = |id| if id % 3 == 0 { id } else { id + 1 };
    assert!(rig.items().iter().all(|item| item.value == value(item.id)));
}

/// Calls in flight of which each reads the one row and adds one to its value; with how often they ran.
fn increments(rig: &mut Rig, calls: u32) -> Arc<AtomicUsize> {
    let runs = Arc::new(AtomicUsize::new(0));
    for _ in 0..calls {
        let runs = Arc::clone(&runs);
        rig.expect(move |tx| {
            runs.fetch_add(1, Ordering::Relaxed);
            let value = tx.find(Item::ID, &1).map_or(0, |item| item.value);
            tx.upsert(item(1, value + 1));
        });
        let _ = rig.connection.poll_event();
    }
    let _ = rig.sent();
    runs
}

#[test]
fn thousands_of_calls_on_one_row_run_once() {
    const CALLS: u32 = 4000;
    let mut rig = rig(&[item(1, 0)]);
    let runs = increments(&mut rig, CALLS);
    for call in 0..CALLS {
        let (came, left) = (item(1, call + 1).bytes(), item(1, call).bytes());
        rig.server(committed(RequestId(call + 1), update(QuerySetId(0), &[&came], &[&left])));
        assert_eq!(rig.events().len(), 1);
        assert_eq!(rig.items(), [item(1, CALLS)]);
    }
    assert_eq!(runs.load(Ordering::Relaxed), CALLS as usize);
}

#[test]
fn refusals_received_together_rerun_others_once() {
    const CALLS: u32 = 500;
    let mut rig = rig(&[item(1, 0)]);
    let runs = increments(&mut rig, CALLS);
    runs.store(0, Ordering::Relaxed);
    let refused = |call: u32| ServerMessage::ReducerResult {
        request_id: RequestId(call + 1),
        timestamp: Timestamp::from_micros(5),
        outcome: ReducerOutcome::Err(Bytes::from_static(b"no")),
    };
    for call in 0..CALLS - 10 {
        rig.server(refused(call));
    }
    let events = rig.events();
    let Event::Transaction(event) = &events[0] else { panic!("{events:?}") };
    let Cause::Reverted(reverted) = &event.cause else { panic!("{:?}", event.cause) };
    assert_eq!(reverted.len() as u32, CALLS - 10);
    assert_eq!(events.len() as u32, 1 + CALLS - 10);
    assert_eq!((runs.load(Ordering::Relaxed), rig.items()), (10, vec![item(1, 10)]));

    // What comes in between is told in between.
    rig.server(refused(CALLS - 10));
    let (came, left) = (item(1, 50).bytes(), item(1, 0).bytes());
    rig.server(committed(RequestId(CALLS - 8), update(QuerySetId(0), &[&came], &[&left])));
    rig.server(refused(CALLS - 8));
    let told = told(&rig.events());
    assert_eq!(told.len(), 6);
    assert_eq!(told[..3], ["transaction: Reverted", "call 490: Rejected", "transaction: Call"]);
    assert_eq!(told[4..], ["transaction: Reverted", "call 492: Rejected"]);
    assert_eq!(rig.items(), [item(1, 57)]);
}
