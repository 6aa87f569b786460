use lightlike::Bsatn;

struct Secret;

#[derive(Bsatn)]
struct User {
    name: String,
    secret: Secret,
}

fn main() {}
