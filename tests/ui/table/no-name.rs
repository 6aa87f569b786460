use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
struct __ {
    #[column(name = "id")]
    __: u64,
}

fn main() {}
