use lightlike::reducer;

#[reducer(idempotent, idempotent, name = "a", name = "b")]
fn set_name(name: String);

fn main() {}
