use lightlike::procedure;

#[procedure]
fn ping() -> u8 {
    7
}

fn main() {}
