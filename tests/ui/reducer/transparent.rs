use lightlike::reducer;

#[reducer]
#[bsatn(transparent)]
struct SetName {
    name: String,
}

fn main() {}
