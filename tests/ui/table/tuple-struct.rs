use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
struct Point(i32, i32);

fn main() {}
