use lightlike::procedure;

#[procedure(ok = u8)]
fn ping();

fn main() {}
