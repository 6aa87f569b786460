//! Every column type: what goes in comes out, in callbacks, in the cache and in queries.

use lightlike::bsatn::{self, Bsatn};
use lightlike::prelude::*;
use lightlike_tests::conformance::{Log, next, on_both_servers};

use crate::module::*;

/// By their encodings, because a NaN equals nothing.
fn same<R: Bsatn>(a: &R, b: &R) -> bool {
    bsatn::to_vec(a).unwrap() == bsatn::to_vec(b).unwrap()
}

/// Inserts each value, all of them different, and finds it in the callback, the cache, a query and a new subscription.
async fn round_trip<T: Keyless>(db: &Client, values: impl IntoIterator<Item = T::Value>) {
    let set = db.subscribe(T::all()).await.unwrap();
    assert!(db.table::<T>().is_empty());
    let mut inserts = db.table::<T>().inserts();
    let rows: Vec<T> = values.into_iter().map(T::of).collect();
    for row in &rows {
        db.call(row.clone().insert()).await.unwrap();
        let Inserted { row: inserted, cause, .. } = next(&mut inserts).await;
        assert!(same(&inserted, row), "{inserted:?} is not {row:?}");
        match cause {
            Cause::Call { reducer, .. } => assert_eq!(&*reducer, T::REDUCER),
            other => panic!("{other:?}"),
        }
        assert!(db.table::<T>().iter().any(|held| same(&held, row)), "{row:?} is not in the cache");
    }
    assert_eq!(db.table::<T>().len(), rows.len());
    set.unsubscribe().await.unwrap();
    assert!(db.table::<T>().is_empty());
    let queried = db.query(T::all()).await.unwrap();
    assert_eq!(queried.len(), rows.len());
    assert!(rows.iter().all(|row| queried.iter().any(|held| same(held, row))), "{queried:?}");
    let _again = db.subscribe(T::all()).await.unwrap();
    let read: Vec<_> = db.table::<T>().iter().collect();
    assert_eq!(read.len(), rows.len());
    assert!(rows.iter().all(|row| read.iter().any(|held| same(held, row))), "{read:?}");
}

/// Official scenario 1.
#[tokio::test]
async fn numbers_come_back_as_they_were_sent() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        round_trip::<OneU8>(&db, [0, 1, u8::MAX]).await;
        round_trip::<OneU16>(&db, [0, 1, u16::MAX]).await;
        round_trip::<OneU32>(&db, [0, 1, u32::MAX]).await;
        round_trip::<OneU64>(&db, [0, 1, u64::MAX]).await;
        round_trip::<OneU128>(&db, [0, 1, u128::MAX]).await;
        round_trip::<OneU256>(&db, [U256::ZERO, U256::ONE, U256::MAX]).await;
        round_trip::<OneI8>(&db, [i8::MIN, -1, 0, i8::MAX]).await;
        round_trip::<OneI16>(&db, [i16::MIN, -1, 0, i16::MAX]).await;
        round_trip::<OneI32>(&db, [i32::MIN, -1, 0, i32::MAX]).await;
        round_trip::<OneI64>(&db, [i64::MIN, -1, 0, i64::MAX]).await;
        round_trip::<OneI128>(&db, [i128::MIN, -1, 0, i128::MAX]).await;
        round_trip::<OneI256>(&db, [I256::MIN, I256::MINUS_ONE, I256::ZERO, I256::MAX]).await;
        round_trip::<OneBool>(&db, [false, true]).await;
        round_trip::<OneF32>(&db, [-0.0, 1.5, f32::MIN_POSITIVE, f32::INFINITY, f32::NAN]).await;
        round_trip::<OneF64>(&db, [-0.0, 1.5, f64::MIN_POSITIVE, f64::INFINITY, f64::NAN]).await;
    })
    .await;
}

/// Official scenarios 1, 7, 11, 15 and 17.
#[tokio::test]
async fn texts_ids_and_times_round_trip() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let texts = [String::new(), "Ärger, 𝄞 und \0".to_owned(), "x".repeat(70_000)];
        round_trip::<OneString>(&db, texts).await;
        let identities = [U256::ZERO, U256::ONE, U256::MAX].map(Identity::from_u256);
        round_trip::<OneIdentity>(&db, identities).await;
        let connections = [0, 1, u128::MAX].map(ConnectionId::from_u128);
        round_trip::<OneConnectionId>(&db, connections).await;
        let times = [i64::MIN, -1, 0, 1_755_555_555_123_456, i64::MAX];
        round_trip::<OneTimestamp>(&db, times.map(Timestamp::from_micros)).await;
        round_trip::<OneTimeDuration>(&db, times.map(TimeDuration::from_micros)).await;
        round_trip::<OneUuid>(&db, [0, 1, u128::MAX].map(Uuid::from_u128)).await;
        let schedules = [
            ScheduleAt::Interval(TimeDuration::from_micros(1)),
            ScheduleAt::Time(Timestamp::from_micros(1)),
        ];
        round_trip::<OneScheduleAt>(&db, schedules).await;
    })
    .await;
}

/// Official scenarios 27, 28 and 29.
#[tokio::test]
async fn structs_and_enums_round_trip() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        round_trip::<OneUnitStruct>(&db, [UnitStruct {}]).await;
        round_trip::<OneByteStruct>(&db, [0, 255].map(|b| ByteStruct { b })).await;
        let primitives = [EveryPrimitiveStruct::small(), EveryPrimitiveStruct::large()];
        round_trip::<OneEveryPrimitiveStruct>(&db, primitives).await;
        round_trip::<OneEveryVecStruct>(&db, [EveryVecStruct::empty(), EveryVecStruct::full()])
            .await;
        let simple = [SimpleEnum::Zero, SimpleEnum::One, SimpleEnum::Two];
        round_trip::<OneSimpleEnum>(&db, simple).await;
        round_trip::<OneEnumWithPayload>(&db, EnumWithPayload::one_of_each()).await;
        let choices: Vec<_> =
            EnumWithPayload::one_of_each().into_iter().map(Some).chain([None]).collect();
        let nested = [Vec::new(), choices].map(|choices| NestedStruct {
            inner: ByteStruct { b: 1 },
            nothing: UnitStruct {},
            choices,
        });
        round_trip::<OneNestedStruct>(&db, nested).await;
    })
    .await;
}

/// Official scenario 24.
#[tokio::test]
async fn arrays_come_back_as_they_were_sent() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let full = EveryVecStruct::full();
        round_trip::<VecU8>(&db, [vec![], full.a]).await;
        round_trip::<VecU16>(&db, [vec![], full.b]).await;
        round_trip::<VecU32>(&db, [vec![], full.c]).await;
        round_trip::<VecU64>(&db, [vec![], full.d]).await;
        round_trip::<VecU128>(&db, [vec![], full.e]).await;
        round_trip::<VecU256>(&db, [vec![], full.f]).await;
        round_trip::<VecI8>(&db, [vec![], full.g]).await;
        round_trip::<VecI16>(&db, [vec![], full.h]).await;
        round_trip::<VecI32>(&db, [vec![], full.i]).await;
        round_trip::<VecI64>(&db, [vec![], full.j]).await;
        round_trip::<VecI128>(&db, [vec![], full.k]).await;
        round_trip::<VecI256>(&db, [vec![], full.l]).await;
        round_trip::<VecBool>(&db, [vec![], full.m]).await;
        round_trip::<VecF32>(&db, [vec![], full.n]).await;
        round_trip::<VecF64>(&db, [vec![], full.o]).await;
        round_trip::<VecString>(&db, [vec![], full.p]).await;
        round_trip::<VecIdentity>(&db, [vec![], full.q]).await;
        round_trip::<VecConnectionId>(&db, [vec![], full.r]).await;
        round_trip::<VecTimestamp>(&db, [vec![], full.s]).await;
        round_trip::<VecTimeDuration>(&db, [vec![], full.t]).await;
        round_trip::<VecUuid>(&db, [vec![], full.u]).await;
        round_trip::<VecSimpleEnum>(&db, [vec![], vec![SimpleEnum::Two, SimpleEnum::Zero]]).await;
        round_trip::<VecEnumWithPayload>(&db, [vec![], EnumWithPayload::one_of_each()]).await;
        round_trip::<VecUnitStruct>(&db, [vec![], vec![UnitStruct {}; 3]]).await;
        round_trip::<VecByteStruct>(&db, [vec![], vec![ByteStruct { b: 1 }; 3]]).await;
        let primitives = vec![EveryPrimitiveStruct::small(), EveryPrimitiveStruct::large()];
        round_trip::<VecEveryPrimitiveStruct>(&db, [vec![], primitives]).await;
    })
    .await;
}

/// Official scenarios 25 and 26.
#[tokio::test]
async fn options_come_back_as_they_were_sent() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let large = EveryPrimitiveStruct::large();
        round_trip::<OptionI32>(&db, [None, Some(0), Some(-1)]).await;
        round_trip::<OptionString>(&db, [None, Some(String::new()), Some("a".into())]).await;
        round_trip::<OptionIdentity>(&db, [None, Some(large.q)]).await;
        round_trip::<OptionConnectionId>(&db, [None, Some(large.r)]).await;
        round_trip::<OptionTimestamp>(&db, [None, Some(large.s)]).await;
        round_trip::<OptionUuid>(&db, [None, Some(large.u)]).await;
        round_trip::<OptionSimpleEnum>(&db, [None, Some(SimpleEnum::Zero)]).await;
        round_trip::<OptionEveryPrimitiveStruct>(&db, [None, Some(large)]).await;
        let lists = [None, Some(vec![]), Some(vec![Some(1), None])];
        round_trip::<OptionVecOptionI32>(&db, lists).await;
        round_trip::<OptionOptionString>(&db, [None, Some(None), Some(Some("a".into()))]).await;
    })
    .await;
}

#[tokio::test]
async fn results_come_back_as_they_were_sent() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let no = || "no".to_owned();
        round_trip::<ResultI32String>(&db, [Ok(1), Err(no())]).await;
        round_trip::<ResultStringI32>(&db, [Ok(no()), Err(1)]).await;
        round_trip::<ResultVecI32String>(&db, [Ok(vec![]), Ok(vec![1]), Err(no())]).await;
        round_trip::<ResultSimpleEnumI32>(&db, [Ok(SimpleEnum::One), Err(-1)]).await;
        let large = EveryPrimitiveStruct::large();
        round_trip::<ResultEveryPrimitiveStructString>(&db, [Ok(large), Err(no())]).await;
    })
    .await;
}

/// Official scenario 30.
#[tokio::test]
async fn row_of_every_type_is_deletable_by_bytes() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(LargeTable::all()).await.unwrap();
        let mut changes = db.table::<LargeTable>().changes();
        let (row, other) = (LargeTable::sample(), LargeTable { a: 1, ..LargeTable::sample() });
        for row in [&row, &other] {
            db.call(row.clone().insert()).await.unwrap();
            match next(&mut changes).await {
                Change::Inserted(inserted) => assert_eq!(inserted.row, *row),
                change => panic!("{change:?}"),
            }
        }
        db.call(row.clone().delete()).await.unwrap();
        match next(&mut changes).await {
            Change::Deleted(deleted) => assert_eq!(deleted.row, row),
            change => panic!("{change:?}"),
        }
        assert!(db.table::<LargeTable>().iter().eq([other]));
        let again = db.call(row.delete()).await;
        assert!(
            matches!(&again, Err(CallError::Rejected(why)) if why == "no such row"),
            "{again:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_row_of_no_bytes_is_a_row() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(NoColumns::all()).await.unwrap();
        let log = Log::default();
        let (inserts, deletes) = (log.clone(), log.clone());
        db.table::<NoColumns>().on_insert(move |_, _| inserts.push("insert"));
        db.table::<NoColumns>().on_delete(move |_, _| deletes.push("delete"));
        db.call(insert_no_columns()).await.unwrap();
        db.call(insert_no_columns()).await.unwrap();
        assert_eq!(db.table::<NoColumns>().len(), 1);
        db.call(delete_no_columns()).await.unwrap();
        assert_eq!(log.take(), ["insert", "delete"], "the same row again is no row");
        assert!(db.table::<NoColumns>().is_empty());
    })
    .await;
}

/// Official scenario 31.
#[tokio::test]
async fn values_are_written_as_the_server_writes_them() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(VecString::all()).await.unwrap();
        let mut inserts = db.table::<VecString>().inserts();
        for value in [EveryPrimitiveStruct::small(), EveryPrimitiveStruct::large()] {
            db.call(insert_primitives_as_strings(value.clone())).await.unwrap();
            assert_eq!(next(&mut inserts).await.row.value, as_strings(&value));
        }
    })
    .await;
}

/// Official scenarios 8, 12 and 16.
#[tokio::test]
async fn module_sees_caller_connection_and_time() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let tables = (OneIdentity::all(), OneConnectionId::all(), OneTimestamp::all());
        let _rows = db.subscribe(tables).await.unwrap();
        db.call(insert_caller_one_identity()).await.unwrap();
        let row = db.table::<OneIdentity>().iter().next().unwrap();
        assert_eq!(row.value, db.identity().unwrap());
        db.call(insert_caller_one_connection_id()).await.unwrap();
        let row = db.table::<OneConnectionId>().iter().next().unwrap();
        assert_eq!(row.value, db.connection_id().unwrap());
        let mut inserts = db.table::<OneTimestamp>().inserts();
        db.call(insert_call_timestamp()).await.unwrap();
        let Inserted { row, cause, .. } = next(&mut inserts).await;
        match cause {
            Cause::Call { timestamp, .. } => assert_eq!(timestamp, row.value),
            other => panic!("{other:?}"),
        }
    })
    .await;
}

/// Official scenarios 18 and 19.
#[tokio::test]
async fn uuids_that_the_module_makes_say_their_version() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(OneUuid::all()).await.unwrap();
        let mut inserts = db.table::<OneUuid>().inserts();
        db.call(insert_call_uuid_v4()).await.unwrap();
        assert_eq!(next(&mut inserts).await.row.value.version(), Some(4));
        db.call(insert_call_uuid_v7()).await.unwrap();
        let first = next(&mut inserts).await.row.value;
        db.call(insert_call_uuid_v7()).await.unwrap();
        let second = next(&mut inserts).await.row.value;
        assert_eq!((first.version(), second.version()), (Some(7), Some(7)));
        assert!(first < second);
    })
    .await;
}
