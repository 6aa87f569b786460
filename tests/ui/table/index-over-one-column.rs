use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
#[table(index(name = by_x, btree(columns = [x])))]
struct Point {
    x: i32,
}

fn main() {}
