//! Tables without a key: one for each column type, one for each array, option and result of it, one of all at once.

use std::fmt::Debug;

use lightlike::prelude::*;
use lightlike::schema::{Column, Kind, Plain};
use lightlike_testkit::{Builder, Tx};

use super::types::*;

/// A table of one column, without a key, and the reducer that inserts a row.
pub trait Keyless: Table<Row = Self> + Bsatn + Clone + Debug {
    type Value;
    type Insert: Reducer<Ok = (), Error = String>;
    const REDUCER: &'static str;
    const COLUMN: Column<Self, Self::Value, Kind<Plain, Plain>>;
    fn of(value: Self::Value) -> Self;
    fn insert(self) -> Self::Insert;
}

macro_rules! keyless {
    ($($Row:ident $Insert:ident $ty:ty;)*) => {
        $(
            #[derive(Bsatn, Table, Clone, Debug, PartialEq)]
            #[table]
            pub struct $Row {
                pub value: $ty,
            }

            #[reducer]
            pub struct $Insert {
                pub value: $ty,
            }

            impl Keyless for $Row {
                type Value = $ty;
                type Insert = $Insert;
                const REDUCER: &'static str = <$Insert as Reducer>::DEF.name;
                const COLUMN: Column<Self, $ty, Kind<Plain, Plain>> = Self::VALUE;

                fn of(value: $ty) -> Self {
                    Self { value }
                }

                fn insert(self) -> $Insert {
                    $Insert { value: self.value }
                }
            }
        )*

        fn install_keyless(builder: Builder) -> Builder {
            builder$(.table::<$Row>().reducer(|tx: &mut Tx, $Insert { value }| {
                tx.insert($Row { value });
                Ok(())
            }))*
        }
    };
}

keyless! {
    OneU8 InsertOneU8 u8;
    OneU16 InsertOneU16 u16;
    OneU32 InsertOneU32 u32;
    OneU64 InsertOneU64 u64;
    OneU128 InsertOneU128 u128;
    OneU256 InsertOneU256 U256;
    OneI8 InsertOneI8 i8;
    OneI16 InsertOneI16 i16;
    OneI32 InsertOneI32 i32;
    OneI64 InsertOneI64 i64;
    OneI128 InsertOneI128 i128;
    OneI256 InsertOneI256 I256;
    OneBool InsertOneBool bool;
    OneF32 InsertOneF32 f32;
    OneF64 InsertOneF64 f64;
    OneString InsertOneString String;
    OneIdentity InsertOneIdentity Identity;
    OneConnectionId InsertOneConnectionId ConnectionId;
    OneTimestamp InsertOneTimestamp Timestamp;
    OneTimeDuration InsertOneTimeDuration TimeDuration;
    OneUuid InsertOneUuid Uuid;
    OneScheduleAt InsertOneScheduleAt ScheduleAt;
    OneNestedStruct InsertOneNestedStruct NestedStruct;
    OneSimpleEnum InsertOneSimpleEnum SimpleEnum;
    OneEnumWithPayload InsertOneEnumWithPayload EnumWithPayload;
    OneUnitStruct InsertOneUnitStruct UnitStruct;
    OneByteStruct InsertOneByteStruct ByteStruct;
    OneEveryPrimitiveStruct InsertOneEveryPrimitiveStruct EveryPrimitiveStruct;
    OneEveryVecStruct InsertOneEveryVecStruct EveryVecStruct;

    VecU8 InsertVecU8 Vec<u8>;
    VecU16 InsertVecU16 Vec<u16>;
    VecU32 InsertVecU32 Vec<u32>;
    VecU64 InsertVecU64 Vec<u64>;
    VecU128 InsertVecU128 Vec<u128>;
    VecU256 InsertVecU256 Vec<U256>;
    VecI8 InsertVecI8 Vec<i8>;
    VecI16 InsertVecI16 Vec<i16>;
    VecI32 InsertVecI32 Vec<i32>;
    VecI64 InsertVecI64 Vec<i64>;
    VecI128 InsertVecI128 Vec<i128>;
    VecI256 InsertVecI256 Vec<I256>;
    VecBool InsertVecBool Vec<bool>;
    VecF32 InsertVecF32 Vec<f32>;
    VecF64 InsertVecF64 Vec<f64>;
    VecString InsertVecString Vec<String>;
    VecIdentity InsertVecIdentity Vec<Identity>;
    VecConnectionId InsertVecConnectionId Vec<ConnectionId>;
    VecTimestamp InsertVecTimestamp Vec<Timestamp>;
    VecTimeDuration InsertVecTimeDuration Vec<TimeDuration>;
    VecUuid InsertVecUuid Vec<Uuid>;
    VecSimpleEnum InsertVecSimpleEnum Vec<SimpleEnum>;
    VecEnumWithPayload InsertVecEnumWithPayload Vec<EnumWithPayload>;
    VecUnitStruct InsertVecUnitStruct Vec<UnitStruct>;
    VecByteStruct InsertVecByteStruct Vec<ByteStruct>;
    VecEveryPrimitiveStruct InsertVecEveryPrimitiveStruct Vec<EveryPrimitiveStruct>;

    OptionI32 InsertOptionI32 Option<i32>;
    OptionString InsertOptionString Option<String>;
    OptionIdentity InsertOptionIdentity Option<Identity>;
    OptionConnectionId InsertOptionConnectionId Option<ConnectionId>;
    OptionTimestamp InsertOptionTimestamp Option<Timestamp>;
    OptionUuid InsertOptionUuid Option<Uuid>;
    OptionSimpleEnum InsertOptionSimpleEnum Option<SimpleEnum>;
    OptionEveryPrimitiveStruct InsertOptionEveryPrimitiveStruct Option<EveryPrimitiveStruct>;
    OptionVecOptionI32 InsertOptionVecOptionI32 Option<Vec<Option<i32>>>;
    OptionOptionString InsertOptionOptionString Option<Option<String>>;

    ResultI32String InsertResultI32String Result<i32, String>;
    ResultStringI32 InsertResultStringI32 Result<String, i32>;
    ResultVecI32String InsertResultVecI32String Result<Vec<i32>, String>;
    ResultSimpleEnumI32 InsertResultSimpleEnumI32 Result<SimpleEnum, i32>;
    ResultEveryPrimitiveStructString InsertResultEveryPrimitiveStructString Result<EveryPrimitiveStruct, String>;
}

/// Rows of no bytes.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table]
pub struct NoColumns {}

#[reducer]
pub fn insert_no_columns();

#[reducer]
pub fn delete_no_columns();

macro_rules! large_table {
    ($($column:ident: $ty:ty),* $(,)?) => {
        #[derive(Bsatn, Table, Clone, Debug, PartialEq)]
        #[table]
        pub struct LargeTable {
            $(pub $column: $ty,)*
        }

        #[reducer]
        pub struct InsertLargeTable {
            $(pub $column: $ty,)*
        }

        #[reducer]
        pub struct DeleteLargeTable {
            $(pub $column: $ty,)*
        }

        impl LargeTable {
            pub fn insert(self) -> InsertLargeTable {
                InsertLargeTable { $($column: self.$column),* }
            }

            pub fn delete(self) -> DeleteLargeTable {
                DeleteLargeTable { $($column: self.$column),* }
            }
        }

        fn install_large_table(builder: Builder) -> Builder {
            builder
                .table::<LargeTable>()
                .reducer(|tx: &mut Tx, InsertLargeTable { $($column),* }| {
                    tx.insert(LargeTable { $($column),* });
                    Ok(())
                })
                .reducer(|tx: &mut Tx, DeleteLargeTable { $($column),* }| {
                    let deleted = tx.delete(&LargeTable { $($column),* });
                    deleted.then_some(()).ok_or_else(|| "no such row".into())
                })
        }
    };
}

large_table! {
    a: u8,
    b: u16,
    c: u32,
    d: u64,
    e: u128,
    f: U256,
    g: i8,
    h: i16,
    i: i32,
    j: i64,
    k: i128,
    l: I256,
    m: bool,
    n: f32,
    o: f64,
    p: String,
    q: SimpleEnum,
    r: EnumWithPayload,
    s: UnitStruct,
    t: ByteStruct,
    u: EveryPrimitiveStruct,
    v: EveryVecStruct,
}

impl LargeTable {
    pub fn sample() -> Self {
        let EveryPrimitiveStruct { a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, .. } =
            EveryPrimitiveStruct::small();
        Self {
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h,
            i,
            j,
            k,
            l,
            m,
            n,
            o,
            p,
            q: SimpleEnum::Two,
            r: EnumWithPayload::Str("payload".into()),
            s: UnitStruct {},
            t: ByteStruct { b: 7 },
            u: EveryPrimitiveStruct::large(),
            v: EveryVecStruct::full(),
        }
    }
}

#[reducer]
pub fn insert_caller_one_identity();

#[reducer]
pub fn insert_caller_one_connection_id() -> Result<(), String>;

#[reducer]
pub fn insert_call_timestamp();

#[reducer]
pub fn insert_call_uuid_v4() -> Result<(), String>;

#[reducer]
pub fn insert_call_uuid_v7() -> Result<(), String>;

#[reducer]
pub fn insert_primitives_as_strings(s: EveryPrimitiveStruct);

pub(super) fn install(builder: Builder) -> Builder {
    install_large_table(install_keyless(builder))
        .table::<NoColumns>()
        .reducer(|tx: &mut Tx, InsertNoColumns| {
            tx.insert(NoColumns {});
            Ok(())
        })
        .reducer(|tx: &mut Tx, DeleteNoColumns| {
            tx.delete(&NoColumns {});
            Ok(())
        })
        .reducer(|tx: &mut Tx, InsertCallerOneIdentity| {
            tx.insert(OneIdentity { value: tx.sender() });
            Ok(())
        })
        .reducer(|tx: &mut Tx, InsertCallerOneConnectionId| {
            let value = tx.connection_id().ok_or("the caller has no connection")?;
            tx.insert(OneConnectionId { value });
            Ok(())
        })
        .reducer(|tx: &mut Tx, InsertCallTimestamp| {
            tx.insert(OneTimestamp { value: tx.timestamp() });
            Ok(())
        })
        .reducer(|tx: &mut Tx, InsertCallUuidV4| {
            let value = Uuid::v4(fresh(tx));
            tx.insert(OneUuid { value });
            Ok(())
        })
        .reducer(|tx: &mut Tx, InsertCallUuidV7| {
            let value = fresh_uuid_v7(tx);
            tx.insert(OneUuid { value });
            Ok(())
        })
        .reducer(|tx: &mut Tx, InsertPrimitivesAsStrings { s }| {
            tx.insert(VecString { value: as_strings(&s) });
            Ok(())
        })
}

/// Bytes that are the greater the later they are asked for.
fn fresh<const N: usize>(tx: &mut Tx) -> [u8; N] {
    let number = tx.next_id::<OneUuid>().to_be_bytes();
    let mut bytes = [0; N];
    bytes[N - number.len()..].copy_from_slice(&number);
    bytes
}

/// A UUID that is greater than those before.
pub(super) fn fresh_uuid_v7(tx: &mut Tx) -> Uuid {
    Uuid::v7(tx.timestamp(), fresh(tx))
}

/// The text form of each field, in order.
pub fn as_strings(s: &EveryPrimitiveStruct) -> Vec<String> {
    vec![
        s.a.to_string(),
        s.b.to_string(),
        s.c.to_string(),
        s.d.to_string(),
        s.e.to_string(),
        s.f.to_string(),
        s.g.to_string(),
        s.h.to_string(),
        s.i.to_string(),
        s.j.to_string(),
        s.k.to_string(),
        s.l.to_string(),
        s.m.to_string(),
        s.n.to_string(),
        s.o.to_string(),
        s.p.clone(),
        s.q.to_string(),
        s.r.to_string(),
        s.s.to_string(),
        s.t.to_string(),
        s.u.to_string(),
    ]
}
