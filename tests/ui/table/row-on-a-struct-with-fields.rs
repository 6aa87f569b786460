use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
struct User {
    name: String,
}

#[derive(Table)]
#[table(row = User)]
struct LoggedOut {
    name: String,
}

fn main() {}
