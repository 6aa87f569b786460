use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
#[table(index(name = by_all, btree(columns = [a, b, c, d, e])))]
struct Point {
    a: i32,
    b: i32,
    c: i32,
    d: i32,
    e: i32,
}

fn main() {}
