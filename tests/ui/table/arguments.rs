use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
#[table(args(level: u64))]
struct User {
    name: String,
}

#[derive(Table)]
#[table(view, row = User, args())]
struct None;

#[derive(Table)]
#[table(view, row = User, args(level = u64))]
struct Assigned;

#[derive(Table)]
#[table(view, row = User, args)]
struct Alone;

#[derive(Table)]
#[table(view, row = User, args(name: &str))]
struct Borrowed;

#[derive(Table)]
#[table(view, row = User, args(level: u64, level: u32))]
struct Twice;

fn main() {}
