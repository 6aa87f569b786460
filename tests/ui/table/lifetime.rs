use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
struct User<'a> {
    name: std::borrow::Cow<'a, str>,
}

fn main() {}
