use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
#[table(view, index(name = by_both, btree(columns = [level, score])))]
struct Ranking {
    #[unique]
    email: String,
    #[index(btree)]
    level: u32,
    score: u32,
}

fn main() {}
