use lightlike::reducer;

#[reducer]
fn set_name(#[allow(unused)] name: String);

fn main() {}
