use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
enum Status {
    Away,
}

fn main() {}
