use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
#[table(event, view)]
struct User {
    name: String,
}

fn main() {}
