use lightlike::reducer;

#[reducer]
struct SetName<'a> {
    name: &'a str,
}

fn main() {}
