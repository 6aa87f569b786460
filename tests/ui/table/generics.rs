use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
struct Wrapper<T> {
    value: T,
}

fn main() {}
