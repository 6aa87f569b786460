use lightlike::Bsatn;

#[derive(Bsatn)]
struct Point {
    #[bsatn(rename = "X")]
    x: f32,
}

fn main() {}
