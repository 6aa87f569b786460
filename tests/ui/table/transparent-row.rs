use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
#[bsatn(transparent)]
struct User {
    name: String,
}

fn main() {}
