use lightlike::Bsatn;

#[derive(Bsatn)]
#[repr(u8)]
enum Status {
    Away = 3,
    Here,
}

fn main() {}
