use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
#[table(index(name = by_place, btree(columns = [x, y])))]
struct Point {
    #[primary_key]
    id: f64,
    #[unique]
    code: f32,
    #[index(btree)]
    level: std::primitive::f32,
    x: f32,
    y: i32,
}

fn main() {}
