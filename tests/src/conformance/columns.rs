//! Tables without a key: one for each column type, one for each array, option and result of it, one of all at once.

use lightlike::prelude::*;
use lightlike_testkit::{Builder, Tx};

use super::types::*;
pub use super::values::Keyless;
use super::values::as_strings;

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
        )*

        fn install_keyless(builder: Builder) -> Builder {
            builder$(.table::<$Row>().reducer(|tx: &mut Tx, $Insert { value }| {
                tx.insert($Row { value });
                Ok(())
            }))*
        }
    };
}

keyless_tables! { keyless }

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
