use lightlike::Bsatn;

#[derive(Bsatn)]
enum Status {
    Away(u8, u8),
}

fn main() {}
