//! Reducers that change several indexed tables in one transaction, for queries that join them, and two plain tables to
//! join: `r` and `s`.

use crate::indexes::{BtreeU32, btree_u32};
use crate::keys::{PkU32, insert_pk_u32_two, insert_unique_u32, pk_u32};
use spacetimedb::{ReducerContext, SpacetimeType, Table, reducer, table};

#[table(accessor = r, public)]
pub struct RRow {
    #[primary_key]
    id: u32,
    #[index(btree)]
    s_id: u32,
    text: String,
}

#[table(accessor = s, public)]
pub struct SRow {
    #[primary_key]
    id: u32,
    #[index(btree)]
    visible: bool,
}

/// Inserts the row, or replaces the one with its id.
#[reducer]
pub fn put_r(ctx: &ReducerContext, id: u32, s_id: u32, text: String) {
    ctx.db.r().id().delete(id);
    ctx.db.r().insert(RRow { id, s_id, text });
}

/// Inserts the row, or replaces the one with its id.
#[reducer]
pub fn put_s(ctx: &ReducerContext, id: u32, visible: bool) {
    ctx.db.s().id().delete(id);
    ctx.db.s().insert(SRow { id, visible });
}

#[reducer]
pub fn delete_r(ctx: &ReducerContext, id: u32) {
    ctx.db.r().id().delete(id);
}

#[reducer]
pub fn delete_s(ctx: &ReducerContext, id: u32) {
    ctx.db.s().id().delete(id);
}

/// Inserts a row into `unique_u32` and gives the row of `pk_u32` with the same key other data.
#[reducer]
pub fn insert_unique_u32_update_pk_u32(
    ctx: &ReducerContext,
    key: u32,
    unique_data: i32,
    pk_data: i32,
) -> Result<(), String> {
    insert_unique_u32(ctx, key, unique_data)?;
    ctx.db.pk_u32().key().find(key).ok_or("no row of pk_u32 has this key")?;
    ctx.db.pk_u32().key().update(PkU32 { key, data: pk_data });
    Ok(())
}

/// Moves the row from `pk_u32` to `pk_u32_two`.
#[reducer]
pub fn delete_pk_u32_insert_pk_u32_two(
    ctx: &ReducerContext,
    key: u32,
    data: i32,
) -> Result<(), String> {
    ctx.db.pk_u32().key().delete(key);
    insert_pk_u32_two(ctx, key, data)
}

/// A row of `btree_u32`, as an argument.
#[derive(SpacetimeType)]
pub struct Entry {
    n: u32,
    data: i32,
}

#[reducer]
pub fn insert_into_btree_u32(ctx: &ReducerContext, rows: Vec<Entry>) {
    for Entry { n, data } in rows {
        ctx.db.btree_u32().insert(BtreeU32 { n, data });
    }
}

#[reducer]
pub fn delete_from_btree_u32(ctx: &ReducerContext, rows: Vec<Entry>) {
    for Entry { n, data } in rows {
        ctx.db.btree_u32().delete(BtreeU32 { n, data });
    }
}

/// Inserts into `pk_u32` and `btree_u32` in one transaction: a join on them has one row of `pk_u32` several times.
#[reducer]
pub fn insert_into_pk_btree_u32(ctx: &ReducerContext, pk_rows: Vec<Entry>, btree_rows: Vec<Entry>) {
    for Entry { n, data } in pk_rows {
        ctx.db.pk_u32().insert(PkU32 { key: n, data });
    }
    insert_into_btree_u32(ctx, btree_rows);
}
