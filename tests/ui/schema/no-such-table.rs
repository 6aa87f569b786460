use lightlike::prelude::*;

#[derive(Bsatn, Table)]
#[table(name = "post", schema = "../../fixtures/schema/chat.v10.json")]
struct Post {
    text: String,
}

#[derive(Bsatn, Table)]
#[table(name = "test_event", schema = "../../fixtures/schema/sdk-test-event-table.v10.json")]
struct TestEvent {
    name: String,
    value: u64,
}

#[derive(Bsatn, Table)]
#[table(name = "my_player_and_level", schema = "../../fixtures/schema/sdk-test-view.v10.json")]
struct PlayerAndLevel {
    entity_id: u64,
    identity: Identity,
    level: u64,
}

fn main() {}
