use lightlike::reducer;

#[reducer]
union Command {
    stop: u8,
}

fn main() {}
