use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table)]
struct User {
    name: &'static str,
    bytes: Option<&'static [u8]>,
    text: std::borrow::Cow<'static, str>,
}

fn main() {}
