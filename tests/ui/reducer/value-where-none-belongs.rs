use lightlike::reducer;

#[reducer(idempotent = true, name, ok, error(String))]
struct SetName {
    name: String,
}

fn main() {}
