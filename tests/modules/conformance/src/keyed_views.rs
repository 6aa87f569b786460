//! Views whose rows have a primary key, so that a change of a row is an update: queries, which inherit their table's key,
//! and procedural views, which name theirs.

use spacetimedb::{
    AnonymousViewContext, Identity, Query, ReducerContext, Table, ViewContext, reducer, table, view,
};

#[table(accessor = view_pk_player, public)]
pub struct ViewPkPlayer {
    #[primary_key]
    id: u64,
    #[index(btree)]
    name: String,
}

#[table(accessor = view_pk_membership, public)]
pub struct ViewPkMembership {
    #[primary_key]
    id: u64,
    #[index(btree)]
    player_id: u64,
    #[index(btree)]
    member: Identity,
}

#[table(accessor = view_pk_membership_secondary, public)]
pub struct ViewPkMembershipSecondary {
    #[primary_key]
    id: u64,
    #[index(btree)]
    player_id: u64,
    #[index(btree)]
    member: Identity,
}

/// Every player, as a query.
#[view(accessor = all_view_pk_players, public)]
pub fn all_view_pk_players(ctx: &AnonymousViewContext) -> impl Query<ViewPkPlayer> {
    ctx.from.view_pk_player()
}

/// Players that the caller is a member of, as a query over a join.
#[view(accessor = sender_view_pk_players_a, public)]
pub fn sender_view_pk_players_a(ctx: &ViewContext) -> impl Query<ViewPkPlayer> {
    let me = ctx.sender();
    let mine = ctx.from.view_pk_membership().filter(|row| row.member.eq(me));
    mine.right_semijoin(ctx.from.view_pk_player(), |member, player| member.player_id.eq(player.id))
}

/// The same over the second membership table.
#[view(accessor = sender_view_pk_players_b, public)]
pub fn sender_view_pk_players_b(ctx: &ViewContext) -> impl Query<ViewPkPlayer> {
    let me = ctx.sender();
    let mine = ctx.from.view_pk_membership_secondary().filter(|row| row.member.eq(me));
    mine.right_semijoin(ctx.from.view_pk_player(), |member, player| member.player_id.eq(player.id))
}

/// Every player whose name is not empty, computed.
#[view(accessor = named_view_pk_players, public, primary_key = id)]
pub fn named_view_pk_players(ctx: &AnonymousViewContext) -> Vec<ViewPkPlayer> {
    ctx.db.view_pk_player().name().filter("\0"..).collect()
}

/// Players that the caller is a member of, computed.
#[view(accessor = my_view_pk_players, public, primary_key = id)]
pub fn my_view_pk_players(ctx: &ViewContext) -> Vec<ViewPkPlayer> {
    let mine = ctx.db.view_pk_membership().member().filter(ctx.sender());
    mine.filter_map(|row| ctx.db.view_pk_player().id().find(row.player_id)).collect()
}

#[reducer]
pub fn insert_view_pk_player(ctx: &ReducerContext, id: u64, name: String) -> Result<(), String> {
    let inserted = ctx.db.view_pk_player().try_insert(ViewPkPlayer { id, name });
    inserted.map(|_| ()).map_err(|e| e.to_string())
}

#[reducer]
pub fn update_view_pk_player(ctx: &ReducerContext, id: u64, name: String) -> Result<(), String> {
    let players = ctx.db.view_pk_player().id();
    players.find(id).ok_or("no player has this id")?;
    players.update(ViewPkPlayer { id, name });
    Ok(())
}

#[reducer]
pub fn delete_view_pk_player(ctx: &ReducerContext, id: u64) {
    ctx.db.view_pk_player().id().delete(id);
}

/// Makes the caller a member of a player.
#[reducer]
pub fn insert_view_pk_membership(
    ctx: &ReducerContext,
    id: u64,
    player_id: u64,
) -> Result<(), String> {
    let row = ViewPkMembership { id, player_id, member: ctx.sender() };
    ctx.db.view_pk_membership().try_insert(row).map(|_| ()).map_err(|e| e.to_string())
}

/// Makes the caller a member of a player in the second table.
#[reducer]
pub fn insert_view_pk_membership_secondary(
    ctx: &ReducerContext,
    id: u64,
    player_id: u64,
) -> Result<(), String> {
    let row = ViewPkMembershipSecondary { id, player_id, member: ctx.sender() };
    ctx.db.view_pk_membership_secondary().try_insert(row).map(|_| ()).map_err(|e| e.to_string())
}
