use std::sync::Arc;

use lightlike::prelude::*;

#[derive(Bsatn, Table)]
#[table(name = "message", schema = "../../fixtures/schema/chat.v10.json")]
struct Message {
    sender: Identity,
    sent: Timestamp,
    text: Arc<str>,
}

#[derive(Bsatn)]
#[bsatn(transparent)]
struct Name(Box<str>);

#[derive(Bsatn, Table)]
#[table(name = "user", schema = "../../fixtures/schema/chat.v9.json")]
struct User {
    #[primary_key]
    identity: Identity,
    name: Option<Name>,
    online: bool,
}

#[reducer(schema = "../../fixtures/schema/chat.v10.json")]
fn set_name(name: String) -> Result<(), String>;

#[reducer(schema = "../../fixtures/schema/chat.v9.json")]
struct SendMessage {
    text: String,
}

#[derive(Bsatn)]
struct Maybe<T> {
    field: T,
}

#[derive(Bsatn)]
enum Foobar {
    Baz(Maybe<String>),
    Bar,
    Har(u32),
}

#[derive(Bsatn, Table)]
#[table(name = "test_f", schema = "../../fixtures/schema/module-test.v10.json")]
struct TestFoobar {
    field: Foobar,
}

#[derive(Bsatn, Table)]
#[table(
    name = "points",
    schema = "../../fixtures/schema/module-test.v10.json",
    index(name = by_x_and_y, btree(columns = [x, y]))
)]
struct Point {
    x: i64,
    y: i64,
}

#[derive(Bsatn, Table)]
#[table(name = "player", schema = "../../fixtures/schema/module-test.v10.json")]
struct Player {
    #[primary_key]
    identity: Identity,
    #[unique]
    player_id: u64,
    #[unique]
    name: String,
}

#[derive(Table)]
#[table(
    name = "logged_out_player",
    schema = "../../fixtures/schema/module-test.v10.json",
    row = Player
)]
struct LoggedOutPlayer;

#[derive(Table)]
#[table(view, schema = "../../fixtures/schema/module-test.v10.json", row = Player)]
struct MyPlayer;

#[procedure(schema = "../../fixtures/schema/module-test.v9.json")]
fn return_value(foo: u64) -> Maybe<String>;

/// Contains itself: it can be declared where schemas are compared, though not be compared.
#[derive(Bsatn)]
struct Tree {
    children: Vec<Tree>,
}

fn main() {}
