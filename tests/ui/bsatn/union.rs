use lightlike::Bsatn;

#[derive(Bsatn)]
union Bits {
    int: u32,
    float: f32,
}

fn main() {}
