use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
#[primary_key]
#[index(btree)]
struct User {
    #[table(name = "user")]
    id: u64,
}

fn main() {}
