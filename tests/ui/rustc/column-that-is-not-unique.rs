use lightlike::{Bsatn, Table};

use lightlike::schema::{Column, FindIn};

#[derive(Bsatn, Table)]
struct User {
    #[primary_key]
    id: u64,
    #[index(btree)]
    name: String,
}

#[derive(Table)]
#[table(view, row = User)]
struct Everybody;

fn find<T, V, K: FindIn<T>>(_: Column<User, V, K>) {}

fn main() {
    find::<User, _, _>(User::ID);
    find::<User, _, _>(User::NAME);
    find::<Everybody, _, _>(User::ID);
}
