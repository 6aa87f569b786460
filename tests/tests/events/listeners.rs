//! Receivers of calls: listeners, the hook for what was not awaited, and outcomes with their times.

use std::time::Duration;

use lightlike::events::FunctionKind;
use lightlike::prelude::*;
use lightlike_tests::conformance::columns::{InsertOneU8, OneU8};
use lightlike_tests::conformance::failures::*;
use lightlike_tests::conformance::procedures::*;
use lightlike_tests::conformance::{Log, on_both_servers};

use crate::panics_of;

#[tokio::test]
async fn listener_runs_after_rows_and_before_answer() {
    on_both_servers(async |target| {
        let (ada, grace) = (target.connect().await, target.connect().await);
        let _set = ada.subscribe(OneU8::all()).await.unwrap();
        let log = Log::default();
        let (rows, mine, all) = (log.clone(), log.clone(), log.clone());
        ada.table::<OneU8>().on_insert(move |_, row| rows.push(format!("row {}", row.value)));
        ada.on_call::<InsertOneU8>(move |event, InsertOneU8 { value }, outcome| {
            let rows = event.db().table::<OneU8>().len();
            mine.push(format!("{rows} there, called with {value}: {outcome:?}"));
        });
        ada.on_calls(move |event| all.push(event.called().function()));
        grace.call(no_op()).await.unwrap();
        let call = ada.call(InsertOneU8 { value: 7 }).send();
        let id = call.id();
        let ids = log.clone();
        ada.on_calls(move |event| {
            event.unregister();
            ids.push(format!("the same: {}", Some(event.called().id()) == id));
        });
        call.await.unwrap();
        let lines = ["row 7", "1 there, called with 7: Ok(())", "insert_one_u_8", "the same: true"];
        assert_eq!(log.take(), lines);
        ada.call(no_op()).await.unwrap();
        assert_eq!(log.take(), ["no_op"]);
    })
    .await;
}

#[tokio::test]
async fn listener_gets_every_typed_outcome() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let log = Log::default();
        let (rejected, failed, all) = (log.clone(), log.clone(), log.clone());
        db.on_call::<FailWithString>(move |_, args, outcome| match outcome {
            Err(CallError::Rejected(why)) => {
                rejected.push(format!("{} was refused: {why}", args.message));
            }
            outcome => panic!("{outcome:?}"),
        });
        db.on_call::<FailWithPanic>(move |_, args, outcome| {
            failed.push(format!("{} {:?}", args.message, outcome.as_ref().unwrap_err().kind()));
        });
        db.on_calls(move |event| {
            let called = event.called();
            let kind = called.result().map_err(|error| error.kind());
            all.push(format!("{} {:?} {kind:?}", called.function(), called.kind()));
        });
        let panics = panics_of(&db);
        let _ = db.call(fail_with_string("no".into())).await;
        assert_eq!(log.take(), ["no was refused: no", "fail_with_string Reducer Err(Rejected)"]);
        let _ = db.call(fail_with_panic("oh".into())).await;
        assert_eq!(log.take(), ["oh Failed", "fail_with_panic Reducer Err(Failed)"]);
        assert!(panics.take().is_empty());
        db.disconnect().await;
        let _ = db.call(fail_with_string("late".into())).await;
        assert!(log.take().is_empty(), "nobody is driven any more");
    })
    .await;
}

#[tokio::test]
async fn procedures_are_listened_to_as_well() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let log = Log::default();
        let (typed, all) = (log.clone(), log.clone());
        db.on_procedure::<ReturnPrimitive>(move |_, args, outcome| {
            typed.push(format!("{} + {} = {}", args.lhs, args.rhs, outcome.as_ref().unwrap()));
        });
        db.on_calls(move |event| {
            let called = event.called();
            assert_eq!(called.kind(), FunctionKind::Procedure);
            let sum = called.procedure_outcome::<ReturnPrimitive>().unwrap().unwrap();
            assert_eq!(called.procedure_args::<ReturnPrimitive>().unwrap().lhs, 1);
            assert!(called.args::<NoOp>().is_none() && called.outcome::<NoOp>().is_none());
            all.push(format!("{} {sum}", called.function()));
        });
        let panics = panics_of(&db);
        assert_eq!(db.call_procedure(return_primitive(1, 2)).await.unwrap(), 3);
        assert!(panics.take().is_empty());
        assert_eq!(log.take(), ["1 + 2 = 3", "return_primitive 3"]);
    })
    .await;
}

#[tokio::test]
async fn unawaited_failure_reaches_the_hook() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let (unhandled, mut told) = tokio::sync::mpsc::unbounded_channel();
        db.on_unhandled_rejection(move |_, failure| {
            let args = failure.call.args::<FailWithString>().map(|args| args.message);
            let rejected = match failure.call.outcome::<FailWithString>() {
                Some(Err(CallError::Rejected(why))) => why,
                _ => "otherwise".into(),
            };
            let line = format!("{} {:?} {args:?} {rejected}", failure.function, failure.kind);
            unhandled.send(line).unwrap();
        });
        db.call(fail_with_string("forgotten".into())).forget();
        drop(db.call(fail_with_string("dropped".into())).send());
        db.call_procedure(will_panic()).forget();
        drop(db.call(no_op()).send());
        let _ = db.call(fail_with_string("awaited".into())).await;
        // A procedure may be answered after the calls behind it.
        let mut lines = Vec::new();
        for _ in 0..3 {
            lines.push(told.recv().await.unwrap());
        }
        lines.sort();
        assert_eq!(
            lines,
            [
                "fail_with_string Rejected Some(\"dropped\") dropped",
                "fail_with_string Rejected Some(\"forgotten\") forgotten",
                "will_panic Failed None otherwise",
            ]
        );
        assert!(told.try_recv().is_err(), "what was awaited or has succeeded is not told");
    })
    .await;
}

#[tokio::test]
async fn outcome_has_times_and_latency_split() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _set = db.subscribe(OneU8::all()).await.unwrap();
        let outcome = db.call(InsertOneU8 { value: 1 }).outcome().await;
        outcome.result.unwrap();
        assert!(outcome.timestamp.is_some());
        let latency = outcome.latency;
        let parts = [latency.queued, latency.round_trip, latency.applying].map(Option::unwrap);
        assert_eq!(latency.total(), Some(parts.iter().sum()));
        assert!(latency.round_trip > Some(Duration::ZERO));
        assert_eq!(
            (latency.server, latency.network()),
            (None, None),
            "servers say it of procedures"
        );

        let outcome = db.call_procedure(sleep(20)).outcome().await;
        outcome.result.unwrap();
        let server = outcome.latency.server.unwrap();
        assert!(server >= Duration::from_millis(20), "{server:?}");
        assert!(outcome.latency.round_trip.unwrap() >= Duration::from_millis(20));
        assert!(outcome.latency.network().unwrap() < outcome.latency.round_trip.unwrap());
    })
    .await;
}

#[tokio::test]
async fn unanswered_call_times_out_once() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let log = Log::default();
        let all = log.clone();
        db.on_calls(move |event| {
            let kind = event.called().result().map_err(|error| error.kind());
            all.push(format!("{} {kind:?}", event.called().function()));
        });
        let call = db.call_procedure(sleep(200)).timeout(Duration::from_millis(20));
        let outcome = call.outcome().await;
        assert!(matches!(outcome.result, Err(CallError::TimedOut { sent: true })));
        assert_eq!(outcome.latency.total(), None);
        assert_eq!(log.take(), ["sleep Err(TimedOut)"]);
        db.call_procedure(sleep(250)).await.unwrap();
        assert_eq!(log.take(), ["sleep Ok(())"], "the late answer is nobody's");
    })
    .await;
}
