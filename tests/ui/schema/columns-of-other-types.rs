use lightlike::prelude::*;

#[derive(Bsatn, Table)]
#[table(name = "message", schema = "../../fixtures/schema/chat.v10.json")]
struct Message {
    sender: Identity,
    sent: u64,
    text: Option<Vec<u8>>,
}

fn main() {}
