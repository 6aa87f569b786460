use lightlike::prelude::*;

#[derive(Bsatn, Table)]
struct User {
    #[primary_key]
    id: u64,
}

#[derive(Table)]
#[table(view, row = User, args(level: u32, tags: Vec<String>))]
struct Tagged;

type Meters = f64;

#[derive(Table)]
#[table(view, row = User, args(within: Meters))]
struct Near;

#[derive(Bsatn)]
#[bsatn(transparent)]
struct Degrees(f32);

#[derive(Table)]
#[table(view, row = User, args(latitude: Degrees))]
struct North;

#[derive(Bsatn)]
struct Point {
    x: i32,
    y: i32,
}

#[derive(Table)]
#[table(view, row = User, args(at: Point))]
struct At;

fn main() {}
