use lightlike::reducer;

#[reducer]
enum Command {
    Stop,
}

fn main() {}
