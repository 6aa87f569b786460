//! Events: delivered once, in order, and never there.

use lightlike::prelude::*;
use lightlike_tests::conformance::{Log, next, on_both_servers};

use crate::module::*;

/// Subscribes to the events and logs them, with how many the table has meanwhile.
async fn watch(db: &Client) -> (Subscription, Log) {
    let set = db.subscribe((TestEvent::all(), OneU64::all())).await.unwrap();
    let log = Log::default();
    let seen = log.clone();
    db.table::<TestEvent>().on_insert(move |event, row| {
        let there = event.view().table::<TestEvent>().iter().count();
        seen.push(format!("{} {} mine: {} there: {there}", row.name, row.value, event.is_mine()));
    });
    (set, log)
}

/// Official event scenarios 1 and 3.
#[tokio::test]
async fn event_arrives_once_and_is_not_stored() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let (_set, log) = watch(&db).await;
        db.call(emit_test_event("hello".into(), 42)).await.unwrap();
        assert_eq!(log.take(), ["hello 42 mine: true there: 0"]);
        db.call(no_op()).await.unwrap();
        assert!(log.take().is_empty());
        assert_eq!(db.table::<TestEvent>().len(), 0);
        assert!(db.query(TestEvent::all()).await.unwrap().is_empty());
    })
    .await;
}

/// Official event scenario 2.
#[tokio::test]
async fn events_of_one_transaction_come_in_their_order() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let (_set, log) = watch(&db).await;
        db.call(emit_multiple_test_events()).await.unwrap();
        let lines = ["a 1", "b 2", "c 3"].map(|event| format!("{event} mine: true there: 0"));
        assert_eq!(log.take(), lines);
    })
    .await;
}

#[tokio::test]
async fn the_next_same_event_is_another_event() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let (_set, log) = watch(&db).await;
        for _ in 0..2 {
            db.call(emit_test_event("again".into(), 1)).await.unwrap();
        }
        assert_eq!(log.take().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_failed_transaction_has_no_events() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let (_set, log) = watch(&db).await;
        let failed = db.call(emit_event_and_fail("never".into())).await;
        assert!(matches!(failed, Err(CallError::Rejected(_))), "{failed:?}");
        db.call(emit_test_event("after".into(), 1)).await.unwrap();
        assert_eq!(log.take(), ["after 1 mine: true there: 0"]);
    })
    .await;
}

#[tokio::test]
async fn an_event_beside_a_row_is_one_transaction() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let (_set, log) = watch(&db).await;
        let whole = log.clone();
        db.on_transaction(move |event, changes| {
            let rows = event.view().table::<OneU64>().len();
            let events = changes.of::<TestEvent>().count();
            whole.push(format!("{rows} rows, {events} events"));
        });
        db.call(emit_event_with_row("both".into(), 7)).await.unwrap();
        assert_eq!(log.take(), ["both 7 mine: true there: 0", "1 rows, 1 events"]);
        assert!(db.table::<OneU64>().iter().eq([OneU64 { value: 7 }]));
    })
    .await;
}

#[tokio::test]
async fn event_reaches_all_and_is_mine_once() {
    on_both_servers(async |target| {
        let (ada, grace) = (target.connect().await, target.connect().await);
        let _events = grace.subscribe(TickEvent::all()).await.unwrap();
        let mut ticks = grace.table::<TickEvent>().inserts();
        ada.call(emit_events(1000)).await.unwrap();
        for number in 0..1000 {
            let Inserted { row, cause, .. } = next(&mut ticks).await;
            assert_eq!((row.number, cause), (number, Cause::Other));
        }
    })
    .await;
}

#[tokio::test]
async fn unread_stream_counts_missed_events() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _events = db.subscribe(TickEvent::all()).await.unwrap();
        let mut ticks = db.table::<TickEvent>().inserts();
        db.call(emit_events(5_000)).await.unwrap();
        let Some(Err(Lagged(missed))) = ticks.next().await else { panic!("it holds them all") };
        assert!(missed > 0);
        for number in missed..5_000 {
            assert_eq!(u64::from(next(&mut ticks).await.row.number), number);
        }
    })
    .await;
}

#[tokio::test]
async fn events_before_subscription_are_not_delivered() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        db.call(emit_test_event("before".into(), 1)).await.unwrap();
        let (set, log) = watch(&db).await;
        assert!(log.take().is_empty());
        set.unsubscribe().await.unwrap();
        db.call(emit_test_event("after".into(), 1)).await.unwrap();
        assert!(log.take().is_empty());
    })
    .await;
}

/// As in the official client: an event is one, whatever number of query sets and queries returns it.
#[tokio::test]
async fn event_of_overlapping_queries_is_heard_once() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let (_set, log) = watch(&db).await;
        let overlapping = (TestEvent::all(), TestEvent::filter(TestEvent::VALUE.ge(2)));
        let overlapping = db.subscribe(overlapping).await.unwrap();
        db.call(emit_multiple_test_events()).await.unwrap();
        let lines = ["a 1", "b 2", "c 3"].map(|event| format!("{event} mine: true there: 0"));
        assert_eq!(log.take(), lines);
        overlapping.unsubscribe().await.unwrap();
        db.call(emit_test_event("after".into(), 1)).await.unwrap();
        assert_eq!(log.take(), ["after 1 mine: true there: 0"]);
    })
    .await;
}

/// A table is a set, even of events.
#[tokio::test]
async fn equal_events_of_one_transaction_are_one() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let (_set, log) = watch(&db).await;
        db.call(emit_same_event("same".into(), 3)).await.unwrap();
        assert_eq!(log.take(), ["same 0 mine: true there: 0"]);
    })
    .await;
}
