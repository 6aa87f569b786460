use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
#[table(name = "")]
struct User {
    #[column(name = "")]
    name: String,
}

fn main() {}
