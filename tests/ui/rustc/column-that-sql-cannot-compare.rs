use lightlike::prelude::*;

#[derive(Bsatn, Table)]
struct User {
    #[primary_key]
    id: u64,
    tags: Vec<String>,
}

fn main() {
    let _ = User::filter(User::TAGS.eq(vec![String::new()]));
}
