use lightlike::Bsatn;

#[derive(Bsatn)]
#[bsatn(crate = ::lightlike)]
#[bsatn(crate = ::lightlike)]
struct Point {
    #[bsatn(name = "a", name = "b")]
    x: f32,
}

fn main() {}
