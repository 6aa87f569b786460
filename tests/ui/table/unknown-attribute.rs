use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
#[table(name = "user", keyed, rows = User)]
struct User {
    name: String,
}

fn main() {}
