//! Calls and queries: each is answered, once.

use std::time::Duration;

use bytes::Bytes;
use lightlike_core::conn::{Action, CallRequest, Cause, Event, NotSent, Reply};
use lightlike_core::limits::Limits;
use lightlike_core::types::{TimeDuration, Timestamp};
use lightlike_core::wire::{
    ClientMessage, ProcedureStatus, Protocol, QueryRows, QuerySetId, ReducerOutcome, RequestId,
    ServerMessage, Text, TransactionUpdate, decode_client,
};

use crate::rig::{Rig, committed, greeting, reducer, told, update};

fn result(request_id: u32, outcome: ReducerOutcome) -> ServerMessage {
    ServerMessage::ReducerResult {
        request_id: RequestId(request_id),
        timestamp: Timestamp::from_micros(5),
        outcome,
    }
}

#[test]
fn call_is_answered_after_its_rows() {
    let mut rig = Rig::online();
    rig.applied(&[b"a"]);
    let call = rig.call("f");
    let sent = rig.sent();
    assert!(matches!(&sent[..], [ClientMessage::CallReducer { reducer, args, .. }]
            if reducer.as_str() == "f" && args == "args"));
    rig.server(committed(sent[0].request_id(), update(QuerySetId(0), &[b"b"], &[])));
    let events = rig.events();
    assert_eq!(told(&events), ["transaction: Call", "call 0: Committed"]);
    let Event::Transaction(event) = &events[0] else { panic!() };
    let timestamp = Timestamp::from_micros(5);
    let (reducer, args) = (Text::from("f"), Bytes::from_static(b"args"));
    assert_eq!(event.cause, Cause::Call { call, reducer, timestamp, args });
    assert_eq!(rig.rows(), [b"a", b"b"]);
}

#[test]
fn every_outcome_of_a_reducer_has_its_answer() {
    let mut rig = Rig::online();
    for _ in 0..4 {
        let _ = rig.call("f");
    }
    rig.server(result(0, ReducerOutcome::OkEmpty));
    rig.server(result(1, ReducerOutcome::Err(Bytes::from_static(b"why"))));
    rig.server(result(2, ReducerOutcome::InternalError(Text::from("it panicked"))));
    rig.server(committed(RequestId(3), TransactionUpdate::default()));
    assert_eq!(
        told(&rig.events()),
        [
            "call 0: Committed",
            "call 1: Rejected",
            "call 2: failed, it panicked",
            "call 3: Committed"
        ]
    );
}

#[test]
fn procedures_and_queries_are_answered_in_any_order() {
    let mut rig = Rig::online();
    let (name, args) = (Text::from("p"), Bytes::new());
    let _ = rig.connection.call(CallRequest::Procedure { name, args }, None);
    let _ = rig.connection.call(CallRequest::Query { sql: Text::from("SELECT * FROM t") }, None);
    let _ = rig.connection.call(CallRequest::Query { sql: Text::from("nonsense") }, None);
    assert_eq!(rig.sent().len(), 3);
    let result = Err(Text::from("no"));
    rig.server(ServerMessage::OneOffQueryResult { request_id: RequestId(2), result });
    let result = Ok(QueryRows::default());
    rig.server(ServerMessage::OneOffQueryResult { request_id: RequestId(1), result });
    rig.server(ServerMessage::ProcedureResult {
        status: ProcedureStatus::Returned(Bytes::from_static(b"7")),
        timestamp: Timestamp::from_micros(1),
        duration: TimeDuration::from_micros(2),
        request_id: RequestId(0),
    });
    assert_eq!(told(&rig.events()), ["call 2: QueryRefused", "call 1: Rows", "call 0: Returned"]);
}

#[test]
fn answer_of_wrong_kind_leaves_no_call_open() {
    let mut rig = Rig::online();
    let _ = rig.call("f");
    let result = Ok(QueryRows::default());
    rig.server(ServerMessage::OneOffQueryResult { request_id: RequestId(0), result });
    assert_eq!(told(&rig.events()), ["call 0: Unknown", "Closed"]);
}

#[test]
fn answer_with_unknown_set_leaves_no_call_open() {
    let mut rig = Rig::online();
    let _ = rig.call("f");
    rig.server(committed(RequestId(0), update(QuerySetId(9), &[b"a"], &[])));
    assert_eq!(told(&rig.events()), ["call 0: Unknown", "Closed"]);
}

#[test]
fn calls_wait_for_greeting_in_order() {
    let mut rig = Rig::new();
    let _ = rig.call("a");
    rig.connection.start(rig.now);
    let _ = rig.actions();
    let _ = rig.call("b");
    rig.connection.handle_opened(Protocol::V2);
    rig.server(greeting());
    let _ = rig.events();
    let _ = rig.call("c");
    assert_eq!(rig.actions().len(), 3, "a frame each, as it is v2");
}

#[test]
fn calls_that_were_never_sent_say_so() {
    let mut rig = Rig::new();
    let _ = rig.call("a");
    rig.connection.start(rig.now);
    rig.lose();
    let _ = rig.call("b");
    let events = rig.events();
    assert_eq!(told(&events), ["Connecting", "call 0: NotSent", "Closed", "call 1: NotSent"]);
    assert!(events.iter().all(|event| match event {
        Event::Answered { reply: Reply::NotSent(why), .. } => matches!(why, NotSent::Lost(_)),
        _ => true,
    }));
}

#[test]
fn calls_in_flight_stay_below_limit() {
    let mut rig = Rig::limited(|limits| limits.max_calls_in_flight = 2).greeted(Protocol::V3);
    for _ in 0..5 {
        let _ = rig.call("f");
    }
    assert_eq!(rig.sent().len(), 2);
    rig.server(committed(RequestId(0), TransactionUpdate::default()));
    assert_eq!(told(&rig.events()), ["call 0: Committed"]);
    assert_eq!(rig.sent().len(), 1);
    assert_eq!(rig.connection.pending_calls(), 4);
}

#[test]
fn more_calls_than_the_limit_are_refused() {
    let mut rig = Rig::limited(|limits| limits.max_calls = 2).greeted(Protocol::V3);
    for _ in 0..3 {
        let _ = rig.call("f");
    }
    let events = rig.events();
    assert!(
        matches!(
            events[..],
            [Event::Answered {
                reply: Reply::NotSent(NotSent::TooMany { waiting: 2, limit: 2 }),
                ..
            }]
        ),
        "{events:?}"
    );
}

#[test]
fn arguments_that_are_too_large_are_refused() {
    // The message is the name and the arguments, five bytes together, and fourteen around them.
    let mut rig = Rig::limited(|limits| limits.max_outgoing_bytes = 19).greeted(Protocol::V3);
    let _ = rig.call("f");
    assert_eq!(rig.sent().iter().map(ClientMessage::encoded_len).collect::<Vec<_>>(), [19]);
    let mut rig = Rig::limited(|limits| limits.max_outgoing_bytes = 18).greeted(Protocol::V3);
    let _ = rig.call("f");
    assert!(rig.sent().is_empty());
    let events = rig.events();
    assert!(
        matches!(
            events[..],
            [Event::Answered {
                reply: Reply::NotSent(NotSent::TooLarge { bytes: 19, limit: 18 }),
                ..
            }]
        ),
        "{events:?}"
    );
}

#[test]
fn timed_out_call_still_brings_its_rows() {
    let mut rig = Rig::online();
    rig.applied(&[b"a"]);
    let deadline = rig.now + Duration::from_secs(1);
    let _ = rig.connection.call(reducer("f"), Some(deadline));
    assert_eq!(rig.sleep(), Duration::from_secs(1));
    assert_eq!(told(&rig.events()), ["call 0: timed out, sent: true"]);
    rig.server(committed(RequestId(1), update(QuerySetId(0), &[b"b"], &[])));
    assert_eq!(told(&rig.events()), ["transaction: Call"]);
    assert_eq!(rig.rows(), [b"a", b"b"]);
}

#[test]
fn unsent_timed_out_call_never_leaves() {
    let mut rig = Rig::new();
    let deadline = rig.now + Duration::from_secs(1);
    let _ = rig.connection.call(reducer("f"), Some(deadline));
    assert_eq!(rig.sleep(), Duration::from_secs(1));
    assert_eq!(told(&rig.events()), ["call 0: timed out, sent: false"]);
    let mut rig = rig.greeted(Protocol::V3);
    assert!(rig.sent().is_empty());
}

#[test]
fn an_answered_call_does_not_time_out() {
    let mut rig = Rig::online();
    let deadline = rig.now + Duration::from_secs(1);
    let _ = rig.connection.call(reducer("f"), Some(deadline));
    rig.server(committed(RequestId(0), TransactionUpdate::default()));
    assert_eq!(told(&rig.events()), ["call 0: Committed"]);
    rig.connection.handle_timeout(deadline);
    assert!(rig.events().is_empty());
}

#[test]
fn timed_out_call_is_answered_only_once() {
    let mut rig = Rig::online();
    let deadline = rig.now + Duration::from_secs(1);
    let _ = rig.connection.call(reducer("f"), Some(deadline));
    rig.sleep();
    let _ = rig.events();
    rig.lose();
    assert_eq!(told(&rig.events()), ["Closed"]);
}

#[test]
fn call_with_inapplicable_rows_is_answered_with_others() {
    let mut rig = Rig::online();
    rig.applied(&[b"a"]);
    let (_first, _second) = (rig.call("f"), rig.call("f"));
    let sent = rig.sent();
    rig.server(committed(sent[0].request_id(), update(QuerySetId(0), &[], &[b"unknown"])));
    assert_eq!(
        told(&rig.events()),
        ["call 0: Unknown", "call 1: Unknown", "set 0 ended: Closed", "Closed"]
    );
}

#[test]
fn call_applying_during_loss_is_committed() {
    let mut rig = Rig::online();
    rig.applied(&[b"a"]);
    let _call = rig.call("f");
    let sent = rig.sent();
    let many: Vec<Vec<u8>> = (0..100_u8).map(|row| vec![b'r', row]).collect();
    let many: Vec<&[u8]> = many.iter().map(|row| &**row).collect();
    rig.server(committed(sent[0].request_id(), update(QuerySetId(0), &many, &[])));
    let _ = rig.connection.step(rig.now, 1);
    let _ = rig.connection.step(rig.now, 1);
    // Nothing was heard since, and the ping is not answered either.
    let _ = (rig.sleep(), rig.sleep());
    assert_eq!(
        told(&rig.events()),
        ["transaction: Call", "call 0: Committed", "set 0 ended: Closed", "Closed"]
    );
    assert_eq!(rig.rows().len(), 101);
}

#[test]
fn call_times_split_by_phase() {
    let mut rig = Rig::new();
    let start = rig.now;
    let after = |millis| start + Duration::from_millis(millis);
    rig.connection.set_clock(start);
    let _ = rig.call("f");
    rig.now = after(1);
    let mut rig = rig.greeted(Protocol::V3);
    rig.now = after(3);
    rig.server(committed(RequestId(0), TransactionUpdate::default()));
    rig.now = after(7);
    let events = rig.events();
    let [Event::Answered { times, .. }] = events[..] else { panic!("{events:?}") };
    let told = [times.queued(), times.round_trip(), times.applying()];
    assert_eq!(told, [1, 2, 4].map(|millis| Some(Duration::from_millis(millis))));
}

#[test]
fn hundred_calls_share_one_v3_frame() {
    let mut rig = Rig::online();
    for _ in 0..100 {
        let _ = rig.call("f");
    }
    let actions = rig.actions();
    let [Action::Send(frame)] = &actions[..] else { panic!("{} actions", actions.len()) };
    let decoded = decode_client(frame, Protocol::V3, &Limits::DEFAULT);
    assert_eq!(decoded.filter(Result::is_ok).count(), 100);
}
