use lightlike::bsatn::UnknownVariant;
use lightlike::{Bsatn, Table};

#[derive(Bsatn)]
enum Shape {
    Dot,
    #[bsatn(other)]
    Other(UnknownVariant),
}

#[derive(Bsatn)]
struct Drawn {
    shape: Shape,
    x: f32,
}

#[derive(Bsatn, Table)]
struct Behind {
    #[primary_key]
    id: u64,
    drawn: Option<Drawn>,
    title: String,
}

#[derive(Bsatn, Table)]
struct BeforeKey {
    shape: Shape,
    #[primary_key]
    id: u64,
}

#[derive(Bsatn, Table)]
#[table(lenient)]
struct Lenient {
    id: u64,
    shape: Shape,
}

fn main() {}
