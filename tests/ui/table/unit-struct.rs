use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
#[table(name = "logged_out")]
struct LoggedOut;

fn main() {}
