use lightlike::Bsatn;

#[derive(Bsatn)]
enum Status {
    Away(),
}

fn main() {}
