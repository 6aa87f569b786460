use lightlike::reducer;

#[reducer]
fn go_to((x, y): (i32, i32), _: u8, mut z: i32);

fn main() {}
