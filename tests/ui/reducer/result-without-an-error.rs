use lightlike::reducer;

#[reducer]
fn set_name(name: String) -> std::fmt::Result;

#[reducer]
fn set_age(age: u8) -> std::io::Result<()>;

fn main() {}
