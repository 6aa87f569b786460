use lightlike::reducer;

#[reducer]
const fn set_name(name: String);

#[reducer]
unsafe fn set_age(age: u8);

#[reducer]
extern "C" fn set_level(level: u8);

fn main() {}
