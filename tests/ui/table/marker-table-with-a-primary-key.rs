use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
struct User {
    #[primary_key]
    id: u64,
}

#[derive(Table)]
#[table(row = User, primary_key = id)]
struct LoggedOut;

fn main() {}
