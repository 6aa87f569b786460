use lightlike::{Bsatn, Table};

use lightlike::schema::RangeIn;

#[derive(Bsatn, Table)]
struct User {
    #[primary_key]
    id: u64,
    #[index(btree)]
    name: String,
}

fn range<T: lightlike::schema::Table>(_: impl RangeIn<T>) {}

fn main() {
    range::<User>(User::NAME);
    range::<User>(User::ID);
}
