//! Tables with indexes that are not keys: ordered, over several columns, hashed, direct, on an enum.

use crate::types::SimpleEnum;
use spacetimedb::{ReducerContext, Table, Timestamp, reducer, table};

/// Scores of players in games: one ordered index, one over two columns, one over three.
#[table(
    accessor = score, public,
    index(accessor = by_game_and_points, btree(columns = [game, points])),
    index(accessor = by_all, btree(columns = [game, player, points])),
)]
pub struct Score {
    #[primary_key]
    id: u64,
    #[index(btree)]
    game: u32,
    player: String,
    points: i64,
}

#[reducer]
pub fn insert_score(
    ctx: &ReducerContext,
    id: u64,
    game: u32,
    player: String,
    points: i64,
) -> Result<(), String> {
    let inserted = ctx.db.score().try_insert(Score { id, game, player, points });
    inserted.map(|_| ()).map_err(|e| e.to_string())
}

#[reducer]
pub fn update_score(ctx: &ReducerContext, id: u64, points: i64) -> Result<(), String> {
    let scores = ctx.db.score().id();
    let score = scores.find(id).ok_or("no score has this id")?;
    scores.update(Score { points, ..score });
    Ok(())
}

#[reducer]
pub fn delete_scores_of_game(ctx: &ReducerContext, game: u32) {
    ctx.db.score().game().delete(game);
}

/// No key, an ordered index.
#[table(accessor = btree_u32, public)]
pub struct BtreeU32 {
    #[index(btree)]
    pub n: u32,
    pub data: i32,
}

/// A point in time, ordered.
#[table(accessor = indexed_timestamp, public)]
pub struct IndexedTimestamp {
    #[index(btree)]
    at: Timestamp,
    note: String,
}

#[reducer]
pub fn insert_indexed_timestamp(ctx: &ReducerContext, at: Timestamp, note: String) {
    ctx.db.indexed_timestamp().insert(IndexedTimestamp { at, note });
}

/// An index that is hashed, not ordered.
#[table(accessor = hashed, public)]
pub struct Hashed {
    #[index(hash)]
    name: String,
    data: i32,
}

#[reducer]
pub fn insert_hashed(ctx: &ReducerContext, name: String, data: i32) {
    ctx.db.hashed().insert(Hashed { name, data });
}

/// A unique column with a direct index.
#[table(accessor = direct, public)]
pub struct Direct {
    #[unique]
    #[index(direct)]
    slot: u32,
    data: i32,
}

#[reducer]
pub fn insert_direct(ctx: &ReducerContext, slot: u32, data: i32) -> Result<(), String> {
    let inserted = ctx.db.direct().try_insert(Direct { slot, data });
    inserted.map(|_| ()).map_err(|e| e.to_string())
}

#[table(accessor = indexed_simple_enum, public)]
pub struct IndexedSimpleEnum {
    #[index(btree)]
    n: SimpleEnum,
}

#[reducer]
pub fn insert_into_indexed_simple_enum(ctx: &ReducerContext, n: SimpleEnum) {
    ctx.db.indexed_simple_enum().insert(IndexedSimpleEnum { n });
}

/// Turns the rows with `a` into one with `b`. Fails when there is none.
#[reducer]
pub fn update_indexed_simple_enum(
    ctx: &ReducerContext,
    a: SimpleEnum,
    b: SimpleEnum,
) -> Result<(), String> {
    match ctx.db.indexed_simple_enum().n().delete(a) {
        0 => Err("no row has this value".into()),
        _ => {
            ctx.db.indexed_simple_enum().insert(IndexedSimpleEnum { n: b });
            Ok(())
        }
    }
}
