use lightlike::prelude::*;

#[derive(Bsatn, Table)]
struct User {
    #[primary_key]
    id: u64,
    name: String,
}

fn main() {
    let _ = User::filter(User::ID.eq("seven"));
    let _ = User::filter(User::ID.lt(User::NAME));
    let _ = User::filter(User::ID.ne(Sender));
}
