use lightlike::prelude::*;

#[derive(Bsatn)]
struct Baz {
    field: String,
}

#[derive(Bsatn)]
enum Foobar {
    Baz(Baz),
    Bar,
    Har(i64),
}

#[derive(Bsatn, Table)]
#[table(name = "test_f", schema = "../../fixtures/schema/module-test.v10.json")]
struct TestFoobar {
    field: Foobar,
}

#[derive(Bsatn)]
enum TestC {
    Foo,
    Bar,
    Baz,
}

#[derive(Bsatn, Table)]
#[table(name = "test_d", schema = "../../fixtures/schema/module-test.v10.json")]
struct TestD {
    test_c: Option<TestC>,
    test_c_nested: Vec<TestC>,
}

fn main() {}
