//! Causes of row changes.

use lightlike::prelude::*;
use lightlike_core::wire::QuerySetId;
use lightlike_tests::conformance::keys::*;
use lightlike_tests::conformance::{Log, next, on_both_servers};
use lightlike_tests::target::Target;

use crate::panics_of;

#[tokio::test]
async fn call_rows_name_call_and_arguments() {
    on_both_servers(async |target| {
        let (ada, grace) = (target.connect().await, target.connect().await);
        let _hers = ada.subscribe(PkU32::all()).await.unwrap();
        let _too = grace.subscribe(PkU32::all()).await.unwrap();
        let (mut mine, mut theirs) =
            (ada.table::<PkU32>().inserts(), grace.table::<PkU32>().inserts());
        ada.table::<PkU32>().on_insert(|event, row| {
            let InsertPkU32 { key, data } = event.call().expect("it is my call's row");
            assert_eq!((key, data), (row.key, row.data));
            assert!(event.call::<UpdatePkU32>().is_none(), "it is another reducer's");
        });
        let panics = panics_of(&ada);

        let call = ada.call(PkU32::insert(7, 70)).send();
        let id = call.id().unwrap();
        call.await.unwrap();
        let Inserted { cause, .. } = next(&mut mine).await;
        assert!(matches!(&cause, Cause::Call { call, .. } if *call == id), "{cause:?}");
        let InsertPkU32 { key, data } = cause.call().expect("it is my call's row");
        assert_eq!((key, data), (7, 70));

        let Inserted { cause, .. } = next(&mut theirs).await;
        assert_eq!(cause, Cause::Other);
        assert!(cause.call::<InsertPkU32>().is_none());
        assert!(panics.take().is_empty());
    })
    .await;
}

/// A row that is only expected has no server's word, but its call has arguments.
#[tokio::test]
async fn predicted_row_has_its_calls_arguments() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _set = db.subscribe(PkU32::all()).await.unwrap();
        let log = Log::default();
        let seen = log.clone();
        db.table::<PkU32>().on_insert(move |event, row| {
            let InsertPkU32 { key, data } = event.call().expect("it is my call's row");
            assert_eq!((key, data), (row.key, row.data));
            seen.push(format!("expected: {}", event.is_optimistic()));
        });
        let panics = panics_of(&db);
        let call = db.call(PkU32::insert(7, 70)).optimistic(|tx, args| {
            tx.insert(PkU32::of(args.key, args.data));
        });
        call.await.unwrap();
        assert_eq!(log.take(), ["expected: true"], "the server's row is the same");
        assert!(panics.take().is_empty());
    })
    .await;
}

#[tokio::test]
async fn subscribed_and_unsubscribed_rows_name_their_set() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        db.call(PkU32::insert(1, 0)).await.unwrap();
        let mut changes = db.table::<PkU32>().changes();
        let set = db.subscribe(PkU32::all()).await.unwrap();
        let id = set.id().unwrap();
        match next(&mut changes).await {
            Change::Inserted(Inserted { cause, .. }) => assert_eq!(cause, Cause::Applied(id)),
            change => panic!("{change:?}"),
        }
        set.unsubscribe().await.unwrap();
        match next(&mut changes).await {
            Change::Deleted(Deleted { cause, .. }) => assert_eq!(cause, Cause::Unsubscribed(id)),
            change => panic!("{change:?}"),
        }
    })
    .await;
}

/// Only the embedded server can be made to end a set.
#[tokio::test]
async fn rows_of_failed_set_name_the_failure() {
    on_both_servers(async |target| {
        let Target::Embedded(server) = target else { return };
        let db = target.connect().await;
        db.call(PkU32::insert(1, 0)).await.unwrap();
        let set = db.subscribe(PkU32::all()).await.unwrap();
        let mut deletes = db.table::<PkU32>().deletes();
        assert!(server.fail_query_set(db.connection_id().unwrap(), QuerySetId(0), "no more"));
        let Deleted { row, cause, .. } = next(&mut deletes).await;
        assert_eq!((row.key, cause), (1, Cause::Failed(set.id().unwrap())));
        assert!(set.ended().await.unwrap_err().to_string().contains("no more"));
    })
    .await;
}
