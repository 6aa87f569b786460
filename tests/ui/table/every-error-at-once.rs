use lightlike::{Bsatn, Table};

use lightlike::schema::{HasKey, Row};

#[derive(Bsatn, Table)]
#[table(nmae = "user", index(name = by_both, btree(columns = [id, nothing])))]
struct User {
    #[primary_key]
    id: f64,
    #[primary_key]
    email: String,
    #[index(tree)]
    level: u32,
}

fn main() {
    // The stub impls keep these lines from adding errors of their own.
    fn is_table<T: HasKey>() {}
    is_table::<User>();
    let _ = <User as Row>::DEF;
    let _ = (User::ID, User::EMAIL, User::LEVEL);
}
