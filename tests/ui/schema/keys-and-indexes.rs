use lightlike::prelude::*;

#[derive(Bsatn, Table)]
#[table(name = "user", schema = "../../fixtures/schema/chat.v10.json")]
struct User {
    identity: Identity,
    #[unique]
    name: Option<String>,
    #[index(btree)]
    online: bool,
}

#[derive(Bsatn, Table)]
#[table(
    name = "points",
    schema = "../../fixtures/schema/module-test.v10.json",
    index(name = by_y_and_x, btree(columns = [y, x]))
)]
struct Point {
    #[primary_key]
    x: i64,
    y: i64,
}

fn main() {}
