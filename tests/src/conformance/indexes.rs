//! Tables with indexes that are not keys: ordered, over several columns, hashed, direct, on an enum.

use lightlike::prelude::*;
use lightlike_testkit::{Builder, Tx};

use super::keys::insert;
use super::types::SimpleEnum;

#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table(
    index(name = by_game_and_points, btree(columns = [game, points])),
    index(name = by_all, btree(columns = [game, player, points])),
)]
pub struct Score {
    #[primary_key]
    pub id: u64,
    #[index(btree)]
    pub game: u32,
    pub player: String,
    pub points: i64,
}

#[reducer]
pub fn insert_score(id: u64, game: u32, player: String, points: i64) -> Result<(), String>;

#[reducer]
pub fn update_score(id: u64, points: i64) -> Result<(), String>;

#[reducer]
pub fn delete_scores_of_game(game: u32);

/// No key, an ordered index.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table]
pub struct BtreeU32 {
    #[index(btree)]
    pub n: u32,
    pub data: i32,
}

#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table]
pub struct IndexedTimestamp {
    #[index(btree)]
    pub at: Timestamp,
    pub note: String,
}

#[reducer]
pub fn insert_indexed_timestamp(at: Timestamp, note: String);

#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table]
pub struct Hashed {
    #[index(hash)]
    pub name: String,
    pub data: i32,
}

#[reducer]
pub fn insert_hashed(name: String, data: i32);

#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table]
pub struct Direct {
    #[unique]
    #[index(direct)]
    pub slot: u32,
    pub data: i32,
}

#[reducer]
pub fn insert_direct(slot: u32, data: i32) -> Result<(), String>;

#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table]
pub struct IndexedSimpleEnum {
    #[index(btree)]
    pub n: SimpleEnum,
}

#[reducer]
pub fn insert_into_indexed_simple_enum(n: SimpleEnum);

/// Turns the rows with `a` into one with `b`. Fails when there is none.
#[reducer]
pub fn update_indexed_simple_enum(a: SimpleEnum, b: SimpleEnum) -> Result<(), String>;

pub(super) fn install(builder: Builder) -> Builder {
    builder
        .table::<Score>()
        .reducer(|tx: &mut Tx, InsertScore { id, game, player, points }| {
            insert(tx, Score { id, game, player, points })
        })
        .reducer(|tx: &mut Tx, UpdateScore { id, points }| {
            let score = tx.find(Score::ID, &id).ok_or("no score has this id")?;
            tx.update(Score { points, ..score });
            Ok(())
        })
        .reducer(|tx: &mut Tx, DeleteScoresOfGame { game }| {
            let scores: Vec<_> = tx.iter::<Score>().filter(|score| score.game == game).collect();
            for score in &scores {
                tx.delete(score);
            }
            Ok(())
        })
        .table::<BtreeU32>()
        .table::<IndexedTimestamp>()
        .reducer(|tx: &mut Tx, InsertIndexedTimestamp { at, note }| {
            tx.insert(IndexedTimestamp { at, note });
            Ok(())
        })
        .table::<Hashed>()
        .reducer(|tx: &mut Tx, InsertHashed { name, data }| {
            tx.insert(Hashed { name, data });
            Ok(())
        })
        .table::<Direct>()
        .reducer(|tx: &mut Tx, InsertDirect { slot, data }| insert(tx, Direct { slot, data }))
        .table::<IndexedSimpleEnum>()
        .reducer(|tx: &mut Tx, InsertIntoIndexedSimpleEnum { n }| {
            tx.insert(IndexedSimpleEnum { n });
            Ok(())
        })
        .reducer(|tx: &mut Tx, UpdateIndexedSimpleEnum { a, b }| {
            if !tx.delete(&IndexedSimpleEnum { n: a }) {
                return Err("no row has this value".into());
            }
            tx.insert(IndexedSimpleEnum { n: b });
            Ok(())
        })
}
