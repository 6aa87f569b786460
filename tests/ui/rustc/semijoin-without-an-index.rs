use lightlike::prelude::*;

#[derive(Bsatn, Table)]
struct User {
    #[primary_key]
    id: u64,
    team: u64,
}

#[derive(Bsatn, Table)]
struct Team {
    #[primary_key]
    id: u64,
}

fn main() {
    let _ = User::all().left_semijoin(Team::all(), User::TEAM, Team::ID);
}
