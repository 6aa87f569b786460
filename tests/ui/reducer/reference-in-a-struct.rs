use lightlike::reducer;

#[reducer]
struct SetName {
    name: &'static str,
}

fn main() {}
