use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
struct User {
    a: u8,
    b: u8,
}

#[derive(Table)]
#[table(row = User, index(name = by_both, btree(columns = [a, b])))]
struct LoggedOut;

fn main() {}
