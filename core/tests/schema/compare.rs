//! Differences, a line each.

use lightlike_core::schema::{
    ColumnDef, DifferenceKind, FieldDef, FunctionDef, IndexDef, Item, ProductDef, RowDef, Sats,
    SatsType, SumDef, TableDef, TableKind, TypeRef, UnknownVariants, VariantDef, compare,
    compare_procedure, compare_reducer, compare_table,
};
use lightlike_core::types::{Identity, Timestamp};

use crate::load;

const fn column<T: Sats>(name: &'static str) -> ColumnDef {
    ColumnDef { name, ty: TypeRef::of::<T>() }
}

const fn param<T: Sats>(name: &'static str) -> FieldDef {
    FieldDef { name: Some(name), ty: TypeRef::of::<T>() }
}

/// Columns, as a constant.
macro_rules! columns {
    ($($name:ident: $ty:ty),*) => { const { &[$(column::<$ty>(stringify!($name))),*] } };
}

/// Parameters, or fields, as a constant.
macro_rules! params {
    ($($name:ident: $ty:ty),*) => { const { &[$(param::<$ty>(stringify!($name))),*] } };
}

const fn table(name: &'static str, columns: &'static [ColumnDef]) -> TableDef {
    TableDef {
        name,
        kind: TableKind::Table,
        row: RowDef { name: "Row", columns, lenient: false },
        primary_key: None,
        unique: &[],
        indexes: &[],
    }
}

const fn reducer(name: &'static str, params: &'static [FieldDef]) -> FunctionDef {
    FunctionDef {
        name,
        params,
        returns: TypeRef::of::<()>(),
        error: Some(TypeRef::of::<String>()),
        idempotent: false,
    }
}

const fn procedure(
    name: &'static str,
    params: &'static [FieldDef],
    returns: TypeRef,
) -> FunctionDef {
    FunctionDef { name, params, returns, error: None, idempotent: false }
}

const USER: TableDef = TableDef {
    primary_key: Some(0),
    unique: &[0],
    ..table("user", columns![identity: Identity, name: Option<String>, online: bool])
};

/// The differences from the chat module.
fn chat(ours: TableDef) -> Vec<String> {
    let schema = load("modules/chat.v10.json");
    compare_table(&schema, &ours).iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_the_same_has_no_differences() {
    assert!(chat(USER).is_empty());
    let message = table("message", columns![sender: Identity, sent: Timestamp, text: String]);
    assert!(chat(message).is_empty());
    for version in ["v9", "v10"] {
        let schema = load(&format!("modules/chat.{version}.json"));
        let functions = [reducer("set_name", params![name: String])];
        assert_eq!(compare(&schema, &[USER, message], &functions), []);
    }
}

#[test]
fn columns_differ_by_type_name_order_and_number() {
    let user =
        |columns| chat(TableDef { row: RowDef { name: "User", columns, lenient: false }, ..USER });
    assert_eq!(
        user(columns![identity: Identity, name: Option<String>, online: u64]),
        ["table user, column 3: server has online: bool, struct has online: u64"],
    );
    assert_eq!(
        user(columns![identity: Identity, name: Option<u64>, here: bool]),
        [
            "table user, column 2: server has name: Option<String>, struct has name: Option<u64>",
            "table user, column 3: server has online: bool, struct has here: bool",
        ],
    );
    assert_eq!(
        user(columns![identity: Identity, online: bool, name: Option<String>]),
        [
            "table user, column 2: server has name: Option<String>, struct has online: bool",
            "table user, column 3: server has online: bool, struct has name: Option<String>",
        ],
    );
    assert_eq!(
        user(columns![identity: Identity, name: Option<String>]),
        ["table user, column 3: server has online: bool, struct has no column"],
    );
    let more = columns![identity: Identity, name: Option<String>, online: bool, seen: Timestamp];
    assert_eq!(
        user(more),
        ["table user, column 4: server has no column, struct has seen: Timestamp"]
    );
}

#[test]
fn lenient_row_may_omit_trailing_columns() {
    let user =
        |columns| chat(TableDef { row: RowDef { name: "User", columns, lenient: true }, ..USER });
    assert_eq!(user(columns![identity: Identity, name: Option<String>]), [] as [&str; 0]);
    let shown = ["table user, column 2: server has name: Option<String>, struct has nick: String"];
    assert_eq!(user(columns![identity: Identity, nick: String]), shown);
    let more = columns![identity: Identity, name: Option<String>, online: bool, seen: Timestamp];
    let shown = ["table user, column 4: server has no column, struct has seen: Timestamp"];
    assert_eq!(user(more), shown);
}

#[test]
fn keys_indexes_and_kinds_differ() {
    let schema = load("modules/chat.v10.json");
    let check = |ours: TableDef, kind: DifferenceKind, text: &str| {
        let found = compare_table(&schema, &ours);
        let [difference] = &found[..] else { panic!("one difference, not {found:?}") };
        assert_eq!((difference.kind(), &*difference.to_string()), (kind, text));
    };
    check(
        TableDef { primary_key: None, ..USER },
        DifferenceKind::PrimaryKey,
        "table user, primary key: server has identity, struct has none",
    );
    check(
        TableDef { unique: &[0, 1], ..USER },
        DifferenceKind::Unique,
        "table user, column 2: struct has name unique, server has not",
    );
    check(
        TableDef { indexes: &[IndexDef { columns: &[0] }, IndexDef { columns: &[2, 1] }], ..USER },
        DifferenceKind::Index,
        "table user, index: struct has one over online, name, server has none",
    );
    check(
        TableDef { kind: TableKind::Event, ..USER },
        DifferenceKind::Kind,
        "table user: server has a table whose rows stay, struct has an event table",
    );
    check(
        TableDef { kind: TableKind::View, ..USER },
        DifferenceKind::Kind,
        "view user: server has a table, struct has a view",
    );
    check(table("users", &[]), DifferenceKind::Missing, "table users: server has no such table");
    let view = TableDef { kind: TableKind::View, ..table("users", &[]) };
    check(view, DifferenceKind::Missing, "view users: server has no such view");
    let missing = compare_table(&schema, &view);
    assert_eq!(missing[0].item(), Item::View("users"));
}

#[test]
fn views_and_private_tables_differ() {
    let schema = load("modules/conformance.v10.json");
    let player = columns![entity_id: u64, identity: Identity];
    let text = |ours: TableDef| -> Vec<String> {
        compare_table(&schema, &ours).iter().map(ToString::to_string).collect()
    };
    let view = TableDef { kind: TableKind::View, ..table("players_at_level_0", player) };
    assert!(text(view).is_empty(), "{:?}", text(view));
    assert_eq!(
        text(TableDef { primary_key: Some(0), ..view }),
        ["view players_at_level_0, primary key: server has none, struct has entity_id"],
    );
    assert_eq!(
        text(table("players_at_level_0", player)),
        ["table players_at_level_0: server has a view, struct has a table"],
    );
    let private = schema.tables.iter().find(|table| !table.public).unwrap();
    let name: &'static str = Box::leak(private.name.clone());
    let found = text(table(name, &[]));
    assert_eq!(
        found[0],
        format!("table {name}: private on the server, only its owner can read it")
    );
    let nine = load("modules/conformance.v9.json");
    assert!(compare_table(&nine, &TableDef { primary_key: Some(0), ..view }).is_empty());
}

/// As the module's, and with a field, a variant and a payload changed.
struct ByteStruct;
impl Sats for ByteStruct {
    const TYPE: SatsType =
        SatsType::Product(ProductDef { name: Some("ByteStruct"), fields: params![b: u16] });
}

struct UnitStruct;
impl Sats for UnitStruct {
    const TYPE: SatsType = SatsType::Product(ProductDef { name: Some("UnitStruct"), fields: &[] });
}

/// A list that contains itself, which the module has not.
struct Endless;
impl Sats for Endless {
    const TYPE: SatsType = SatsType::Sum(SumDef {
        name: "Endless",
        variants: &[
            VariantDef { name: "End", payload: None },
            VariantDef { name: "More", payload: Some(TypeRef::of::<Box<Self>>()) },
        ],
        unknown: UnknownVariants::Refused,
    });
}

struct NestedStruct;
impl Sats for NestedStruct {
    const TYPE: SatsType = SatsType::Product(ProductDef {
        name: Some("NestedStruct"),
        fields: params![inner: ByteStruct, nothing: UnitStruct, choices: Vec<Option<Endless>>],
    });
}

struct SimpleEnum;
impl Sats for SimpleEnum {
    const TYPE: SatsType = SatsType::Sum(SumDef {
        name: "SimpleEnum",
        variants: &[VariantDef { name: "Zero", payload: None }],
        unknown: UnknownVariants::Refused,
    });
}

#[test]
fn a_difference_inside_a_type_is_named() {
    let schema = load("modules/conformance.v10.json");
    let text = |ours: TableDef| -> Vec<String> {
        compare_table(&schema, &ours).iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        text(table("one_byte_struct", columns![value: ByteStruct])),
        [
            "table one_byte_struct, column 1: server has value: ByteStruct, struct has value: ByteStruct; in b: server has u8, struct has u16"
        ],
    );
    assert_eq!(
        text(table("one_nested_struct", columns![value: NestedStruct])),
        [
            "table one_nested_struct, column 1: server has value: NestedStruct, struct has value: NestedStruct; in inner.b: server has u8, struct has u16"
        ],
    );
    let differences = text(table("one_simple_enum", columns![value: SimpleEnum]));
    assert!(
        differences[0].ends_with("; in it: server has 3 variants, struct has 1 variant"),
        "{differences:?}"
    );
    assert!(text(table("one_unit_struct", columns![value: UnitStruct])).is_empty());
    let differences = text(table("vec_unit_struct", columns![value: Vec<Endless>]));
    assert_eq!(
        differences,
        [
            "table vec_unit_struct, column 1: server has value: Vec<UnitStruct>, struct has value: Vec<Endless>"
        ]
    );
}

/// An enum of the module's first variants, which keeps the others in some way.
macro_rules! older {
    ($name:ident $unknown:ident [$($variant:literal $payload:expr),*]) => {
        struct $name;
        impl Sats for $name {
            const TYPE: SatsType = SatsType::Sum(SumDef {
                name: stringify!($name),
                variants: &[$(VariantDef { name: $variant, payload: $payload }),*],
                unknown: UnknownVariants::$unknown,
            });
        }
    };
}

older!(ZeroAndTags Tag ["Zero" None]);
older!(FourAndTags Tag ["Zero" None, "One" None, "Two" None, "Three" None]);
older!(U8AndTags Tag ["U8" Some(TypeRef::of::<u8>())]);
older!(U8AndValues Value ["U8" Some(TypeRef::of::<u8>())]);
older!(I8AndValues Value ["U8" Some(TypeRef::of::<i8>())]);

#[test]
fn further_variants_are_no_difference_where_they_are_kept() {
    let schema = load("modules/conformance.v10.json");
    let text = |ours: TableDef| -> Vec<String> {
        compare_table(&schema, &ours).iter().map(ToString::to_string).collect()
    };
    assert!(text(table("one_simple_enum", columns![value: ZeroAndTags])).is_empty());
    assert!(text(table("vec_simple_enum", columns![value: Vec<ZeroAndTags>])).is_empty());
    assert!(text(table("one_enum_with_payload", columns![value: U8AndValues])).is_empty());
    let cases = [
        (
            text(table("one_simple_enum", columns![value: FourAndTags])),
            "; in it: server has 3 variants, struct has 4 variants",
        ),
        (
            text(table("one_enum_with_payload", columns![value: U8AndTags])),
            "; in u16: server has u16, struct has an `other` that keeps no value",
        ),
        (
            text(table("one_enum_with_payload", columns![value: I8AndValues])),
            "; in u8: server has u8, struct has i8",
        ),
    ];
    for (differences, end) in cases {
        assert!(matches!(&differences[..], [one] if one.ends_with(end)), "{differences:?}");
    }
}

#[test]
fn functions_differ_by_arguments_and_returns() {
    let schema = load("modules/conformance.v10.json");
    let text = |differences: Vec<lightlike_core::schema::Difference>| -> Vec<String> {
        differences.iter().map(ToString::to_string).collect()
    };
    let reducers = |ours| text(compare_reducer(&schema, &ours));
    assert!(reducers(reducer("no_op", &[])).is_empty());
    assert!(
        reducers(reducer("no_op_with_args", params![text: String, _bytes: Vec<u8>])).is_empty()
    );
    assert_eq!(
        reducers(reducer("no_op_with_args", params![bytes: Vec<u8>, text: String])),
        [
            "reducer no_op_with_args, argument 1: server has text: String, struct has bytes: Vec<u8>",
            "reducer no_op_with_args, argument 2: server has bytes: Vec<u8>, struct has text: String",
        ],
    );
    assert_eq!(
        reducers(reducer("no_op", params![n: u8])),
        ["reducer no_op, argument 1: server has no argument, struct has n: u8"],
    );
    assert_eq!(reducers(reducer("nothing", &[])), ["reducer nothing: server has no such reducer"]);
    assert_eq!(
        reducers(reducer("return_unit", &[])),
        ["reducer return_unit: server has a procedure, struct has a reducer"]
    );
    let lifecycle = schema.reducers.iter().find(|reducer| !reducer.callable).unwrap();
    let name: &'static str = Box::leak(lifecycle.name.clone());
    assert_eq!(reducers(reducer(name, &[]))[0], format!("reducer {name}: clients cannot call it"));
    let other_error =
        FunctionDef { error: Some(TypeRef::of::<u32>()), ..reducer("fail_with_empty_string", &[]) };
    assert_eq!(
        reducers(other_error),
        ["reducer fail_with_empty_string, error type: server has String, struct has u32"],
    );

    let procedures = |ours| text(compare_procedure(&schema, &ours));
    let numbers = params![lhs: u32, rhs: u32];
    assert!(procedures(procedure("return_primitive", numbers, TypeRef::of::<u32>())).is_empty());
    assert_eq!(
        procedures(procedure("return_primitive", numbers, TypeRef::of::<u64>())),
        ["procedure return_primitive, return type: server has u32, struct has u64"],
    );
    assert_eq!(
        procedures(procedure("no_op", &[], TypeRef::of::<()>())),
        ["procedure no_op: server has a reducer, struct has a procedure"],
    );
    assert_eq!(
        procedures(procedure("nothing", &[], TypeRef::of::<()>())),
        ["procedure nothing: server has no such procedure"],
    );
}
