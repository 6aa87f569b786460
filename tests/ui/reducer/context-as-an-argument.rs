use lightlike::reducer;

struct ReducerContext;

#[reducer]
fn set_name(ctx: &ReducerContext, name: String);

fn main() {}
