use lightlike::reducer;

use std::fmt::Result;

#[reducer]
fn set_name(name: String) -> Result;

#[reducer]
fn set_age(age: u8) -> std::io::Result<()>;

fn main() {}
