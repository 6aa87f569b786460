//! Names that the server changes (a boundary at each digit) and names that it must not (`name = ".."`).

#![allow(non_snake_case)]

use spacetimedb::{
    AnonymousViewContext, ReducerContext, SpacetimeType, Table, reducer, table, view,
};

/// Explicit: the wire says `Player1Canonical`.
#[table(accessor = player_1, name = "Player1Canonical", public)]
pub struct Player1 {
    #[primary_key]
    #[auto_inc]
    Player1Id: u32,
    player_name: String,
    #[index(btree)]
    currentLevel2: u32,
    status3Field: Player2Status,
}

#[derive(SpacetimeType, Clone, Debug)]
pub enum Player2Status {
    Active1,
    BannedUntil(u32),
}

#[derive(SpacetimeType, Clone, Debug)]
pub struct Person3Info {
    AgeValue1: u8,
    ScoreTotal: u32,
}

/// Implicit: the accessor and the columns in camel case, with digits.
#[table(accessor = Person2, public)]
pub struct Person2Row {
    #[primary_key]
    #[auto_inc]
    PersonId: u32,
    FirstName: String,
    #[index(btree)]
    playerRef: u32,
    personInfo: Person3Info,
}

#[reducer]
pub fn CreatePlayer1(ctx: &ReducerContext, Player1Name: String, start_level2: u32) {
    ctx.db.player_1().insert(Player1 {
        Player1Id: 0,
        player_name: Player1Name,
        currentLevel2: start_level2,
        status3Field: Player2Status::Active1,
    });
}

#[reducer]
pub fn AddPerson2(
    ctx: &ReducerContext,
    FirstName: String,
    playerRef: u32,
    AgeValue: u8,
    ScoreTotal: u32,
) {
    let personInfo = Person3Info { AgeValue1: AgeValue, ScoreTotal };
    ctx.db.Person2().insert(Person2Row { PersonId: 0, FirstName, playerRef, personInfo });
}

/// Explicit: the wire says `banPlayer1`.
#[reducer(name = "banPlayer1")]
pub fn ban_player_1(ctx: &ReducerContext, Player1Id: u32, BanUntil6: u32) -> Result<(), String> {
    let players = ctx.db.player_1().Player1Id();
    let player = players.find(Player1Id).ok_or("no player has this id")?;
    players.update(Player1 { status3Field: Player2Status::BannedUntil(BanUntil6), ..player });
    Ok(())
}

/// Explicit: the wire says `Level2Person`. People whose player has level 2.
#[view(accessor = person_at_level_2, name = "Level2Person", public)]
pub fn person_at_level_2(ctx: &AnonymousViewContext) -> Vec<Person2Row> {
    let players = ctx.db.player_1().currentLevel2().filter(2u32);
    players.flat_map(|player| ctx.db.Person2().playerRef().filter(player.Player1Id)).collect()
}
