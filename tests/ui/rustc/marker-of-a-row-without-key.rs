use lightlike::{Bsatn, Table};

use lightlike::schema::HasKey;

#[derive(Bsatn, Table)]
struct Message {
    text: String,
}

#[derive(Table)]
#[table(row = Message)]
struct Archived;

fn main() {
    fn keyed<T: HasKey>() {}
    keyed::<Archived>();
}
