//! Tables with a key: `unique_*` by a unique column without a primary key (a change is a delete and an insert), `pk_*` by
//! a primary key (a change is an update).

use lightlike::prelude::*;
use lightlike_testkit::{Builder, Tx};

use super::columns::fresh_uuid_v7;
use super::types::SimpleEnum;
pub use super::values::Keyed;

macro_rules! keyed {
    ($install:ident, $attribute:ident:
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

unique_tables! { keyed install_unique, unique: }

pk_tables! { keyed install_pk, primary_key: }

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
