use lightlike::reducer;

#[reducer(ok = u8, error = String)]
fn set_name(name: String) -> Result<u8, String>;

fn main() {}
