use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
struct User {
    u8: String,
    u_8: String,
    #[column(name = "id")]
    key: u64,
    id: u64,
}

fn main() {}
