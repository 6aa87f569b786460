use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
struct User {
    #[primary_key]
    id: u64,
    #[primary_key]
    email: String,
}

fn main() {}
