use lightlike::Bsatn;

#[derive(Bsatn)]
#[bsatn(krate = ::other)]
struct Point {
    x: f32,
}

fn main() {}
