use lightlike::Bsatn;

#[derive(Bsatn)]
#[bsatn(transparent = true)]
struct Id(u64);

fn main() {}
