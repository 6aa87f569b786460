use lightlike::Bsatn;

#[derive(Bsatn)]
#[bsatn(transparent)]
enum Choice {
    One(u8),
}

fn main() {}
