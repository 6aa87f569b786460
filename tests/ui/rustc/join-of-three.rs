use lightlike::prelude::*;

#[derive(Bsatn, Table)]
struct User {
    #[primary_key]
    id: u64,
}

fn main() {
    let twice = User::all().left_semijoin(User::all(), User::ID, User::ID);
    let _ = twice.left_semijoin(User::all(), User::ID, User::ID);
}
