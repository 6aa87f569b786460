use lightlike::prelude::*;

#[derive(Bsatn, Table)]
#[table(name = "player")]
struct Player {
    #[primary_key]
    identity: Identity,
    player_id: i64,
    name: String,
}

#[derive(Table)]
#[table(
    name = "logged_out_player",
    schema = "../../fixtures/schema/module-test.v10.json",
    row = Player,
)]
struct LoggedOutPlayer;

#[derive(Bsatn, Table)]
#[table(name = "person")]
struct Person {
    id: u32,
    name: String,
    age: u8,
}

#[derive(Table)]
#[table(name = "person", schema = "../../fixtures/schema/module-test.v10.json", row = Person)]
struct People;

fn main() {}
