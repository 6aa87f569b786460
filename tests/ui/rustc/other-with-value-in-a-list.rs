use lightlike::Bsatn;
use lightlike::bsatn::{UnknownVariant, from_slice};

#[derive(Bsatn)]
enum Shape {
    Dot,
    #[bsatn(other)]
    Other(UnknownVariant),
}

fn main() {
    let _ = from_slice::<Vec<Shape>>(&[]);
}
