use lightlike::prelude::*;

#[derive(Bsatn, Table)]
#[table(name = "message", schema = "../../fixtures/schema/chat.v10.json")]
struct Message {
    sender: Identity,
    text: String,
    sent: Timestamp,
}

fn main() {}
