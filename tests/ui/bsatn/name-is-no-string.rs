use lightlike::Bsatn;

#[derive(Bsatn)]
struct Point {
    #[bsatn(name = x)]
    x: f32,
    #[bsatn(name)]
    y: f32,
    #[bsatn(name("z"))]
    z: f32,
    #[bsatn = "w"]
    w: f32,
    #[bsatn("v")]
    v: f32,
}

fn main() {}
