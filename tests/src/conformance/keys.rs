//! Tables with a key: `unique_*` by a unique column without a primary key (a change is a delete and an insert), `pk_*` by
//! a primary key (a change is an update).

use std::fmt::Debug;
use std::hash::Hash;

use lightlike::prelude::*;
use lightlike::schema::{Column, FindIn};
use lightlike_testkit::{Builder, Tx};

use super::columns::fresh_uuid_v7;
use super::types::SimpleEnum;

/// A table of a key and an `i32`, with the reducers that write it.
pub trait Keyed: Table<Row = Self> + Clone + Debug + PartialEq {
    type Key: Bsatn + Clone + Debug + Hash + Eq;
    type Kind: FindIn<Self>;
    type Insert: Reducer<Ok = (), Error = String>;
    type Update: Reducer<Ok = (), Error = String>;
    type Delete: Reducer<Ok = (), Error = String>;
    const KEY_COLUMN: Column<Self, Self::Key, Self::Kind>;
    fn of(key: Self::Key, data: i32) -> Self;
    fn insert(key: Self::Key, data: i32) -> Self::Insert;
    fn update(key: Self::Key, data: i32) -> Self::Update;
    fn delete(key: Self::Key) -> Self::Delete;
}

macro_rules! keyed {
    ($install:ident, $attribute:ident, $Kind:ident:
        $($Row:ident $Insert:ident $Update:ident $Delete:ident $ty:ty;)*) => {
        $(
            #[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
            #[table]
            pub struct $Row {
                #[$attribute]
                pub key: $ty,
                pub data: i32,
            }

            #[reducer]
            pub struct $Insert {
                pub key: $ty,
                pub data: i32,
            }

            #[reducer]
            pub struct $Update {
                pub key: $ty,
                pub data: i32,
            }

            #[reducer]
            pub struct $Delete {
                pub key: $ty,
            }

            impl Keyed for $Row {
                type Key = $ty;
                type Kind = lightlike::schema::Kind<
                    lightlike::schema::$Kind,
                    lightlike::schema::Plain,
                >;
                type Insert = $Insert;
                type Update = $Update;
                type Delete = $Delete;
                const KEY_COLUMN: Column<Self, $ty, Self::Kind> = Self::KEY;

                fn of(key: $ty, data: i32) -> Self {
                    Self { key, data }
                }

                fn insert(key: $ty, data: i32) -> $Insert {
                    $Insert { key, data }
                }

                fn update(key: $ty, data: i32) -> $Update {
                    $Update { key, data }
                }

                fn delete(key: $ty) -> $Delete {
                    $Delete { key }
                }
            }
        )*

        fn $install(builder: Builder) -> Builder {
            builder$(
                .table::<$Row>()
                .reducer(|tx: &mut Tx, $Insert { key, data }| insert(tx, $Row { key, data }))
                .reducer(|tx: &mut Tx, $Update { key, data }| {
                    delete::<$Row>(tx, &key)?;
                    insert(tx, $Row { key, data })
                })
                .reducer(|tx: &mut Tx, $Delete { key }| delete::<$Row>(tx, &key))
            )*
        }
    };
}

/// Inserts a row, unless its key is taken.
pub(super) fn insert<R: Table<Row = R>>(tx: &mut Tx, row: R) -> Result<(), String> {
    tx.try_insert(row).map_err(|error| error.to_string())
}

fn delete<R: Keyed>(tx: &mut Tx, key: &R::Key) -> Result<(), String> {
    let deleted = tx.delete_by(R::KEY_COLUMN, key);
    deleted.then_some(()).ok_or_else(|| "no row has this key".into())
}

keyed! { install_unique, unique, Unique:
    UniqueU8 InsertUniqueU8 UpdateUniqueU8 DeleteUniqueU8 u8;
    UniqueU16 InsertUniqueU16 UpdateUniqueU16 DeleteUniqueU16 u16;
    UniqueU32 InsertUniqueU32 UpdateUniqueU32 DeleteUniqueU32 u32;
    UniqueU64 InsertUniqueU64 UpdateUniqueU64 DeleteUniqueU64 u64;
    UniqueU128 InsertUniqueU128 UpdateUniqueU128 DeleteUniqueU128 u128;
    UniqueU256 InsertUniqueU256 UpdateUniqueU256 DeleteUniqueU256 U256;
    UniqueI8 InsertUniqueI8 UpdateUniqueI8 DeleteUniqueI8 i8;
    UniqueI16 InsertUniqueI16 UpdateUniqueI16 DeleteUniqueI16 i16;
    UniqueI32 InsertUniqueI32 UpdateUniqueI32 DeleteUniqueI32 i32;
    UniqueI64 InsertUniqueI64 UpdateUniqueI64 DeleteUniqueI64 i64;
    UniqueI128 InsertUniqueI128 UpdateUniqueI128 DeleteUniqueI128 i128;
    UniqueI256 InsertUniqueI256 UpdateUniqueI256 DeleteUniqueI256 I256;
    UniqueBool InsertUniqueBool UpdateUniqueBool DeleteUniqueBool bool;
    UniqueString InsertUniqueString UpdateUniqueString DeleteUniqueString String;
    UniqueIdentity InsertUniqueIdentity UpdateUniqueIdentity DeleteUniqueIdentity Identity;
    UniqueConnectionId InsertUniqueConnectionId UpdateUniqueConnectionId DeleteUniqueConnectionId ConnectionId;
    UniqueTimestamp InsertUniqueTimestamp UpdateUniqueTimestamp DeleteUniqueTimestamp Timestamp;
    UniqueUuid InsertUniqueUuid UpdateUniqueUuid DeleteUniqueUuid Uuid;
}

keyed! { install_pk, primary_key, Primary:
    PkU8 InsertPkU8 UpdatePkU8 DeletePkU8 u8;
    PkU16 InsertPkU16 UpdatePkU16 DeletePkU16 u16;
    PkU32 InsertPkU32 UpdatePkU32 DeletePkU32 u32;
    PkU64 InsertPkU64 UpdatePkU64 DeletePkU64 u64;
    PkU128 InsertPkU128 UpdatePkU128 DeletePkU128 u128;
    PkU256 InsertPkU256 UpdatePkU256 DeletePkU256 U256;
    PkI8 InsertPkI8 UpdatePkI8 DeletePkI8 i8;
    PkI16 InsertPkI16 UpdatePkI16 DeletePkI16 i16;
    PkI32 InsertPkI32 UpdatePkI32 DeletePkI32 i32;
    PkI64 InsertPkI64 UpdatePkI64 DeletePkI64 i64;
    PkI128 InsertPkI128 UpdatePkI128 DeletePkI128 i128;
    PkI256 InsertPkI256 UpdatePkI256 DeletePkI256 I256;
    PkBool InsertPkBool UpdatePkBool DeletePkBool bool;
    PkString InsertPkString UpdatePkString DeletePkString String;
    PkIdentity InsertPkIdentity UpdatePkIdentity DeletePkIdentity Identity;
    PkConnectionId InsertPkConnectionId UpdatePkConnectionId DeletePkConnectionId ConnectionId;
    PkTimestamp InsertPkTimestamp UpdatePkTimestamp DeletePkTimestamp Timestamp;
    PkUuid InsertPkUuid UpdatePkUuid DeletePkUuid Uuid;
    PkSimpleEnum InsertPkSimpleEnum UpdatePkSimpleEnum DeletePkSimpleEnum SimpleEnum;
    PkU32Two InsertPkU32Two UpdatePkU32Two DeletePkU32Two u32;
}

#[reducer]
pub fn insert_caller_unique_identity(data: i32) -> Result<(), String>;

#[reducer]
pub fn insert_caller_pk_identity(data: i32) -> Result<(), String>;

#[reducer]
pub fn insert_caller_unique_connection_id(data: i32) -> Result<(), String>;

#[reducer]
pub fn insert_caller_pk_connection_id(data: i32) -> Result<(), String>;

/// Gives the row another key.
#[reducer]
pub fn rekey_pk_u32(from: u32, to: u32) -> Result<(), String>;

/// Deletes the row and inserts the same one again.
#[reducer]
pub fn replace_pk_u32_with_itself(key: u32) -> Result<(), String>;

/// Inserts a thousand rows whose keys ascend in time, in `pk_uuid`.
#[reducer]
pub fn insert_sorted_uuids() -> Result<(), String>;

#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table]
pub struct AutoInc {
    #[primary_key]
    #[auto_inc]
    pub id: u64,
    #[unique]
    pub name: String,
    pub level: u32,
}

#[reducer]
pub fn insert_auto_inc(name: String, level: u32) -> Result<(), String>;

/// Exchanges two rows' unique names in one transaction.
#[reducer]
pub fn swap_auto_inc_names(a: u64, b: u64) -> Result<(), String>;

pub(super) fn install(builder: Builder) -> Builder {
    install_pk(install_unique(builder))
        .reducer(|tx: &mut Tx, InsertCallerUniqueIdentity { data }| {
            insert(tx, UniqueIdentity { key: tx.sender(), data })
        })
        .reducer(|tx: &mut Tx, InsertCallerPkIdentity { data }| {
            insert(tx, PkIdentity { key: tx.sender(), data })
        })
        .reducer(|tx: &mut Tx, InsertCallerUniqueConnectionId { data }| {
            let key = tx.connection_id().ok_or("the caller has no connection")?;
            insert(tx, UniqueConnectionId { key, data })
        })
        .reducer(|tx: &mut Tx, InsertCallerPkConnectionId { data }| {
            let key = tx.connection_id().ok_or("the caller has no connection")?;
            insert(tx, PkConnectionId { key, data })
        })
        .reducer(|tx: &mut Tx, RekeyPkU32 { from, to }| rekey(tx, from, to))
        .reducer(|tx: &mut Tx, ReplacePkU32WithItself { key }| rekey(tx, key, key))
        .reducer(|tx: &mut Tx, InsertSortedUuids| {
            for data in 0..1000 {
                let key = fresh_uuid_v7(tx);
                insert(tx, PkUuid { key, data })?;
            }
            Ok(())
        })
        .table::<AutoInc>()
        .reducer(|tx: &mut Tx, InsertAutoInc { name, level }| {
            let id = tx.next_id::<AutoInc>();
            insert(tx, AutoInc { id, name, level })
        })
        .reducer(|tx: &mut Tx, SwapAutoIncNames { a, b }| {
            let first = tx.find(AutoInc::ID, &a).ok_or("no row has the first id")?;
            let second = tx.find(AutoInc::ID, &b).ok_or("no row has the second id")?;
            tx.delete(&first);
            tx.delete(&second);
            tx.insert(AutoInc { name: second.name, ..first });
            tx.insert(AutoInc { name: first.name, ..second });
            Ok(())
        })
}

fn rekey(tx: &mut Tx, from: u32, to: u32) -> Result<(), String> {
    let row = tx.find(PkU32::KEY, &from).ok_or("no row has this key")?;
    tx.delete(&row);
    insert(tx, PkU32 { key: to, ..row })
}
