use lightlike::reducer;

#[reducer]
mod commands {}

#[reducer]
impl Commands {}

fn main() {}
