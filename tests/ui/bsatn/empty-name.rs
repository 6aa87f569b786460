use lightlike::Bsatn;

#[derive(Bsatn)]
struct Point {
    #[bsatn(name = "")]
    x: f32,
}

fn main() {}
