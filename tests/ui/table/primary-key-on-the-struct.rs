use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
#[table(primary_key = id)]
struct User {
    id: u64,
}

fn main() {}
