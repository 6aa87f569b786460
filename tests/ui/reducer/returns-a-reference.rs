use lightlike::reducer;

#[reducer]
fn name() -> Result<&'static str, String>;

#[reducer(ok = &'static str)]
struct Other;

fn main() {}
