//! Views: for everybody and for the caller, of one row and of many, of a table's rows and of rows of their own.

use lightlike::prelude::*;
use lightlike_testkit::{Builder, Tx};

#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table]
pub struct Player {
    #[primary_key]
    #[auto_inc]
    pub entity_id: u64,
    #[unique]
    pub identity: Identity,
}

#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table]
pub struct PlayerLevel {
    #[primary_key]
    pub entity_id: u64,
    #[index(btree)]
    pub level: u64,
}

#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table]
pub struct PlayerLocation {
    #[unique]
    pub entity_id: u64,
    #[index(btree)]
    pub active: bool,
    pub x: i32,
    pub y: i32,
}

/// The caller's player.
#[derive(Table)]
#[table(view, row = Player)]
pub struct MyPlayer;

/// The caller's player with its level: a row that no table has.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table(view, name = "my_player_and_level")]
pub struct PlayerAndLevel {
    pub entity_id: u64,
    pub identity: Identity,
    pub level: u64,
}

#[derive(Table)]
#[table(view, row = Player)]
pub struct PlayersAtLevel0;

/// A view with an argument.
#[derive(Table)]
#[table(view, row = Player, args(level: u64))]
pub struct PlayersAtLevel;

/// Active players at most 5 away from the caller's, itself not among them.
#[derive(Table)]
#[table(view, row = PlayerLocation)]
pub struct NearbyPlayers;

/// A count over a whole table.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table(view)]
pub struct PlayerCount {
    pub count: u64,
}

/// A query, not rows.
#[derive(Table)]
#[table(view, row = PlayerLocation)]
pub struct ActiveLocations;

/// A query with a join. It has its table's key.
#[derive(Table)]
#[table(view, name = "players_above_level_1", row = Player, primary_key = entity_id)]
pub struct PlayersAboveLevel1;

/// A query about the caller. It has its table's key.
#[derive(Table)]
#[table(view, row = Player, primary_key = entity_id)]
pub struct MyPlayerQuery;

/// Makes a player of this level for the identity, at the origin, or gives its player this level.
#[reducer]
pub fn insert_player(identity: Identity, level: u64);

#[reducer]
pub fn delete_player(identity: Identity);

/// Moves the caller's player, which is made at level 0 if there is none.
#[reducer]
pub fn move_player(dx: i32, dy: i32) -> Result<(), String>;

pub(super) fn install(builder: Builder) -> Builder {
    builder
        .table::<Player>()
        .table::<PlayerLevel>()
        .table::<PlayerLocation>()
        .view::<MyPlayer>(|tx| own(tx).into_iter().collect())
        .view::<PlayerAndLevel>(|tx| {
            let own = own(tx).into_iter();
            own.filter_map(|Player { entity_id, identity }| {
                let PlayerLevel { level, .. } = tx.find(PlayerLevel::ENTITY_ID, &entity_id)?;
                Some(PlayerAndLevel { entity_id, identity, level })
            })
            .collect()
        })
        .view::<PlayersAtLevel0>(|tx| players(tx, |level| level == 0))
        .view::<NearbyPlayers>(nearby)
        .view::<PlayerCount>(|tx| vec![PlayerCount { count: tx.len::<Player>() as u64 }])
        .view::<ActiveLocations>(|tx| tx.iter::<PlayerLocation>().filter(|at| at.active).collect())
        .view::<PlayersAboveLevel1>(|tx| players(tx, |level| level > 1))
        .view::<MyPlayerQuery>(|tx| own(tx).into_iter().collect())
        .reducer(|tx: &mut Tx, InsertPlayer { identity, level }| {
            put_player(tx, identity, level);
            Ok(())
        })
        .reducer(|tx: &mut Tx, DeletePlayer { identity }| {
            if let Some(Player { entity_id, .. }) = tx.find(Player::IDENTITY, &identity) {
                tx.delete_by(Player::ENTITY_ID, &entity_id);
                tx.delete_by(PlayerLevel::ENTITY_ID, &entity_id);
                tx.delete_by(PlayerLocation::ENTITY_ID, &entity_id);
            }
            Ok(())
        })
        .reducer(|tx: &mut Tx, MovePlayer { dx, dy }| {
            if own(tx).is_none() {
                put_player(tx, tx.sender(), 0);
            }
            let player = own(tx).ok_or("the caller has no player")?;
            let at = tx.find(PlayerLocation::ENTITY_ID, &player.entity_id);
            let at = at.ok_or("the caller's player is nowhere")?;
            tx.delete(&at);
            tx.insert(PlayerLocation { x: at.x + dx, y: at.y + dy, ..at });
            Ok(())
        })
}

fn own(tx: &Tx) -> Option<Player> {
    tx.find(Player::IDENTITY, &tx.sender())
}

fn players(tx: &Tx, at: impl Fn(u64) -> bool) -> Vec<Player> {
    let levels = tx.iter::<PlayerLevel>().filter(|row| at(row.level));
    levels.filter_map(|row| tx.find(Player::ENTITY_ID, &row.entity_id)).collect()
}

fn nearby(tx: &Tx) -> Vec<PlayerLocation> {
    let here = own(tx).and_then(|own| tx.find(PlayerLocation::ENTITY_ID, &own.entity_id));
    let Some(here) = here else { return Vec::new() };
    let near =
        |there: &PlayerLocation| there.x.abs_diff(here.x) <= 5 && there.y.abs_diff(here.y) <= 5;
    let others = tx.iter::<PlayerLocation>().filter(|there| there.entity_id != here.entity_id);
    others.filter(|there| there.active && near(there)).collect()
}

fn put_player(tx: &mut Tx, identity: Identity, level: u64) {
    if let Some(Player { entity_id, .. }) = tx.find(Player::IDENTITY, &identity) {
        tx.update(PlayerLevel { entity_id, level });
        return;
    }
    let entity_id = tx.next_id::<Player>();
    tx.insert(Player { entity_id, identity });
    tx.insert(PlayerLevel { entity_id, level });
    tx.insert(PlayerLocation { entity_id, active: true, x: 0, y: 0 });
}
