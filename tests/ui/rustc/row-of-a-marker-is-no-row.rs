use lightlike::{Bsatn, Table};

#[derive(Bsatn)]
struct Message {
    text: String,
}

#[derive(Table)]
#[table(row = Message)]
struct Archived;

fn main() {}
