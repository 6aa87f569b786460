//! Calls of reducers: what they are answered with, who hears of them, and how they fail.

use std::sync::{Arc, Mutex};

use lightlike::prelude::*;
use lightlike::{CallErrorKind, reducer};
use lightlike_tests::conformance::{Log, next, on_a_real_server, on_both_servers};
use lightlike_tests::target::Target;
use serde_json::json;

use crate::module::*;

fn rejection<T>(outcome: Result<T, CallError<String>>) -> String {
    match outcome {
        Err(CallError::Rejected(why)) => why,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("committed"),
    }
}

/// Official scenario 22.
#[tokio::test]
async fn answered_call_has_its_row() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(OneU8::all()).await.unwrap();
        let before = db.read();
        db.call(InsertOneU8 { value: 7 }).await.unwrap();
        assert!(db.table::<OneU8>().iter().eq([OneU8 { value: 7 }]));
        assert!(before.table::<OneU8>().is_empty());
    })
    .await;
}

/// Official scenario 35.
#[tokio::test]
async fn a_call_that_changes_nothing_is_answered_too() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let log = Log::default();
        let transactions = log.clone();
        db.on_transaction(move |_, changes| transactions.push(format!("{changes:?}")));
        db.call(no_op()).await.unwrap();
        db.call(no_op_with_args("text".repeat(1000), vec![1; 1000])).await.unwrap();
        let _rows = db.subscribe(OneU8::all()).await.unwrap();
        db.call(no_op()).await.unwrap();
        assert!(log.take().is_empty());
    })
    .await;
}

/// Official scenario 23.
#[tokio::test]
async fn each_way_to_fail_is_told_apart() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let call = db.call(fail_with_string("because, ümläut".into())).await;
        assert_eq!(rejection(call), "because, ümläut");
        assert_eq!(rejection(db.call(fail_with_custom_error(9)).await), "9 is out of range");
        assert_eq!(rejection(db.call(fail_with_empty_string()).await), "");
        let call = db.call(only_for_the_database()).await;
        assert_eq!(rejection(call), "only the database may call this");
        let failed = db.call(fail_with_panic("on purpose".into())).await.unwrap_err();
        assert_eq!(failed.kind(), CallErrorKind::Failed, "{failed:?}");
        db.call(no_op()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_a_failed_call_did_is_undone() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(OneU8::all()).await.unwrap();
        let log = Log::default();
        let inserts = log.clone();
        db.table::<OneU8>().on_insert(move |_, row| inserts.push(row.value.to_string()));
        let call = db.call(fail_after_insert(1)).await;
        assert_eq!(rejection(call), "failed after the insert");
        let failed = db.call(panic_after_insert(2)).await.unwrap_err();
        assert_eq!(failed.kind(), CallErrorKind::Failed, "{failed:?}");
        db.call(InsertOneU8 { value: 3 }).await.unwrap();
        assert_eq!(log.take(), ["3"]);
        assert_eq!(db.query(OneU8::all()).await.unwrap(), [OneU8 { value: 3 }]);
    })
    .await;
}

#[tokio::test]
async fn missing_reducer_or_extra_arguments_fail() {
    #[reducer]
    fn no_such_reducer() -> Result<(), String>;

    /// It takes a `u8`. (Servers take no notice of more arguments than that.)
    #[reducer(name = "insert_one_u_8")]
    struct InsertNothing;

    on_both_servers(async |target| {
        let db = target.connect().await;
        let failed = db.call(no_such_reducer()).await.unwrap_err();
        assert_eq!(failed.kind(), CallErrorKind::Failed, "{failed:?}");
        let failed = db.call(InsertNothing).await.unwrap_err();
        assert_eq!(failed.kind(), CallErrorKind::Failed, "{failed:?}");
        db.call(no_op()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn http_calls_and_sql_are_not_mine() {
    on_a_real_server(async |target| {
        let Target::Real(database) = target else { panic!("this is a real server") };
        let db = target.connect().await;
        let _rows = db.subscribe(OneU8::all()).await.unwrap();
        let mut changes = db.table::<OneU8>().changes();
        database.call(database.owner(), "insert_one_u_8", json!([7])).await.unwrap();
        match next(&mut changes).await {
            Change::Inserted(Inserted { row, cause, .. }) => {
                assert_eq!((row.value, cause), (7, Cause::Other));
            }
            change => panic!("{change:?}"),
        }
        database.sql(database.owner(), "DELETE FROM one_u_8").await.unwrap();
        match next(&mut changes).await {
            Change::Deleted(Deleted { row, cause, .. }) => {
                assert_eq!((row.value, cause), (7, Cause::Other));
            }
            change => panic!("{change:?}"),
        }
        let refused = database.call(database.owner(), "fail_with_string", json!(["no"])).await;
        assert!(refused.unwrap_err().to_string().contains("no"));
    })
    .await;
}

/// Official scenario 37.
#[tokio::test]
async fn only_the_caller_hears_of_the_call() {
    on_both_servers(async |target| {
        let (alice, bob) = (target.connect().await, target.connect().await);
        assert_ne!(alice.identity(), bob.identity());
        let _alices = alice.subscribe(OneU8::all()).await.unwrap();
        let _bobs = bob.subscribe(OneU8::all()).await.unwrap();
        let (mut hers, mut his) =
            (alice.table::<OneU8>().inserts(), bob.table::<OneU8>().inserts());
        alice.call(InsertOneU8 { value: 42 }).await.unwrap();
        let Inserted { row, cause, .. } = next(&mut hers).await;
        assert_eq!(row.value, 42);
        assert!(matches!(cause, Cause::Call { reducer, .. } if &*reducer == "insert_one_u_8"));
        let Inserted { row, cause, .. } = next(&mut his).await;
        assert_eq!((row.value, cause), (42, Cause::Other));
    })
    .await;
}

#[tokio::test]
async fn forgotten_refused_call_reaches_the_hook() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let log = Log::default();
        let unhandled = log.clone();
        db.on_unhandled_rejection(move |_, call| {
            unhandled.push(format!("{} {:?}", call.function, call.kind));
        });
        db.call(fail_with_string("no".into())).forget();
        db.call(fail_with_panic("no".into())).forget();
        db.call(InsertOneU8 { value: 1 }).forget();
        db.call(no_op()).await.unwrap();
        assert_eq!(log.take(), ["fail_with_string Rejected", "fail_with_panic Failed"]);
        assert_eq!(db.pending_calls(), 0);
    })
    .await;
}

#[tokio::test]
async fn calls_are_answered_in_call_order() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(OneU8::all()).await.unwrap();
        let log = Log::default();
        let seen = log.clone();
        db.table::<OneU8>().on_insert(move |_, row| seen.push(row.value.to_string()));
        let calls: Vec<_> = (0..=255).map(|value| db.call(InsertOneU8 { value }).send()).collect();
        let failing = db.call(fail_after_insert(0)).send();
        for call in calls {
            call.await.unwrap();
        }
        assert_eq!(rejection(failing.await), "failed after the insert");
        assert_eq!(log.take(), (0..=255).map(|value: u8| value.to_string()).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn a_call_from_inside_a_callback_is_answered() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(OneU8::all()).await.unwrap();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let made = Arc::clone(&calls);
        db.table::<OneU8>().on_insert(move |event, row| {
            if row.value < 3 {
                let call = event.db().call(InsertOneU8 { value: row.value + 1 }).send();
                made.lock().unwrap().push(call);
            }
        });
        db.call(InsertOneU8 { value: 0 }).await.unwrap();
        for expected in [2, 3, 4] {
            let call = calls.lock().unwrap().pop().expect("the callback has called");
            call.await.unwrap();
            // Calls of later callbacks may have been answered too.
            assert!(db.table::<OneU8>().len() >= expected);
        }
    })
    .await;
}
