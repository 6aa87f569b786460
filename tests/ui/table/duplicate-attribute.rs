use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
#[table(name = "user", name = "users")]
#[table(event)]
#[table(event)]
struct User {
    #[primary_key]
    #[primary_key]
    id: u64,
    #[unique]
    #[unique]
    #[index(btree)]
    #[index(btree)]
    email: String,
}

fn main() {}
