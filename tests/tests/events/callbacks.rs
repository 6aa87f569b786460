//! Callbacks: in which order they run, what they see, and what they may do.

use std::sync::{Arc, Mutex};

use lightlike::events::RowEvents;
use lightlike::prelude::*;
use lightlike_tests::conformance::failures::no_op;
use lightlike_tests::conformance::keys::*;
use lightlike_tests::conformance::{Log, next, on_both_servers};

/// Asks for `pk_u_32`, with these keys in it.
async fn rows(db: &Client, keys: &[u32]) -> Subscription {
    let rows = db.subscribe(PkU32::all()).await.unwrap();
    for key in keys {
        db.call(PkU32::insert(*key, 0)).await.unwrap();
    }
    rows
}

#[tokio::test]
async fn before_delete_sees_all_rows() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let set = rows(&db, &[1, 2, 3]).await;
        let log = Log::default();
        let (before, deletes, whole) = (log.clone(), log.clone(), log.clone());
        let table = db.table::<PkU32>();
        table.on_delete(move |event, row| {
            let left = event.view().table::<PkU32>().len();
            deletes.push(format!("delete {}, {left} there", row.key));
        });
        table.on_before_delete(move |event, row| {
            let table = event.view().table::<PkU32>();
            let is_there = table.get(&row.key) == Some(row);
            before.push(format!("before {}: {is_there}, {} there", row.key, table.len()));
        });
        db.on_transaction(move |event, _| whole.push(format!("mine: {}", event.is_mine())));

        db.call(PkU32::delete(2)).await.unwrap();
        assert_eq!(log.take(), ["before 2: true, 3 there", "delete 2, 2 there", "mine: true"]);

        set.unsubscribe().await.unwrap();
        let mut lines = log.take();
        lines[..2].sort();
        lines[2..4].sort();
        let expected = ["before 1: true, 2 there", "before 3: true, 2 there"];
        assert_eq!(lines[..2], expected);
        assert_eq!(lines[2..], ["delete 1, 0 there", "delete 3, 0 there", "mine: false"]);
    })
    .await;
}

#[tokio::test]
async fn before_delete_skips_updates_and_moves() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _set = rows(&db, &[1]).await;
        let log = Log::default();
        let before = log.clone();
        db.table::<PkU32>().on_before_delete(move |_, row| before.push(row.key.to_string()));
        db.call(PkU32::update(1, 10)).await.unwrap();
        assert!(log.take().is_empty());
        db.call(rekey_pk_u32(1, 2)).await.unwrap();
        assert_eq!(log.take(), ["1"]);
    })
    .await;
}

#[tokio::test]
async fn a_batch_may_be_enough() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _set = rows(&db, &[1]).await;
        let log = Log::default();
        let (batches, inserts, before, whole) =
            (log.clone(), log.clone(), log.clone(), log.clone());
        let table = db.table::<PkU32>();
        table.on_insert(move |_, row| inserts.push(format!("insert {}", row.key)));
        table.on_before_delete(move |_, row| before.push(format!("before {}", row.key)));
        db.on_transaction(move |_, changes| {
            whole.push(format!("whole: {}", changes.of::<PkU32>().count()));
        });
        let mut stream = table.inserts();
        let mut watch = table.watch_row(2);
        let skips = db.on_batch(move |event, changes| {
            let (rows, mine) = (changes.of::<PkU32>().count(), event.is_mine());
            batches.push(format!("batch: {rows}, mine: {mine}"));
            RowEvents::Skip
        });
        db.call(PkU32::insert(2, 0)).await.unwrap();
        db.call(PkU32::delete(1)).await.unwrap();
        assert_eq!(
            log.take(),
            ["batch: 1, mine: true", "whole: 1", "batch: 1, mine: true", "whole: 1"]
        );
        assert_eq!(watch.next().await, Some(Some(PkU32::of(2, 0))));
        assert!(db.table::<PkU32>().get(&1).is_none());

        skips.remove();
        db.call(PkU32::insert(3, 0)).await.unwrap();
        assert_eq!(log.take(), ["insert 3", "whole: 1"]);
        assert_eq!(next(&mut stream).await.row.key, 3, "the skipped one is not in the stream");
    })
    .await;
}

#[tokio::test]
async fn callbacks_are_removed_by_id_guard_or_themselves() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _set = rows(&db, &[]).await;
        let table = db.table::<PkU32>();
        let log = Log::default();
        let on_insert = |name: &'static str| {
            let log = log.clone();
            table.on_insert(move |_, row| log.push(format!("{name} {}", row.key)))
        };
        let (by_name, _kept) = (on_insert("by name"), on_insert("kept"));
        let guard = on_insert("by guard").scoped();
        let once = log.clone();
        table.on_insert(move |event, row| {
            event.unregister();
            once.push(format!("once {}", row.key));
        });
        db.call(PkU32::insert(1, 0)).await.unwrap();
        assert_eq!(log.take(), ["by name 1", "kept 1", "by guard 1", "once 1"]);
        by_name.remove();
        drop(guard);
        db.call(PkU32::insert(2, 0)).await.unwrap();
        assert_eq!(log.take(), ["kept 2"]);
    })
    .await;
}

/// Several rows come in one transaction: one that is gone hears of none of the later ones.
#[tokio::test]
async fn removal_inside_callback_applies_within_transaction() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        for key in 0..3 {
            db.call(PkU32::insert(key, 0)).await.unwrap();
        }
        let log = Log::default();
        let (first, second) = (log.clone(), log.clone());
        let other = Arc::new(Mutex::new(None::<lightlike::events::CallbackId>));
        let its_name = Arc::clone(&other);
        let table = db.table::<PkU32>();
        table.on_insert(move |event, _| {
            first.push("first");
            event.unregister();
            if let Some(other) = its_name.lock().unwrap().take() {
                other.remove();
            }
        });
        *other.lock().unwrap() = Some(table.on_insert(move |_, _| second.push("second")));
        let _set = db.subscribe(PkU32::all()).await.unwrap();
        assert_eq!(log.take(), ["first"]);
    })
    .await;
}

#[tokio::test]
async fn panicking_callback_is_reported_and_isolated() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _set = rows(&db, &[]).await;
        let log = Log::default();
        let (others, panics) = (log.clone(), log.clone());
        let table = db.table::<PkU32>();
        table.on_insert(|_, row| assert!(row.key != 1, "not {}", row.key));
        table.on_insert(move |_, row| others.push(format!("insert {}", row.key)));
        db.on_panic(move |db, panicked| {
            let (callback, table) = (panicked.callback, panicked.table.unwrap());
            let known = db.identity().is_some();
            panics.push(format!("{callback} of {table}: {}, {known}", panicked.message));
        });
        db.on_panic(|_, _| panic!("a panic about a panic goes no further"));
        for key in [1, 2] {
            db.call(PkU32::insert(key, 0)).await.unwrap();
        }
        assert_eq!(log.take(), ["insert 1", "on_insert of pk_u_32: not 1, true", "insert 2"]);
        db.on_call::<lightlike_tests::conformance::failures::NoOp>(|_, _, _| panic!("heard"));
        db.call(no_op()).await.unwrap();
        db.call(PkU32::insert(3, 0)).await.unwrap();
        assert_eq!(db.table::<PkU32>().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn callback_may_subscribe_and_unsubscribe() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _set = rows(&db, &[]).await;
        db.call(PkU32Two::insert(7, 0)).await.unwrap();
        let held = Arc::new(Mutex::new(None));
        let of_callback = Arc::clone(&held);
        db.table::<PkU32>().on_insert(move |event, row| {
            let mut set = of_callback.lock().unwrap();
            *set = (row.key == 1).then(|| event.db().subscribe(PkU32Two::all()));
        });
        let mut two = db.table::<PkU32Two>().watch_row(7);
        db.call(PkU32::insert(1, 0)).await.unwrap();
        assert_eq!(two.first_some().await, Ok(PkU32Two::of(7, 0)));
        db.call(PkU32::insert(2, 0)).await.unwrap();
        two.wait_for(Option::is_none).await.unwrap();
        assert!(held.lock().unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_callback_may_disconnect_without_waiting() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _set = rows(&db, &[]).await;
        db.table::<PkU32>().on_insert(|event, _| drop(event.db().disconnect()));
        db.call(PkU32::insert(1, 0)).await.unwrap();
        let mut state = db.state();
        state.wait_for(|state| matches!(state, ConnectionState::Closed(_))).await.unwrap();
        assert!(state.next().await.is_none(), "there is no other state");
    })
    .await;
}
