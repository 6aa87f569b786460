//! Views whose rows have a primary key, so that a change of a row is an update.

use lightlike::prelude::*;
use lightlike_testkit::{Builder, Tx};

use super::keys::insert;

#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table]
pub struct ViewPkPlayer {
    #[primary_key]
    pub id: u64,
    #[index(btree)]
    pub name: String,
}

#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table]
pub struct ViewPkMembership {
    #[primary_key]
    pub id: u64,
    #[index(btree)]
    pub player_id: u64,
    #[index(btree)]
    pub member: Identity,
}

#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table]
pub struct ViewPkMembershipSecondary {
    #[primary_key]
    pub id: u64,
    #[index(btree)]
    pub player_id: u64,
    #[index(btree)]
    pub member: Identity,
}

/// Every player, as a query.
#[derive(Table)]
#[table(view, row = ViewPkPlayer, primary_key = id)]
pub struct AllViewPkPlayers;

/// Players that the caller is a member of, as a query over a join.
#[derive(Table)]
#[table(view, row = ViewPkPlayer, primary_key = id)]
pub struct SenderViewPkPlayersA;

/// The same over the second membership table.
#[derive(Table)]
#[table(view, row = ViewPkPlayer, primary_key = id)]
pub struct SenderViewPkPlayersB;

/// Every player whose name is not empty, computed.
#[derive(Table)]
#[table(view, row = ViewPkPlayer, primary_key = id)]
pub struct NamedViewPkPlayers;

/// Players that the caller is a member of, computed.
#[derive(Table)]
#[table(view, row = ViewPkPlayer, primary_key = id)]
pub struct MyViewPkPlayers;

#[reducer]
pub fn insert_view_pk_player(id: u64, name: String) -> Result<(), String>;

#[reducer]
pub fn update_view_pk_player(id: u64, name: String) -> Result<(), String>;

#[reducer]
pub fn delete_view_pk_player(id: u64);

/// Makes the caller a member of a player.
#[reducer]
pub fn insert_view_pk_membership(id: u64, player_id: u64) -> Result<(), String>;

/// Makes the caller a member of a player in the second table.
#[reducer]
pub fn insert_view_pk_membership_secondary(id: u64, player_id: u64) -> Result<(), String>;

pub(super) fn install(builder: Builder) -> Builder {
    builder
        .table::<ViewPkPlayer>()
        .table::<ViewPkMembership>()
        .table::<ViewPkMembershipSecondary>()
        .view::<AllViewPkPlayers>(|tx| tx.iter::<ViewPkPlayer>().collect())
        .view::<SenderViewPkPlayersA>(joined)
        .view::<SenderViewPkPlayersB>(|tx| {
            let rows = tx.iter::<ViewPkMembershipSecondary>();
            let mine: Vec<_> = rows.filter(|row| row.member == tx.sender()).collect();
            find_players(tx, mine.iter().map(|row| row.player_id))
        })
        .view::<NamedViewPkPlayers>(|tx| {
            tx.iter::<ViewPkPlayer>().filter(|player| !player.name.is_empty()).collect()
        })
        .view::<MyViewPkPlayers>(joined)
        .reducer(|tx: &mut Tx, InsertViewPkPlayer { id, name }| {
            insert(tx, ViewPkPlayer { id, name })
        })
        .reducer(|tx: &mut Tx, UpdateViewPkPlayer { id, name }| {
            let player = tx.find(ViewPkPlayer::ID, &id).ok_or("no player has this id")?;
            tx.update(ViewPkPlayer { name, ..player });
            Ok(())
        })
        .reducer(|tx: &mut Tx, DeleteViewPkPlayer { id }| {
            tx.delete_by(ViewPkPlayer::ID, &id);
            Ok(())
        })
        .reducer(|tx: &mut Tx, InsertViewPkMembership { id, player_id }| {
            insert(tx, ViewPkMembership { id, player_id, member: tx.sender() })
        })
        .reducer(|tx: &mut Tx, InsertViewPkMembershipSecondary { id, player_id }| {
            insert(tx, ViewPkMembershipSecondary { id, player_id, member: tx.sender() })
        })
}

fn joined(tx: &Tx) -> Vec<ViewPkPlayer> {
    let rows = tx.iter::<ViewPkMembership>();
    let mine: Vec<_> = rows.filter(|row| row.member == tx.sender()).collect();
    find_players(tx, mine.iter().map(|row| row.player_id))
}

fn find_players(tx: &Tx, ids: impl Iterator<Item = u64>) -> Vec<ViewPkPlayer> {
    ids.filter_map(|id| tx.find(ViewPkPlayer::ID, &id)).collect()
}
