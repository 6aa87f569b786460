use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
#[table(accessor = user, public, scheduled(send))]
struct User {
    name: String,
}

fn main() {}
