use lightlike::prelude::*;

#[derive(Bsatn, Table)]
struct User {
    #[primary_key]
    id: u64,
}

#[derive(Table)]
#[table(view, row = User, args(level: u32, tags: Vec<String>))]
struct Tagged;

fn main() {}
