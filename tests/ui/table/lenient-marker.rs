use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
struct User {
    name: String,
}

#[derive(Table)]
#[table(row = User, lenient)]
struct LoggedOut;

fn main() {}
