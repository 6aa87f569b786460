use lightlike::{Bsatn, Table};

#[derive(Bsatn)]
struct Id(u64);

#[derive(Bsatn, Table)]
struct User {
    #[primary_key]
    id: Id,
    #[unique]
    other: Id,
    #[index(btree)]
    third: Id,
}

fn main() {}
