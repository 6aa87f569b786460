use lightlike::Table;

#[derive(Table)]
#[table(row = "User")]
struct LoggedOut;

fn main() {}
