use lightlike::Bsatn;

#[derive(Bsatn)]
enum Choice {
    One(#[bsatn(name = "one")] u8),
}

fn main() {}
