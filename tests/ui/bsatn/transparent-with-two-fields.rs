use lightlike::Bsatn;

#[derive(Bsatn)]
#[bsatn(transparent)]
struct Point {
    x: f32,
    y: f32,
}

fn main() {}
