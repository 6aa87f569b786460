use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
struct User {
    #[column(name = "Name")]
    #[bsatn(name = "name")]
    name: String,
}

fn main() {}
