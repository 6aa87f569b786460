//! Unique columns and primary keys: inserts, updates, deletes, rows that move, and rows that stay.

use std::fmt::Debug;

use lightlike::prelude::*;
use lightlike::schema::HasKey;
use lightlike_tests::conformance::{Log, next, on_both_servers};

use crate::module::*;

/// Log of the table's callbacks from now on.
fn watch<T: Keyed>(db: &Client) -> Log {
    let log = Log::default();
    let (inserts, deletes) = (log.clone(), log.clone());
    let table = db.table::<T>();
    table.on_insert(move |event, row| inserts.push(line("insert", row, event.is_mine())));
    table.on_delete(move |event, row| deletes.push(line("delete", row, event.is_mine())));
    log
}

fn line(what: &str, row: &impl Debug, is_mine: bool) -> String {
    format!("{what} {row:?} mine: {is_mine}")
}

/// A change of a row without a primary key is a delete and an insert.
async fn unique<T: Keyed>(db: &Client, key: T::Key) {
    let _rows = db.subscribe(T::all()).await.unwrap();
    let log = watch::<T>(db);
    db.call(T::insert(key.clone(), 1)).await.unwrap();
    assert_eq!(log.take(), [line("insert", &T::of(key.clone(), 1), true)]);
    assert_eq!(db.table::<T>().find(T::KEY_COLUMN, &key), Some(T::of(key.clone(), 1)));

    let taken = db.call(T::insert(key.clone(), 2)).await;
    assert!(matches!(&taken, Err(CallError::Rejected(_))), "{taken:?}");
    assert!(log.take().is_empty());

    db.call(T::update(key.clone(), 2)).await.unwrap();
    let mut lines = log.take();
    lines.sort();
    let (old, new) = (T::of(key.clone(), 1), T::of(key.clone(), 2));
    assert_eq!(lines, [line("delete", &old, true), line("insert", &new, true)]);
    assert_eq!(db.table::<T>().find(T::KEY_COLUMN, &key), Some(new.clone()));

    db.call(T::delete(key.clone())).await.unwrap();
    assert_eq!(log.take(), [line("delete", &new, true)]);
    assert_eq!(db.table::<T>().find(T::KEY_COLUMN, &key), None);
    assert!(db.table::<T>().is_empty());
}

/// A change of a row with a primary key is an update.
async fn keyed<T: Keyed + HasKey>(db: &Client, key: T::Key) {
    let _rows = db.subscribe(T::all()).await.unwrap();
    let log = watch::<T>(db);
    let updates = log.clone();
    db.table::<T>().on_update(move |event, old, new| {
        updates.push(line("update", &(old, new), event.is_mine()));
    });
    let (old, new) = (T::of(key.clone(), 1), T::of(key.clone(), 2));
    db.call(T::insert(key.clone(), 1)).await.unwrap();
    assert_eq!(log.take(), [line("insert", &old, true)]);
    assert_eq!(db.table::<T>().find(T::KEY_COLUMN, &key), Some(old.clone()));

    db.call(T::update(key.clone(), 2)).await.unwrap();
    assert_eq!(log.take(), [line("update", &(&old, &new), true)]);
    assert_eq!(db.table::<T>().find(T::KEY_COLUMN, &key), Some(new.clone()));
    assert_eq!(db.table::<T>().len(), 1);

    db.call(T::update(key.clone(), 2)).await.unwrap();
    assert!(log.take().is_empty(), "the same row is no change");

    db.call(T::delete(key.clone())).await.unwrap();
    assert_eq!(log.take(), [line("delete", &new, true)]);
    assert!(db.table::<T>().is_empty());
}

/// Official scenarios 5, 9, 13 and 20.
#[tokio::test]
async fn keyless_change_is_delete_and_insert() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        unique::<UniqueU8>(&db, u8::MAX).await;
        unique::<UniqueU16>(&db, u16::MAX).await;
        unique::<UniqueU32>(&db, u32::MAX).await;
        unique::<UniqueU64>(&db, u64::MAX).await;
        unique::<UniqueU128>(&db, u128::MAX).await;
        unique::<UniqueU256>(&db, U256::MAX).await;
        unique::<UniqueI8>(&db, i8::MIN).await;
        unique::<UniqueI16>(&db, i16::MIN).await;
        unique::<UniqueI32>(&db, i32::MIN).await;
        unique::<UniqueI64>(&db, i64::MIN).await;
        unique::<UniqueI128>(&db, i128::MIN).await;
        unique::<UniqueI256>(&db, I256::MIN).await;
        unique::<UniqueBool>(&db, true).await;
        unique::<UniqueString>(&db, "a key".into()).await;
        unique::<UniqueIdentity>(&db, Identity::from_u256(U256::MAX)).await;
        unique::<UniqueConnectionId>(&db, ConnectionId::from_u128(u128::MAX)).await;
        unique::<UniqueTimestamp>(&db, Timestamp::from_micros(-1)).await;
        unique::<UniqueUuid>(&db, Uuid::from_u128(7)).await;
    })
    .await;
}

/// Official scenarios 6, 10, 14, 21 and 47.
#[tokio::test]
async fn keyed_change_is_an_update() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        keyed::<PkU8>(&db, u8::MAX).await;
        keyed::<PkU16>(&db, u16::MAX).await;
        keyed::<PkU32>(&db, u32::MAX).await;
        keyed::<PkU64>(&db, u64::MAX).await;
        keyed::<PkU128>(&db, u128::MAX).await;
        keyed::<PkU256>(&db, U256::MAX).await;
        keyed::<PkI8>(&db, i8::MIN).await;
        keyed::<PkI16>(&db, i16::MIN).await;
        keyed::<PkI32>(&db, i32::MIN).await;
        keyed::<PkI64>(&db, i64::MIN).await;
        keyed::<PkI128>(&db, i128::MIN).await;
        keyed::<PkI256>(&db, I256::MIN).await;
        keyed::<PkBool>(&db, false).await;
        keyed::<PkString>(&db, String::new()).await;
        keyed::<PkIdentity>(&db, Identity::from_u256(U256::MAX)).await;
        keyed::<PkConnectionId>(&db, ConnectionId::from_u128(u128::MAX)).await;
        keyed::<PkTimestamp>(&db, Timestamp::from_micros(-1)).await;
        keyed::<PkUuid>(&db, Uuid::from_u128(7)).await;
        keyed::<PkSimpleEnum>(&db, SimpleEnum::Two).await;
        keyed::<PkU32Two>(&db, 7).await;
    })
    .await;
}

/// Official scenario 23.
#[tokio::test]
async fn taken_key_is_refused_by_name() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(PkU8::all()).await.unwrap();
        db.call(PkU8::insert(1, 10)).await.unwrap();
        let log = watch::<PkU8>(&db);
        match db.call(PkU8::insert(1, 20)).await {
            Err(CallError::Rejected(why)) => {
                // In the module's own words: it says `pk_u8` where the wire says `pk_u_8`.
                assert!(why.contains("`pk_u") && why.contains("unique"), "{why}");
            }
            other => panic!("{other:?}"),
        }
        assert!(log.take().is_empty());
        assert_eq!(db.table::<PkU8>().get(&1), Some(PkU8::of(1, 10)));
        assert!(matches!(db.call(PkU8::delete(2)).await, Err(CallError::Rejected(_))));
    })
    .await;
}

#[tokio::test]
async fn changed_key_is_delete_and_insert() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(PkU32::all()).await.unwrap();
        for (key, data) in [(1, 10), (2, 20)] {
            db.call(PkU32::insert(key, data)).await.unwrap();
        }
        let log = watch::<PkU32>(&db);
        let updates = log.clone();
        db.table::<PkU32>().on_update(move |_, old, new| updates.push(format!("{old:?} {new:?}")));
        db.call(rekey_pk_u32(1, 3)).await.unwrap();
        let mut lines = log.take();
        lines.sort();
        let (old, new) = (PkU32::of(1, 10), PkU32::of(3, 10));
        assert_eq!(lines, [line("delete", &old, true), line("insert", &new, true)]);
        let table = db.table::<PkU32>();
        assert_eq!((table.get(&1), table.get(&3)), (None, Some(new)));
        let taken = db.call(rekey_pk_u32(3, 2)).await;
        assert!(matches!(taken, Err(CallError::Rejected(_))), "{taken:?}");
        assert!(log.take().is_empty() && table.len() == 2);
    })
    .await;
}

#[tokio::test]
async fn a_row_replaced_by_itself_is_no_change() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(PkU32::all()).await.unwrap();
        db.call(PkU32::insert(1, 10)).await.unwrap();
        let log = watch::<PkU32>(&db);
        let (updates, transactions) = (log.clone(), log.clone());
        db.table::<PkU32>().on_update(move |_, _, _| updates.push("update"));
        db.on_transaction(move |_, changes| transactions.push(format!("{changes:?}")));
        db.call(replace_pk_u32_with_itself(1)).await.unwrap();
        assert!(log.take().is_empty());
        assert_eq!(db.table::<PkU32>().get(&1), Some(PkU32::of(1, 10)));
    })
    .await;
}

/// Official scenarios 8, 10, 12 and 14.
#[tokio::test]
async fn callers_identity_and_connection_can_be_keys() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let tables = (
            UniqueIdentity::all(),
            PkIdentity::all(),
            UniqueConnectionId::all(),
            PkConnectionId::all(),
        );
        let _rows = db.subscribe(tables).await.unwrap();
        db.call(insert_caller_unique_identity(1)).await.unwrap();
        db.call(insert_caller_pk_identity(2)).await.unwrap();
        db.call(insert_caller_unique_connection_id(3)).await.unwrap();
        db.call(insert_caller_pk_connection_id(4)).await.unwrap();
        let (me, here) = (db.identity().unwrap(), db.connection_id().unwrap());
        let view = db.read();
        let data = [
            view.table::<UniqueIdentity>().find(UniqueIdentity::KEY, &me).map(|row| row.data),
            view.table::<PkIdentity>().get(&me).map(|row| row.data),
            view.table::<UniqueConnectionId>()
                .find(UniqueConnectionId::KEY, &here)
                .map(|row| row.data),
            view.table::<PkConnectionId>().get(&here).map(|row| row.data),
        ];
        assert_eq!(data, [Some(1), Some(2), Some(3), Some(4)]);
        drop(view);
        db.call(PkConnectionId::update(here, 5)).await.unwrap();
        assert_eq!(db.table::<PkConnectionId>().get(&here).map(|row| row.data), Some(5));
    })
    .await;
}

#[tokio::test]
async fn swapped_unique_values_are_found() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(AutoInc::all()).await.unwrap();
        let mut inserts = db.table::<AutoInc>().inserts();
        let mut ids = Vec::new();
        for name in ["ada", "grace"] {
            db.call(insert_auto_inc(name.into(), 1)).await.unwrap();
            ids.push(next(&mut inserts).await.row.id);
        }
        assert!(ids[0] != 0 && ids[0] < ids[1], "{ids:?}");
        let mut updates = db.table::<AutoInc>().updates();
        db.call(swap_auto_inc_names(ids[0], ids[1])).await.unwrap();
        let mut swapped = Vec::new();
        for _ in &ids {
            let Updated { old, new, .. } = next(&mut updates).await;
            assert_eq!(old.id, new.id);
            swapped.push((new.id, old.name, new.name));
        }
        swapped.sort();
        let name = str::to_owned;
        let expected = [(ids[0], name("ada"), name("grace")), (ids[1], name("grace"), name("ada"))];
        assert_eq!(swapped, expected);
        for (id, value) in [(ids[1], "ada"), (ids[0], "grace")] {
            assert_eq!(
                db.table::<AutoInc>().find(AutoInc::NAME, value).map(|row| row.id),
                Some(id)
            );
        }
        let taken = db.call(insert_auto_inc("ada".into(), 2)).await;
        assert!(matches!(taken, Err(CallError::Rejected(_))), "{taken:?}");
    })
    .await;
}

/// Official scenario 50.
#[tokio::test]
async fn a_thousand_rows_of_one_call_come_together() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(PkUuid::all()).await.unwrap();
        let log = Log::default();
        let (rows, whole) = (log.clone(), log.clone());
        db.table::<PkUuid>().on_insert(move |_, row| rows.push(row.data.to_string()));
        db.on_transaction(move |_, changes| {
            whole.push(format!("{} rows", changes.of::<PkUuid>().count()));
        });
        db.call(insert_sorted_uuids()).await.unwrap();
        let mut lines = log.take();
        assert_eq!(lines.pop().as_deref(), Some("1000 rows"));
        assert_eq!(lines.len(), 1000);
        let mut rows: Vec<_> = db.table::<PkUuid>().iter().collect();
        rows.sort_by_key(|row| row.key);
        assert!(rows.iter().map(|row| row.data).eq(0..1000), "the later, the greater");
    })
    .await;
}

/// Official scenario 5.
#[tokio::test]
async fn nested_callback_sees_later_rows() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(UniqueU32::all()).await.unwrap();
        let log = Log::default();
        let seen = log.clone();
        db.table::<UniqueU32>().on_insert(move |event, row| {
            let seen = seen.clone();
            let inserted = row.clone();
            event.db().table::<UniqueU32>().on_delete(move |_, row| {
                seen.push(format!("{inserted:?} then {row:?}"));
            });
            event.db().call(UniqueU32::delete(row.key)).forget();
        });
        let mut deletes = db.table::<UniqueU32>().deletes();
        db.call(UniqueU32::insert(1, 2)).await.unwrap();
        let row = next(&mut deletes).await.row;
        assert_eq!(log.take(), [format!("{row:?} then {row:?}")]);
    })
    .await;
}
