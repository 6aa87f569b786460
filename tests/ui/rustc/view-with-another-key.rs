use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
struct User {
    #[primary_key]
    id: u64,
    name: String,
}

#[derive(Table)]
#[table(view, row = User, primary_key = name)]
struct Names;

fn main() {}
