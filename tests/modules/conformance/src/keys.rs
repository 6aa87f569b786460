//! Tables with a key: `unique_*` by a unique column without a primary key (a change is a delete and an insert), `pk_*` by
//! a primary key (a change is an update). An insert that meets a taken key returns an error and changes nothing.

use crate::types::SimpleEnum;
use pastey::paste;
use spacetimedb::sats::{i256, u256};
use spacetimedb::{ConnectionId, Identity, ReducerContext, Table, Timestamp, Uuid, reducer, table};

/// One line a table: its row type, which also names the table and its reducers, and the type of its key.
macro_rules! keyed {
    ($attribute:ident: $($Row:ident $ty:ty;)*) => {$(paste! {
        #[table(accessor = [<$Row:snake>], public)]
        pub struct $Row {
            #[$attribute]
            pub key: $ty,
            pub data: i32,
        }

        #[reducer]
        pub fn [<insert_ $Row:snake>](ctx: &ReducerContext, key: $ty, data: i32) -> Result<(), String> {
            let inserted = ctx.db.[<$Row:snake>]().try_insert($Row { key, data });
            inserted.map(|_| ()).map_err(|e| e.to_string())
        }

        #[reducer]
        pub fn [<update_ $Row:snake>](ctx: &ReducerContext, key: $ty, data: i32) -> Result<(), String> {
            [<delete_ $Row:snake>](ctx, key.clone())?;
            [<insert_ $Row:snake>](ctx, key, data)
        }

        #[reducer]
        pub fn [<delete_ $Row:snake>](ctx: &ReducerContext, key: $ty) -> Result<(), String> {
            match ctx.db.[<$Row:snake>]().key().delete(&key) {
                true => Ok(()),
                false => Err("no row has this key".into()),
            }
        }
    })*};
}

keyed! { unique:
    UniqueU8 u8;
    UniqueU16 u16;
    UniqueU32 u32;
    UniqueU64 u64;
    UniqueU128 u128;
    UniqueU256 u256;
    UniqueI8 i8;
    UniqueI16 i16;
    UniqueI32 i32;
    UniqueI64 i64;
    UniqueI128 i128;
    UniqueI256 i256;
    UniqueBool bool;
    UniqueString String;
    UniqueIdentity Identity;
    UniqueConnectionId ConnectionId;
    UniqueTimestamp Timestamp;
    UniqueUuid Uuid;
}

keyed! { primary_key:
    PkU8 u8;
    PkU16 u16;
    PkU32 u32;
    PkU64 u64;
    PkU128 u128;
    PkU256 u256;
    PkI8 i8;
    PkI16 i16;
    PkI32 i32;
    PkI64 i64;
    PkI128 i128;
    PkI256 i256;
    PkBool bool;
    PkString String;
    PkIdentity Identity;
    PkConnectionId ConnectionId;
    PkTimestamp Timestamp;
    PkUuid Uuid;
    PkSimpleEnum SimpleEnum;
    PkU32Two u32;
}

#[reducer]
pub fn insert_caller_unique_identity(ctx: &ReducerContext, data: i32) -> Result<(), String> {
    insert_unique_identity(ctx, ctx.sender(), data)
}

#[reducer]
pub fn insert_caller_pk_identity(ctx: &ReducerContext, data: i32) -> Result<(), String> {
    insert_pk_identity(ctx, ctx.sender(), data)
}

#[reducer]
pub fn insert_caller_unique_connection_id(ctx: &ReducerContext, data: i32) -> Result<(), String> {
    let key = ctx.connection_id().ok_or("the caller has no connection")?;
    insert_unique_connection_id(ctx, key, data)
}

#[reducer]
pub fn insert_caller_pk_connection_id(ctx: &ReducerContext, data: i32) -> Result<(), String> {
    let key = ctx.connection_id().ok_or("the caller has no connection")?;
    insert_pk_connection_id(ctx, key, data)
}

/// Gives the row another key: a delete and an insert, and no update, in one transaction.
#[reducer]
pub fn rekey_pk_u32(ctx: &ReducerContext, from: u32, to: u32) -> Result<(), String> {
    let rows = ctx.db.pk_u32().key();
    let row = rows.find(&from).ok_or("no row has this key")?;
    rows.delete(&from);
    insert_pk_u32(ctx, to, row.data)
}

/// Deletes the row and inserts the same one again: nothing changes.
#[reducer]
pub fn replace_pk_u32_with_itself(ctx: &ReducerContext, key: u32) -> Result<(), String> {
    rekey_pk_u32(ctx, key, key)
}

/// Inserts a thousand rows whose keys ascend in time, in `pk_uuid`.
#[reducer]
pub fn insert_sorted_uuids(ctx: &ReducerContext) -> Result<(), String> {
    for data in 0..1000 {
        let key = ctx.new_uuid_v7().map_err(|e| e.to_string())?;
        insert_pk_uuid(ctx, key, data)?;
    }
    Ok(())
}

/// A primary key that the server counts up, beside a unique column, beside a column with a default.
#[table(accessor = auto_inc, public)]
pub struct AutoInc {
    #[primary_key]
    #[auto_inc]
    id: u64,
    #[unique]
    name: String,
    #[default(7)]
    level: u32,
}

#[reducer]
pub fn insert_auto_inc(ctx: &ReducerContext, name: String, level: u32) -> Result<(), String> {
    let inserted = ctx.db.auto_inc().try_insert(AutoInc { id: 0, name, level });
    inserted.map(|_| ()).map_err(|e| e.to_string())
}

/// Exchanges two rows' unique names in one transaction.
#[reducer]
pub fn swap_auto_inc_names(ctx: &ReducerContext, a: u64, b: u64) -> Result<(), String> {
    let rows = ctx.db.auto_inc().id();
    let first = rows.find(a).ok_or("no row has the first id")?;
    let second = rows.find(b).ok_or("no row has the second id")?;
    rows.delete(a);
    rows.delete(b);
    let (first_name, second_name) = (first.name, second.name);
    ctx.db.auto_inc().insert(AutoInc { name: second_name, id: first.id, level: first.level });
    ctx.db.auto_inc().insert(AutoInc { name: first_name, id: second.id, level: second.level });
    Ok(())
}
