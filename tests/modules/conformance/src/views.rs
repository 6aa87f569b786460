//! Views: for everybody and for the caller, of one row and of many, of a table's rows and of rows of their own, computed
//! and as a query, with and without arguments.

use spacetimedb::{
    AnonymousViewContext, Identity, Query, ReducerContext, SpacetimeType, Table, ViewContext,
    reducer, table, view,
};

#[table(accessor = player, public)]
pub struct Player {
    #[primary_key]
    #[auto_inc]
    entity_id: u64,
    #[unique]
    identity: Identity,
}

#[table(accessor = player_level, public)]
pub struct PlayerLevel {
    #[primary_key]
    entity_id: u64,
    #[index(btree)]
    level: u64,
}

#[table(accessor = player_location, public)]
pub struct PlayerLocation {
    #[unique]
    entity_id: u64,
    #[index(btree)]
    active: bool,
    x: i32,
    y: i32,
}

/// A row that no table has.
#[derive(SpacetimeType)]
pub struct PlayerAndLevel {
    entity_id: u64,
    identity: Identity,
    level: u64,
}

#[derive(SpacetimeType)]
pub struct PlayerCount {
    count: u64,
}

/// The caller's player.
#[view(accessor = my_player, public)]
pub fn my_player(ctx: &ViewContext) -> Option<Player> {
    ctx.db.player().identity().find(ctx.sender())
}

/// The caller's player with its level, which is no row of a table.
#[view(accessor = my_player_and_level, public)]
pub fn my_player_and_level(ctx: &ViewContext) -> Option<PlayerAndLevel> {
    let Player { entity_id, identity } = ctx.db.player().identity().find(ctx.sender())?;
    let PlayerLevel { level, .. } = ctx.db.player_level().entity_id().find(entity_id)?;
    Some(PlayerAndLevel { entity_id, identity, level })
}

#[view(accessor = players_at_level_0, public)]
pub fn players_at_level_0(ctx: &AnonymousViewContext) -> Vec<Player> {
    players_at(ctx, 0)
}

/// A view with an argument: `SELECT * FROM players_at_level(3)`.
#[view(accessor = players_at_level, public)]
pub fn players_at_level(ctx: &AnonymousViewContext, level: u64) -> Vec<Player> {
    players_at(ctx, level)
}

fn players_at(ctx: &AnonymousViewContext, level: u64) -> Vec<Player> {
    let levels = ctx.db.player_level().level().filter(level);
    levels.filter_map(|row| ctx.db.player().entity_id().find(row.entity_id)).collect()
}

/// Active players at most 5 away from the caller's, itself not among them.
#[view(accessor = nearby_players, public)]
pub fn nearby_players(ctx: &ViewContext) -> Vec<PlayerLocation> {
    let own = ctx.db.player().identity().find(ctx.sender());
    let Some(here) =
        own.and_then(|player| ctx.db.player_location().entity_id().find(player.entity_id))
    else {
        return Vec::new();
    };
    let near =
        |there: &PlayerLocation| there.x.abs_diff(here.x) <= 5 && there.y.abs_diff(here.y) <= 5;
    let others = ctx.db.player_location().active().filter(true);
    others.filter(|there| there.entity_id != here.entity_id && near(there)).collect()
}

/// A count over a whole table.
#[view(accessor = player_count, public)]
pub fn player_count(ctx: &AnonymousViewContext) -> Option<PlayerCount> {
    Some(PlayerCount { count: ctx.db.player().count() })
}

/// A query, not rows: the table's key is the view's.
#[view(accessor = active_locations, public)]
pub fn active_locations(ctx: &AnonymousViewContext) -> impl Query<PlayerLocation> {
    ctx.from.player_location().filter(|row| row.active.eq(true))
}

/// A query with a join.
#[view(accessor = players_above_level_1, public)]
pub fn players_above_level_1(ctx: &AnonymousViewContext) -> impl Query<Player> {
    let levels = ctx.from.player_level().filter(|row| row.level.gt(1u64));
    levels.right_semijoin(ctx.from.player(), |level, player| level.entity_id.eq(player.entity_id))
}

/// A query about the caller.
#[view(accessor = my_player_query, public)]
pub fn my_player_query(ctx: &ViewContext) -> impl Query<Player> {
    let me = ctx.sender();
    ctx.from.player().filter(|row| row.identity.eq(me))
}

/// Makes a player of this level for the identity, at the origin, or gives its player this level.
#[reducer]
pub fn insert_player(ctx: &ReducerContext, identity: Identity, level: u64) {
    if let Some(Player { entity_id, .. }) = ctx.db.player().identity().find(identity) {
        ctx.db.player_level().entity_id().update(PlayerLevel { entity_id, level });
        return;
    }
    let Player { entity_id, .. } = ctx.db.player().insert(Player { entity_id: 0, identity });
    ctx.db.player_level().insert(PlayerLevel { entity_id, level });
    ctx.db.player_location().insert(PlayerLocation { entity_id, active: true, x: 0, y: 0 });
}

#[reducer]
pub fn delete_player(ctx: &ReducerContext, identity: Identity) {
    if let Some(Player { entity_id, .. }) = ctx.db.player().identity().find(identity) {
        ctx.db.player().entity_id().delete(entity_id);
        ctx.db.player_level().entity_id().delete(entity_id);
        ctx.db.player_location().entity_id().delete(entity_id);
    }
}

/// Moves the caller's player, which is made at level 0 if there is none.
#[reducer]
pub fn move_player(ctx: &ReducerContext, dx: i32, dy: i32) -> Result<(), String> {
    if ctx.db.player().identity().find(ctx.sender()).is_none() {
        insert_player(ctx, ctx.sender(), 0);
    }
    let player = ctx.db.player().identity().find(ctx.sender()).ok_or("the caller has no player")?;
    let locations = ctx.db.player_location().entity_id();
    let at = locations.find(player.entity_id).ok_or("the caller's player is nowhere")?;
    locations.delete(at.entity_id);
    ctx.db.player_location().insert(PlayerLocation { x: at.x + dx, y: at.y + dy, ..at });
    Ok(())
}
