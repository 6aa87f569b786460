//! The declarations of a real module's tables and functions, as a client would write them, say what the server's schema
//! says.

#![expect(clippy::disallowed_names, reason = "the module has a parameter `foo`")]

use lightlike::schema::{FieldDef, FunctionDef, Procedure, Reducer, SatsType, TableDef, TypeRef};
use lightlike::types::{ConnectionId, Identity, ScheduleAt, Timestamp};
use lightlike::{Bsatn, Table, procedure, reducer, schema};
use serde_json::{Value, json};

#[derive(Bsatn, Table)]
struct Player {
    #[primary_key]
    identity: Identity,
    #[auto_inc]
    #[unique]
    player_id: u64,
    #[unique]
    name: String,
}

#[derive(Table)]
#[table(name = "logged_out_player", row = Player)]
struct LoggedOut;

#[derive(Bsatn, Table)]
#[table(view)]
struct MyPlayer {
    identity: Identity,
    player_id: u64,
    name: String,
}

#[derive(Bsatn, Table)]
struct Person {
    #[primary_key]
    id: u32,
    name: String,
    #[index(btree)]
    age: u8,
}

#[derive(Bsatn, Table)]
#[table(name = "points", index(name = by_x_and_y, btree(columns = [x, y])))]
struct Point {
    x: i64,
    y: i64,
}

#[derive(Bsatn, Table)]
struct RepeatingTestArg {
    #[primary_key]
    scheduled_id: u64,
    scheduled_at: ScheduleAt,
    prev_time: Timestamp,
}

#[derive(Bsatn, Table)]
struct HasSpecialStuff {
    identity: Identity,
    connection_id: ConnectionId,
}

#[derive(Bsatn, Table)]
struct TestA {
    #[index(btree)]
    x: u32,
    y: u32,
    z: String,
}

#[derive(Bsatn)]
enum TestC {
    Foo,
    Bar,
}

#[derive(Bsatn, Table)]
struct TestD {
    test_c: Option<TestC>,
    test_c_nested: Option<Vec<TestC>>,
}

#[derive(Bsatn)]
struct Baz {
    field: String,
}

#[derive(Bsatn)]
enum Foobar {
    Baz(Baz),
    Bar,
    Har(u32),
}

#[derive(Bsatn, Table)]
#[table(name = "test_f")]
struct TestFoobar {
    field: Foobar,
}

#[derive(Bsatn)]
enum TestF {
    Foo,
    Bar,
    Baz(String),
}

#[reducer]
fn add(name: String, age: u8) -> Result<(), String>;

#[reducer]
struct SayHello;

#[reducer]
fn test(arg: TestA, arg2: TestB, arg3: TestC, arg4: TestF);

#[derive(Bsatn)]
struct TestB {
    foo: String,
}

#[procedure]
fn return_value(foo: u64) -> Baz;

#[procedure]
fn sleep_one_second();

/// The server's schema.
struct Recorded(Value);

impl Recorded {
    fn open() -> Self {
        let text = include_str!("../fixtures/schema/module-test.v10.json");
        Self(serde_json::from_str(text).expect("the fixture is JSON"))
    }

    fn section(&self, name: &str) -> &Value {
        let mut found = list(&self.0["sections"]).iter().filter_map(|section| section.get(name));
        found.next().unwrap_or_else(|| panic!("no section {name}"))
    }

    fn entry(&self, section: &str, name: &str) -> &Value {
        let mut found =
            list(self.section(section)).iter().filter(|entry| entry["source_name"] == name);
        found.next().unwrap_or_else(|| panic!("no {name} in {section}"))
    }

    /// A type with every reference replaced by what it refers to.
    fn resolve(&self, ty: &Value) -> Value {
        match ty {
            Value::Object(object) if object.contains_key("Ref") => {
                let at = ty["Ref"].as_u64().and_then(|at| usize::try_from(at).ok());
                self.resolve(&self.section("Typespace")["types"][at.expect("a Ref is an index")])
            }
            Value::Object(object) => object
                .iter()
                .map(|(key, value)| (key.clone(), self.resolve(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Value::Array(values) => values.iter().map(|value| self.resolve(value)).collect(),
            other => other.clone(),
        }
    }

    #[track_caller]
    fn check_table<T: Table>(&self) {
        let TableDef { name, row, primary_key, unique, indexes, .. } = T::DEF;
        let table = self.entry("Tables", name);
        let columns = row.columns.iter().map(|column| element(Some(column.name), column.ty));
        let product = json!({ "Product": { "elements": columns.collect::<Vec<_>>() } });
        assert_eq!(product, self.resolve(&json!({ "Ref": table["product_type_ref"] })), "{name}");
        assert_eq!(json!(primary_key.as_slice()), table["primary_key"], "{name}");

        let constraints = list(&table["constraints"]);
        let mut theirs: Vec<_> =
            constraints.iter().map(|it| it["data"]["Unique"]["columns"][0].as_u64()).collect();
        theirs.sort_unstable();
        assert_eq!(json!(unique), json!(theirs), "{name}");

        // The server has an index for every unique column too; those that a client adds are among the others.
        let theirs = list(&table["indexes"]).iter();
        let theirs: Vec<_> = theirs.map(|index| &index["algorithm"]["BTree"]).collect();
        for index in indexes {
            assert!(theirs.contains(&&json!(index.columns)), "{name}: {index:?} is not one");
        }
        let implied = theirs.len() - indexes.len();
        assert_eq!(implied, unique.len(), "{name}");
    }

    #[track_caller]
    fn check_function(&self, section: &str, def: FunctionDef) {
        let function = self.entry(section, def.name);
        let params = def.params.iter().map(|FieldDef { name, ty }| element(*name, *ty));
        let params: Vec<_> = params.collect();
        assert_eq!(json!(params), self.resolve(&function["params"]["elements"]), "{}", def.name);
        let returns = function.get("ok_return_type").unwrap_or_else(|| &function["return_type"]);
        assert_eq!(to_json(def.returns.get()), self.resolve(returns), "{}", def.name);
        if let Some(error) = def.error {
            let theirs = self.resolve(&function["err_return_type"]);
            assert_eq!(to_json(error.get()), theirs, "{}", def.name);
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("the schema has a list here")
}

fn element(name: Option<&str>, ty: TypeRef) -> Value {
    let name = name.map_or_else(|| json!({ "none": [] }), |name| json!({ "some": name }));
    json!({ "name": name, "algebraic_type": to_json(ty.get()) })
}

fn special(name: &str, ty: &str) -> Value {
    let inner = json!({ ty: [] });
    json!({ "Product": { "elements": [{ "name": { "some": name }, "algebraic_type": inner }] } })
}

fn sum(variants: &[(&str, Value)]) -> Value {
    let variants = variants
        .iter()
        .map(|(name, ty)| json!({ "name": { "some": name }, "algebraic_type": ty }))
        .collect::<Vec<_>>();
    json!({ "Sum": { "variants": variants } })
}

/// As the server writes a type. Numbers and strings are named alike.
fn to_json(ty: SatsType) -> Value {
    let unit = json!({ "Product": { "elements": [] } });
    let timestamp = special("__timestamp_micros_since_unix_epoch__", "I64");
    match ty {
        SatsType::Identity => special("__identity__", "U256"),
        SatsType::ConnectionId => special("__connection_id__", "U128"),
        SatsType::Timestamp => timestamp,
        SatsType::ScheduleAt => {
            let interval = special("__time_duration_micros__", "I64");
            sum(&[("Interval", interval), ("Time", timestamp)])
        }
        SatsType::Array(element) => json!({ "Array": to_json(element.get()) }),
        SatsType::Option(some) => sum(&[("some", to_json(some.get())), ("none", unit)]),
        SatsType::Product(product) => {
            let fields = product.fields.iter().map(|field| element(field.name, field.ty));
            json!({ "Product": { "elements": fields.collect::<Vec<_>>() } })
        }
        SatsType::Sum(def) => {
            let payload =
                |ty: Option<TypeRef>| ty.map_or_else(|| unit.clone(), |ty| to_json(ty.get()));
            let variants: Vec<_> =
                def.variants.iter().map(|it| (it.name, payload(it.payload))).collect();
            sum(&variants)
        }
        plain => json!({ format!("{plain:?}"): [] }),
    }
}

#[test]
fn tables_are_declared_as_the_server_has_them() {
    let recorded = Recorded::open();
    recorded.check_table::<Player>();
    recorded.check_table::<Person>();
    recorded.check_table::<Point>();
    recorded.check_table::<RepeatingTestArg>();
    recorded.check_table::<HasSpecialStuff>();
    recorded.check_table::<TestA>();
    recorded.check_table::<TestD>();
    recorded.check_table::<TestFoobar>();
    recorded.check_table::<LoggedOut>();
}

#[test]
fn types_are_declared_as_the_server_has_them() {
    let recorded = Recorded::open();
    let types = list(&recorded.section("Typespace")["types"]).iter();
    let resolved: Vec<_> = types.map(|ty| recorded.resolve(ty)).collect();
    for ty in [
        <Foobar as schema::Sats>::TYPE,
        <TestF as schema::Sats>::TYPE,
        <TestC as schema::Sats>::TYPE,
        <Baz as schema::Sats>::TYPE,
        <MyPlayer as schema::Sats>::TYPE,
    ] {
        let ours = to_json(ty);
        assert!(resolved.contains(&ours), "{ours} is none of the module's types");
    }
    let view = recorded.entry("Views", MyPlayer::DEF.name);
    let row = recorded.resolve(&view["return_type"]);
    let option = to_json(<Option<MyPlayer> as schema::Sats>::TYPE);
    assert_eq!(row, option);
}

#[test]
fn functions_are_declared_as_the_server_has_them() {
    let recorded = Recorded::open();
    recorded.check_function("Reducers", <Add as Reducer>::DEF);
    recorded.check_function("Reducers", <SayHello as Reducer>::DEF);
    recorded.check_function("Reducers", <Test as Reducer>::DEF);
    recorded.check_function("Procedures", <ReturnValue as Procedure>::DEF);
    recorded.check_function("Procedures", <SleepOneSecond as Procedure>::DEF);
}
