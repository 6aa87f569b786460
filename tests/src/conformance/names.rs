//! Names that the server changes (a boundary at each digit) and names that it must not.

use lightlike::prelude::*;
use lightlike_testkit::{Builder, Tx};

/// The module names the table explicitly, so this does too.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table(name = "Player1Canonical")]
pub struct Player1 {
    #[primary_key]
    #[auto_inc]
    pub player_1_id: u32,
    pub player_name: String,
    #[index(btree)]
    pub current_level_2: u32,
    pub status_3_field: Player2Status,
}

#[derive(Bsatn, Clone, Debug, PartialEq, Eq)]
pub enum Player2Status {
    Active1,
    BannedUntil(u32),
}

#[derive(Bsatn, Clone, Debug, PartialEq, Eq)]
pub struct Person3Info {
    pub age_value_1: u8,
    pub score_total: u32,
}

/// The module's accessor and columns are in camel case.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table(name = "person_2")]
pub struct Person2Row {
    #[primary_key]
    #[auto_inc]
    pub person_id: u32,
    pub first_name: String,
    #[index(btree)]
    pub player_ref: u32,
    pub person_info: Person3Info,
}

/// People whose player has level 2.
#[derive(Table)]
#[table(view, name = "Level2Person", row = Person2Row)]
pub struct Level2Person;

#[reducer]
pub fn create_player1(player_1_name: String, start_level_2: u32);

#[reducer]
pub fn add_person2(first_name: String, player_ref: u32, age_value: u8, score_total: u32);

#[reducer(name = "banPlayer1")]
pub fn ban_player_1(player_1_id: u32, ban_until_6: u32) -> Result<(), String>;

pub(super) fn install(builder: Builder) -> Builder {
    builder
        .table::<Player1>()
        .table::<Person2Row>()
        .view::<Level2Person>(|tx| {
            let at_level_2 = |id: &u32| {
                tx.find(Player1::PLAYER_1_ID, id).is_some_and(|player| player.current_level_2 == 2)
            };
            tx.iter::<Person2Row>().filter(|person| at_level_2(&person.player_ref)).collect()
        })
        .reducer(|tx: &mut Tx, CreatePlayer1 { player_1_name, start_level_2 }| {
            let player_1_id = tx.next_id::<Player1>() as u32;
            tx.insert(Player1 {
                player_1_id,
                player_name: player_1_name,
                current_level_2: start_level_2,
                status_3_field: Player2Status::Active1,
            });
            Ok(())
        })
        .reducer(|tx: &mut Tx, AddPerson2 { first_name, player_ref, age_value, score_total }| {
            let person_id = tx.next_id::<Person2Row>() as u32;
            let person_info = Person3Info { age_value_1: age_value, score_total };
            tx.insert(Person2Row { person_id, first_name, player_ref, person_info });
            Ok(())
        })
        .reducer(|tx: &mut Tx, BanPlayer1 { player_1_id, ban_until_6 }| {
            let player = tx.find(Player1::PLAYER_1_ID, &player_1_id);
            let player = player.ok_or("no player has this id")?;
            tx.update(Player1 {
                status_3_field: Player2Status::BannedUntil(ban_until_6),
                ..player
            });
            Ok(())
        })
}
