use lightlike::Bsatn;

#[derive(Bsatn)]
enum Color {
    Red,
    #[bsatn(other)]
    Other(String),
}

fn main() {}
