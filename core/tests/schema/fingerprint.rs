//! Fingerprints of a program's function and a server's reducer agree where their arguments do.

use lightlike_core::schema::fingerprint::{arguments, server_arguments};
use lightlike_core::schema::{
    FieldDef, FunctionDef, ProductDef, Sats, SatsType, ServerSchema, SumDef, TypeRef,
    UnknownVariants, VariantDef,
};
use lightlike_core::types::{Identity, ScheduleAt, Timestamp};

const fn param<T: Sats + ?Sized>(name: &'static str) -> FieldDef {
    FieldDef { name: Some(name), ty: TypeRef::of::<T>() }
}

fn ours(params: &'static [FieldDef]) -> u64 {
    let (returns, error) = (TypeRef::of::<()>(), None);
    arguments(&FunctionDef { name: "f", params, returns, error, idempotent: false })
}

/// The fingerprint of a server's reducer of these parameters, as JSON.
fn theirs(typespace: &str, params: &str) -> Option<u64> {
    let schema = format!(
        r#"{{"sections": [
            {{"Typespace": {{"types": [{typespace}]}}}},
            {{"Reducers": [{{
                "source_name": "f",
                "params": {{"elements": [{params}]}},
                "visibility": {{"ClientCallable": {{}}}},
                "ok_return_type": {{"Product": {{"elements": []}}}},
                "err_return_type": {{"String": {{}}}}
            }}]}}
        ]}}"#
    );
    let schema = ServerSchema::parse(&schema).expect("a schema");
    server_arguments(&schema, schema.reducer("f").expect("the reducer"))
}

fn element(name: &str, ty: &str) -> String {
    format!(r#"{{"name": {{"some": "{name}"}}, "algebraic_type": {ty}}}"#)
}

/// A list of trees, each in its place.
struct Tree;

impl Sats for Tree {
    const TYPE: SatsType = SatsType::Product(ProductDef {
        name: Some("Tree"),
        fields: &[param::<Leaf>("leaf_name"), param::<Vec<Self>>("children")],
    });
}

struct Leaf;

impl Sats for Leaf {
    const TYPE: SatsType = SatsType::Sum(SumDef {
        name: "Leaf",
        variants: &[
            VariantDef { name: "Nothing", payload: None },
            VariantDef { name: "GrownAt", payload: Some(TypeRef::of::<Timestamp>()) },
            VariantDef { name: "Grafted", payload: Some(TypeRef::of::<Option<Tree>>()) },
        ],
        unknown: UnknownVariants::Refused,
    });
}

const TIMESTAMP: &str = r#"{"Product": {"elements": [
    {"name": {"some": "__timestamp_micros_since_unix_epoch__"}, "algebraic_type": {"I64": []}}
]}}"#;

fn option(some: &str) -> String {
    format!(
        r#"{{"Sum": {{"variants": [
            {some}, {}
        ]}}}}"#,
        element("none", r#"{"Product": {"elements": []}}"#),
        some = element("some", some),
    )
}

#[test]
fn simple_types_have_the_same() {
    let params = [
        element("a", r#"{"U32": []}"#),
        element("b", r#"{"String": []}"#),
        element("c", r#"{"Array": {"U8": []}}"#),
        element("d", &option(r#"{"I256": []}"#)),
        element("e", TIMESTAMP),
    ];
    let ours = ours(
        const {
            &[
                param::<u32>("a"),
                param::<String>("b"),
                param::<Vec<u8>>("c"),
                param::<Option<lightlike_core::types::I256>>("d"),
                param::<Timestamp>("e"),
            ]
        },
    );
    assert_eq!(theirs("", &params.join(",")), Some(ours));
    assert_ne!(theirs("", &params[..4].join(",")), Some(ours));
    assert_eq!(theirs("", ""), Some(self::ours(&[])));
    // Only here for the types to be known as they are.
    assert_ne!(
        self::ours(const { &[param::<Identity>("a")] }),
        self::ours(const { &[param::<ScheduleAt>("a")] })
    );
}

#[test]
fn types_that_contain_themselves_have_the_same() {
    let tree = format!(
        r#"{{"Product": {{"elements": [{}, {}]}}}}"#,
        element("leafName", r#"{"Ref": 1}"#),
        element("children", r#"{"Array": {"Ref": 0}}"#),
    );
    let leaf = |grown: &str| {
        format!(
            r#"{{"Sum": {{"variants": [{}, {}, {}]}}}}"#,
            element("nothing", r#"{"Product": {"elements": []}}"#),
            element("grownAt", grown),
            element("grafted", &option(r#"{"Ref": 0}"#)),
        )
    };
    let params = element("tree", r#"{"Ref": 0}"#);
    let ours = ours(const { &[param::<Tree>("tree")] });
    assert_eq!(theirs(&format!("{tree}, {}", leaf(TIMESTAMP)), &params), Some(ours));
    let other = leaf(r#"{"I64": []}"#);
    assert_ne!(theirs(&format!("{tree}, {other}"), &params), Some(ours));
}

#[test]
fn exponential_schema_has_no_fingerprint() {
    let twice = |at: u32| {
        let inner = format!(r#"{{"Ref": {}}}"#, at + 1);
        format!(
            r#"{{"Product": {{"elements": [{}, {}]}}}}"#,
            element("a", &inner),
            element("b", &inner)
        )
    };
    let types: Vec<_> = (0..60).map(twice).chain([r#"{"U8": []}"#.to_owned()]).collect();
    let params = element("x", r#"{"Ref": 0}"#);
    assert_eq!(theirs(&types.join(","), &params), None);
    // One inside the other, however often.
    let inside = |at: u32| format!(r#"{{"Array": {{"Ref": {}}}}}"#, at + 1);
    let types: Vec<_> = (0..50_000).map(inside).chain([r#"{"U8": []}"#.to_owned()]).collect();
    assert_eq!(theirs(&types.join(","), &params), None);
}
