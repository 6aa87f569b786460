use lightlike::Table;

#[derive(Table)]
struct User {
    name: String,
}

fn main() {}
