use lightlike::Bsatn;
use lightlike::bsatn::UnknownVariant;

#[derive(Bsatn)]
enum Unit {
    Red,
    #[bsatn(other)]
    Other,
}

#[derive(Bsatn)]
enum Fields {
    Red,
    #[bsatn(other)]
    Other { tag: u8 },
}

#[derive(Bsatn)]
enum NotLast {
    #[bsatn(other)]
    Other(u8),
    Red,
}

#[derive(Bsatn)]
enum Two {
    #[bsatn(other)]
    One(u8),
    #[bsatn(other)]
    Another(UnknownVariant),
}

#[derive(Bsatn)]
enum Named {
    Red,
    #[bsatn(other, name = "rest")]
    Other(u8),
}

#[derive(Bsatn)]
enum Valued {
    Red,
    #[bsatn(other = 7)]
    Other(u8),
}

#[derive(Bsatn)]
struct Field {
    #[bsatn(other)]
    field: u8,
}

fn main() {}
