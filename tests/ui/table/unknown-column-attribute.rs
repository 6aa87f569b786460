use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
struct User {
    #[column(rename = "Name")]
    name: String,
}

fn main() {}
