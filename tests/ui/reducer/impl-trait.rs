use lightlike::reducer;

#[reducer]
fn set_name(name: impl Into<String>);

fn main() {}
