use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
#[table(index(name = x, btree(columns = [x, y])))]
struct Point {
    x: i32,
    y: i32,
}

fn main() {}
