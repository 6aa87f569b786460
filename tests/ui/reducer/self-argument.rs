use lightlike::reducer;

#[reducer]
fn set_name(&self, name: String);

fn main() {}
