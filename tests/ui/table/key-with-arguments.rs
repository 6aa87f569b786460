use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
struct User {
    #[primary_key(auto_inc)]
    id: u64,
    #[unique = true]
    email: String,
}

fn main() {}
