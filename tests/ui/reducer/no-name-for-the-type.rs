use lightlike::reducer;

#[reducer]
fn self_(name: String);

#[reducer]
fn _1(name: String);

fn main() {}
