use lightlike::prelude::*;

#[derive(Bsatn, Table)]
#[table(name = "message", schema = "../../fixtures/schema/chat.v10.json")]
struct Message {
    sender: Identity,
    sent: Timestamp,
}

#[derive(Bsatn, Table)]
#[table(name = "user", schema = "../../fixtures/schema/chat.v9.json")]
struct User {
    #[primary_key]
    identity: Identity,
    name: Option<String>,
    online: bool,
    away: bool,
}

fn main() {}
