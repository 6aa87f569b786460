use lightlike::prelude::*;

#[derive(Bsatn, Table)]
#[table(name = "user", schema = "nowhere.json")]
struct User {
    name: String,
}

#[reducer(schema = "../../fixtures/http/03-ping.json")]
fn set_name(name: String);

#[reducer(schema = 3)]
fn send(text: String);

fn main() {}
