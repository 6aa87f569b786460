use lightlike::procedure;

#[procedure(returns = u8)]
fn ping() -> u8;

fn main() {}
