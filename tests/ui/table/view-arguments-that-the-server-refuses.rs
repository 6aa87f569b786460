use lightlike::prelude::*;

#[derive(Bsatn, Table)]
struct Player {
    #[primary_key]
    id: u64,
    x: f32,
}

#[derive(Table)]
#[table(view, row = Player, args(x: f32, within: std::primitive::f64))]
struct Near;

#[derive(Table)]
#[table(view, row = Player, primary_key = id, args(level: u32))]
struct AtLevel;

#[derive(Bsatn, Table)]
#[table(view, args(level: u32))]
struct Ranked {
    #[primary_key]
    rank: u32,
}

fn main() {}
