use lightlike::reducer;

#[reducer(returns = u8, idempotend)]
fn set_name(name: String);

fn main() {}
