//! Query sets: applied, refused, ended, cancelled; and rows that several queries share.

use std::sync::{Arc, Mutex};

use lightlike::ErrorKind;
use lightlike::prelude::*;
use lightlike_tests::conformance::{Log, next, on_both_servers};

use crate::module::*;

/// Log of the callbacks of `pk_u_32` from now on.
fn watch(db: &Client) -> Log {
    let log = Log::default();
    let (inserts, updates, deletes) = (log.clone(), log.clone(), log.clone());
    let table = db.table::<PkU32>();
    table.on_insert(move |_, row| inserts.push(format!("insert {} {}", row.key, row.data)));
    table.on_update(move |_, old, new| {
        updates.push(format!("update {} {} {}", new.key, old.data, new.data));
    });
    table.on_delete(move |_, row| deletes.push(format!("delete {} {}", row.key, row.data)));
    log
}

/// Official scenario 2.
#[tokio::test]
async fn cancelled_set_never_applies() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        db.call(InsertOneU8 { value: 1 }).await.unwrap();
        let log = Log::default();
        let inserts = log.clone();
        db.table::<OneU8>().on_insert(move |_, _| inserts.push("insert"));
        db.subscribe(OneU8::all()).unsubscribe().await.unwrap();
        drop(db.subscribe(OneU8::all()));
        db.call(no_op()).await.unwrap();
        assert!(log.take().is_empty() && db.table::<OneU8>().is_empty());
    })
    .await;
}

/// Official scenario 3.
#[tokio::test]
async fn an_ended_set_takes_its_rows_with_it() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        db.call(PkU32::insert(1, 10)).await.unwrap();
        let set = db.subscribe(PkU32::all()).await.unwrap();
        assert!(set.is_applied() && !set.is_ended());
        assert_eq!(db.table::<PkU32>().len(), 1);
        let mut deletes = db.table::<PkU32>().deletes();
        set.unsubscribe().await.unwrap();
        assert!(db.table::<PkU32>().is_empty());
        let Deleted { row, cause, .. } = next(&mut deletes).await;
        assert_eq!(row, PkU32::of(1, 10));
        assert!(matches!(cause, Cause::Unsubscribed(_)), "{cause:?}");
        db.call(PkU32::update(1, 11)).await.unwrap();
        assert!(db.table::<PkU32>().is_empty(), "nobody asks for these rows any more");
    })
    .await;
}

/// Official scenario 4.
#[tokio::test]
async fn refused_set_says_why_and_harms_none() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _good = db.subscribe(OneU8::all()).await.unwrap();
        let queries = [
            "SELECT * FROM no_such_table",
            "SELECT * FROM one_u_8 WHERE no_such_column = 1",
            "SELECT * FROM one_u_8 WHERE value = 'text'",
            "SELECT value FROM one_u_8",
            "this is no SQL",
            "",
        ];
        for sql in queries {
            let refused = db.subscribe((OneU16::all(), sql)).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Subscription, "{sql}: {refused:?}");
        }
        db.call(InsertOneU8 { value: 1 }).await.unwrap();
        db.call(InsertOneU16 { value: 1 }).await.unwrap();
        assert_eq!((db.table::<OneU8>().len(), db.table::<OneU16>().len()), (1, 0));
    })
    .await;
}

#[tokio::test]
async fn sql_may_be_lowercase_with_semicolon() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        db.call(InsertOneU8 { value: 1 }).await.unwrap();
        let queries = [
            "select * from one_u_8",
            "SELECT * FROM one_u_8;",
            "select one_u_8.* from one_u_8 where value >= 1 and value < 2",
            r#"SELECT "o".* FROM "one_u_8" AS "o""#,
        ];
        for sql in queries {
            let set = db.subscribe(sql).await.unwrap();
            assert_eq!(db.table::<OneU8>().len(), 1, "{sql}");
            set.unsubscribe().await.unwrap();
            assert!(db.table::<OneU8>().is_empty());
        }
    })
    .await;
}

/// Official scenario 38.
#[tokio::test]
async fn a_row_of_two_sets_is_told_once() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let low = db.subscribe("SELECT * FROM pk_u_32 WHERE key < 100").await.unwrap();
        let even = db.subscribe("SELECT * FROM pk_u_32 WHERE key < 200").await.unwrap();
        let log = watch(&db);
        db.call(PkU32::insert(10, 1)).await.unwrap();
        db.call(PkU32::insert(150, 2)).await.unwrap();
        assert_eq!(log.take(), ["insert 10 1", "insert 150 2"]);
        assert_eq!(db.table::<PkU32>().len(), 2);
        db.call(PkU32::update(10, 3)).await.unwrap();
        assert_eq!(log.take(), ["update 10 1 3"]);
        assert_eq!(db.table::<PkU32>().find(PkU32::KEY, &10), Some(PkU32::of(10, 3)));
        low.unsubscribe().await.unwrap();
        assert!(log.take().is_empty(), "the other set holds the row");
        db.call(PkU32::delete(10)).await.unwrap();
        assert_eq!(log.take(), ["delete 10 3"]);
        even.unsubscribe().await.unwrap();
        assert_eq!(log.take(), ["delete 150 2"]);
    })
    .await;
}

/// Official scenario 49.
#[tokio::test]
async fn row_of_two_queries_arrives_once() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        db.call(PkU32::insert(1, 0)).await.unwrap();
        let queries = ["SELECT * FROM pk_u_32 WHERE data < 100", "SELECT * FROM pk_u_32"];
        let log = watch(&db);
        let set = db.subscribe(queries).await.unwrap();
        assert_eq!(log.take(), ["insert 1 0"]);
        db.call(PkU32::update(1, 1)).await.unwrap();
        assert_eq!(log.take(), ["update 1 0 1"]);
        db.call(PkU32::update(1, 100)).await.unwrap();
        assert_eq!(log.take(), ["update 1 1 100"], "one query less returns it");
        db.call(PkU32::update(1, 2)).await.unwrap();
        assert_eq!(log.take(), ["update 1 100 2"]);
        assert_eq!(db.table::<PkU32>().len(), 1);
        set.unsubscribe().await.unwrap();
        assert_eq!(log.take(), ["delete 1 2"]);
    })
    .await;
}

#[tokio::test]
async fn row_leaving_condition_leaves_cache() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _set = db.subscribe("SELECT * FROM pk_u_32 WHERE data >= 0").await.unwrap();
        let log = watch(&db);
        db.call(PkU32::insert(1, 5)).await.unwrap();
        db.call(PkU32::update(1, -1)).await.unwrap();
        assert_eq!(log.take(), ["insert 1 5", "delete 1 5"]);
        db.call(PkU32::update(1, 0)).await.unwrap();
        assert_eq!(log.take(), ["insert 1 0"]);
    })
    .await;
}

#[tokio::test]
async fn row_moving_between_sets_is_updated() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _low = db.subscribe("SELECT * FROM pk_u_32 WHERE data < 0").await.unwrap();
        let _high = db.subscribe("SELECT * FROM pk_u_32 WHERE data >= 0").await.unwrap();
        let log = watch(&db);
        db.call(PkU32::insert(1, -5)).await.unwrap();
        db.call(PkU32::update(1, 5)).await.unwrap();
        assert_eq!(log.take(), ["insert 1 -5", "update 1 -5 5"]);
    })
    .await;
}

/// Official scenario 45.
#[tokio::test]
async fn a_query_may_name_its_sender() {
    on_both_servers(async |target| {
        let (ada, grace) = (target.connect().await, target.connect().await);
        let mine = "SELECT * FROM player WHERE identity = :sender";
        let _hers = ada.subscribe(mine).await.unwrap();
        let _his = grace.subscribe(mine).await.unwrap();
        for db in [&ada, &grace] {
            ada.call(insert_player(db.identity().unwrap(), 0)).await.unwrap();
        }
        grace.call(no_op()).await.unwrap();
        for db in [&ada, &grace] {
            let identities: Vec<_> = db.table::<Player>().iter().map(|row| row.identity).collect();
            assert_eq!(identities, [db.identity().unwrap()]);
        }
    })
    .await;
}

/// Official scenario 36.
#[tokio::test]
async fn everything_can_be_asked_for_at_once() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        db.call(InsertOneU8 { value: 1 }).await.unwrap();
        let _everything = db.subscribe("SELECT * FROM *").await.unwrap();
        db.call(PkU32::insert(1, 2)).await.unwrap();
        assert!(db.table::<OneU8>().iter().eq([OneU8 { value: 1 }]));
        assert_eq!(db.table::<PkU32>().get(&1), Some(PkU32::of(1, 2)));
        assert!(db.table::<Connected>().iter().any(|row| Some(row.identity) == db.identity()));
        assert_eq!(db.table::<Secret>().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn many_tables_are_one_set() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        db.call(InsertOneU8 { value: 1 }).await.unwrap();
        db.call(PkU32::insert(1, 2)).await.unwrap();
        let mut whole = db.transactions();
        let set = db.subscribe((OneU8::all(), OneU16::all(), PkU32::all())).await.unwrap();
        assert_eq!(set.queries().count(), 3);
        let mut names: Vec<_> = next(&mut whole).await.table_names().map(str::to_owned).collect();
        names.sort();
        assert_eq!(names, ["one_u_8", "pk_u_32"], "one transaction, without what is empty");
    })
    .await;
}

#[tokio::test]
async fn wrong_row_type_ends_only_its_set() {
    /// The column is a `u16`.
    #[derive(Bsatn, Table, Clone, Debug)]
    #[table(name = "one_u_16")]
    struct Mistaken {
        value: String,
    }

    on_both_servers(async |target| {
        let db = target.connect().await;
        let _good = db.subscribe(OneU8::all()).await.unwrap();
        db.call(InsertOneU16 { value: 7 }).await.unwrap();
        let failed = db.subscribe(Mistaken::all()).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Schema, "{failed:?}");
        let failed = db.query(Mistaken::all()).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Schema, "{failed:?}");
        assert!(db.table::<Mistaken>().is_empty());
        assert!(db.table::<OneU16>().error().is_some(), "the table is known with another type");
        db.call(InsertOneU8 { value: 1 }).await.unwrap();
        assert_eq!(db.table::<OneU8>().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn callback_may_end_its_set_and_itself() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let held = Arc::new(Mutex::new(Some(db.subscribe(PkU32::all()).await.unwrap())));
        let log = watch(&db);
        let set = Arc::clone(&held);
        let ending = db.table::<PkU32>().on_insert(move |_, _| drop(set.lock().unwrap().take()));
        db.call(PkU32::insert(1, 1)).await.unwrap();
        db.call(no_op()).await.unwrap();
        assert_eq!(log.take(), ["insert 1 1", "delete 1 1"]);
        *held.lock().unwrap() =
            Some(db.subscribe("SELECT * FROM pk_u_32 WHERE key = 2").await.unwrap());
        ending.remove();
        db.call(PkU32::insert(2, 2)).await.unwrap();
        db.call(no_op()).await.unwrap();
        assert_eq!(log.take(), ["insert 2 2"]);
        assert_eq!(db.table::<PkU32>().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_one_off_query_touches_no_cache() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        for key in 0..20 {
            db.call(PkU32::insert(key, -(key as i32))).await.unwrap();
        }
        let log = watch(&db);
        assert_eq!(db.query(PkU32::all()).await.unwrap().len(), 20);
        let sql = "SELECT * FROM pk_u_32 WHERE key >= 5 AND data > -7";
        let mut rows: Vec<PkU32> = db.query_sql(sql).await.unwrap();
        rows.sort_by_key(|row| row.key);
        assert_eq!(rows, [PkU32::of(5, -5), PkU32::of(6, -6)]);
        assert!(log.take().is_empty() && db.table::<PkU32>().is_empty());
    })
    .await;
}
