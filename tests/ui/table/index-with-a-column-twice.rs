use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
#[table(index(name = by_place, btree(columns = [x, y, x])))]
struct Point {
    x: i32,
    y: i32,
}

fn main() {}
