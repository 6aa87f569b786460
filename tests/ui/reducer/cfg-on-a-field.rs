use lightlike::reducer;

#[reducer]
struct SetName {
    #[cfg(debug_assertions)]
    name: String,
}

fn main() {}
