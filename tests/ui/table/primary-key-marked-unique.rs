use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
struct User {
    #[primary_key]
    #[unique]
    id: u64,
}

fn main() {}
