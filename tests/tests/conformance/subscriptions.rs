//! The hold on a query set: awaited, kept, failed and asked for again; a table's first rows; all tables at once.

use lightlike::ErrorKind;
use lightlike::prelude::*;
use lightlike_tests::conformance::on_both_servers;

use crate::module::*;

#[tokio::test]
async fn failed_set_can_be_resubscribed_under_same_handle() {
    /// The key is a `u32`.
    #[derive(Bsatn, Table, Clone, Debug)]
    #[table(name = "pk_u_32")]
    struct Mistaken {
        #[primary_key]
        key: String,
        data: i32,
    }

    on_both_servers(async |target| {
        let (db, writer) = (target.connect().await, target.connect().await);
        let mut set = db.subscribe((Mistaken::all(), OneU8::all()));
        // There are no rows to be mistaken about.
        (&set).await.unwrap();
        assert!(set.is_applied() && !set.is_ended());
        db.call(OneU8::of(1).insert()).await.unwrap();
        assert_eq!(db.table::<OneU8>().len(), 1);
        writer.call(PkU32::insert(1, 1)).await.unwrap();
        let failed = set.ended().await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Schema, "{failed:?}");
        assert!(set.is_ended() && !set.is_applied());
        assert!(db.table::<OneU8>().is_empty(), "all rows of the set are gone");
        // Still wrong.
        set.resubscribe();
        let failed = set.applied().await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Schema, "{failed:?}");
        // Not wrong any more.
        writer.call(PkU32::delete(1)).await.unwrap();
        set.resubscribe();
        assert!(!set.is_ended());
        set.applied().await.unwrap();
        assert_eq!(db.table::<OneU8>().len(), 1);
        // One that is not over stays as it is.
        set.resubscribe();
        assert!(set.is_applied());
        db.call(OneU8::of(2).insert()).await.unwrap();
        assert_eq!(db.table::<OneU8>().len(), 2);
        set.unsubscribe().await.unwrap();
        assert!(db.table::<OneU8>().is_empty());
    })
    .await;
}

#[tokio::test]
async fn refused_set_can_be_subscribed_again() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let mut set = db.subscribe("SELECT * FROM no_such_table");
        for _ in 0..2 {
            let refused = set.applied().await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Subscription, "{refused:?}");
            assert_eq!(set.ended().await.unwrap_err().to_string(), refused.to_string());
            set.resubscribe();
            assert!(!set.is_ended(), "the server is asked once more");
        }
    })
    .await;
}

#[tokio::test]
async fn set_can_be_kept_and_awaited() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        db.call(OneU8::of(1).insert()).await.unwrap();
        db.subscribe(OneU8::all()).await.unwrap().keep();
        db.subscribe(OneU16::all()).keep();
        let by_reference = db.subscribe(OneU32::all());
        (&by_reference).await.unwrap();
        by_reference.applied().await.unwrap();
        let by_value = by_reference.await.unwrap();
        drop(by_value);
        db.call(OneU16::of(1).insert()).await.unwrap();
        db.call(OneU32::of(1).insert()).await.unwrap();
        let lens =
            (db.table::<OneU8>().len(), db.table::<OneU16>().len(), db.table::<OneU32>().len());
        assert_eq!(lens, (1, 1, 0));
        let closing = db.subscribe(OneU64::all()).await.unwrap();
        db.disconnect().await;
        assert_eq!(closing.ended().await.unwrap_err().kind(), ErrorKind::Disconnected);
        let late = db.subscribe(OneU64::all()).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Disconnected);
    })
    .await;
}

#[tokio::test]
async fn row_stays_until_last_overlapping_set_ends() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        db.call(PkU32::insert(50, 0)).await.unwrap();
        let mut sets = Vec::new();
        for least in 0..50 {
            sets.push(db.subscribe(PkU32::filter(PkU32::KEY.gt(least))));
        }
        for set in &sets {
            set.await.unwrap();
        }
        let mut changes = db.table::<PkU32>().changes();
        db.call(PkU32::update(50, 1)).await.unwrap();
        while let Some(set) = sets.pop() {
            assert_eq!(db.table::<PkU32>().get(&50), Some(PkU32::of(50, 1)));
            set.unsubscribe().await.unwrap();
        }
        assert!(db.table::<PkU32>().is_empty());
        db.call(no_op()).await.unwrap();
        let mut seen = Vec::new();
        db.disconnect().await;
        while let Some(change) = changes.next().await {
            seen.push(match change.unwrap() {
                Change::Inserted(_) => "insert",
                Change::Updated(_) => "update",
                Change::Deleted(_) => "delete",
            });
        }
        assert_eq!(seen, ["update", "delete"]);
    })
    .await;
}

#[tokio::test]
async fn first_batch_arrives_even_when_empty() {
    on_both_servers(async |target| {
        let db = target.builder().build().unwrap();
        let (filled, empty) = (db.table::<OneU8>(), db.table::<OneU16>());
        let waiting = tokio::spawn({
            let (filled, empty) = (filled.clone(), empty.clone());
            async move {
                filled.first_batch().await.unwrap();
                empty.first_batch().await.unwrap();
                filled.len()
            }
        });
        let writer = target.connect().await;
        writer.call(OneU8::of(1).insert()).await.unwrap();
        let _set = db.subscribe((OneU8::all(), OneU16::filter(OneU16::VALUE.gt(7))));
        db.start().unwrap();
        assert_eq!(waiting.await.unwrap(), 1);
        filled.first_batch().await.unwrap();
        // By text.
        db.call(put_s(1, true)).await.unwrap();
        let _set = db.subscribe("SELECT x.* FROM s JOIN r AS x ON x.s_id = s.id");
        db.table::<RRow>().first_batch().await.unwrap();
        let mut others = Box::pin(async { db.table::<SRow>().first_batch().await });
        tokio::select! {
            biased;
            _ = &mut others => panic!("nobody asked for these"),
            done = db.call(no_op()) => done.unwrap(),
        }
        let _everything = db.subscribe("SELECT * FROM *");
        others.await.unwrap();
        db.table::<PkU8>().first_batch().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn first_batch_of_refused_set_ends() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let table = db.table::<OneU8>();
        let refused = db.subscribe((OneU8::all(), "SELECT * FROM no_such_table"));
        refused.applied().await.unwrap_err();
        let waiting = tokio::spawn({
            let table = table.clone();
            async move { table.first_batch().await }
        });
        db.disconnect().await;
        assert_eq!(waiting.await.unwrap().unwrap_err().kind(), ErrorKind::Disconnected);
        assert_eq!(table.first_batch().await.unwrap_err().kind(), ErrorKind::Disconnected);
    })
    .await;
}

/// Official scenario 36.
#[tokio::test]
async fn named_tables_are_subscribed_at_once() {
    on_both_servers(async |target| {
        let builder = target.builder().tables::<(OneU8, PkU32)>().tables::<(PlayersAtLevel,)>();
        let db = builder.connect().await.unwrap();
        db.call(OneU8::of(1).insert()).await.unwrap();
        let all = db.subscribe_to_all_tables().await.unwrap();
        assert_eq!(all.queries().count(), 2, "a view with arguments has no rows without");
        db.call(PkU32::insert(1, 2)).await.unwrap();
        db.call(OneU16::of(1).insert()).await.unwrap();
        assert_eq!((db.table::<OneU8>().len(), db.table::<PkU32>().len()), (1, 1));
        assert!(db.table::<OneU16>().is_empty());
    })
    .await;
}

#[tokio::test]
async fn naming_tables_can_go_wrong_in_words() {
    #[derive(Bsatn, Table, Clone, Debug)]
    #[table(name = "one_u_8")]
    struct Other {
        value: u16,
    }

    on_both_servers(async |target| {
        let none = target.connect().await.subscribe_to_all_tables().await.unwrap_err();
        assert_eq!(none.kind(), ErrorKind::Configuration, "{none:?}");
        assert!(none.to_string().contains("ClientBuilder::tables"), "{none}");
        let twice = target.builder().tables::<(OneU8, Other)>().build().unwrap_err();
        assert_eq!(twice.kind(), ErrorKind::Schema, "{twice:?}");
        assert!(twice.to_string().contains("one_u_8"), "{twice}");
        let db = target.connect().await;
        assert!(db.table::<OneU8>().error().is_none());
        assert!(db.table::<Other>().error().is_some());
        let refused = db.subscribe(Other::all()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Schema, "{refused:?}");
        let refused = db.table::<Other>().first_batch().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Schema, "{refused:?}");
    })
    .await;
}
