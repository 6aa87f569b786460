use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
#[table(index(name = by_place, btree(columns = [x, z])))]
#[table(index(name = by_name, btree(columns = [x, firstName])))]
struct Point {
    x: i32,
    y: i32,
    first_name: String,
}

fn main() {}
