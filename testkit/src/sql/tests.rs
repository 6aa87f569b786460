use lightlike_core::bsatn::to_vec;
use lightlike_core::schema::{ColumnDef, IndexDef, RowDef, TableDef, TableKind, TypeRef};
use lightlike_core::types::{ConnectionId, I256, Identity, TimeDuration, Timestamp, U256, Uuid};

use super::*;
use crate::database::schema::TableSchema;

const ORDER: &[ColumnDef] = &[column::<u32>("id")];

const fn column<T: lightlike_core::schema::Sats>(name: &'static str) -> ColumnDef {
    ColumnDef { name, ty: TypeRef::of::<T>() }
}

const COLUMNS: &[ColumnDef] = &[
    column::<u32>("id"),
    column::<bool>("flag"),
    column::<i8>("small"),
    column::<i128>("large"),
    column::<U256>("huge"),
    column::<I256>("signed"),
    column::<f32>("single"),
    column::<f64>("double"),
    column::<String>("name"),
    column::<Vec<u8>>("data"),
    column::<Identity>("who"),
    column::<ConnectionId>("connection"),
    column::<Timestamp>("at"),
    column::<Uuid>("uuid"),
    column::<TimeDuration>("span"),
    column::<Option<u32>>("maybe"),
    column::<Vec<u32>>("list"),
    column::<u32>("Order"),
];

fn def(name: &'static str, kind: TableKind, columns: &'static [ColumnDef]) -> TableDef {
    let row = RowDef { name: "Row", columns, lenient: false };
    let indexes = &[IndexDef { columns: &[10] }, IndexDef { columns: &[0, 1] }];
    TableDef { name, kind, row, primary_key: Some(0), unique: &[0, 8], indexes }
}

fn tables() -> Vec<TableSchema> {
    vec![
        TableSchema::new(def("t", TableKind::Table, COLUMNS), false),
        TableSchema::new(def("u", TableKind::Table, COLUMNS), false),
        TableSchema::new(def("e", TableKind::Event, COLUMNS), false),
        TableSchema::new(def("secret", TableKind::Table, COLUMNS), true),
        TableSchema::new(def("order", TableKind::Table, ORDER), false),
    ]
}

fn sender() -> Identity {
    Identity::from_u256(U256::new(0xabcd))
}

/// The row that the conditions below are about.
fn row() -> Vec<u8> {
    let at = Timestamp::from_micros(1_739_198_730_500_000);
    [
        to_vec(&7_u32),
        to_vec(&true),
        to_vec(&-5_i8),
        to_vec(&(-170_141_183_460_469_231_731_687_303_715_884_105_728_i128)),
        to_vec(&U256::MAX),
        to_vec(&I256::new(-1)),
        to_vec(&0.1_f32),
        to_vec(&-0.0_f64),
        to_vec("it's"),
        to_vec(&vec![0_u8, 0xff]),
        to_vec(&sender()),
        to_vec(&ConnectionId::from_u128(0xfe)),
        to_vec(&at),
        to_vec(&"018f4e2a-1111-7000-8000-0123456789ab".parse::<Uuid>().unwrap()),
        to_vec(&TimeDuration::from_micros(1)),
        to_vec(&Some(3_u32)),
        to_vec(&vec![1_u32]),
        to_vec(&9_u32),
    ]
    .map(Result::unwrap)
    .concat()
}

fn passes(condition: &str) -> bool {
    let tables = tables();
    let query = compile(&format!("SELECT * FROM t WHERE {condition}"), &tables)
        .unwrap_or_else(|error| panic!("{condition}: {error}"));
    let columns = Columns::read(&tables[0], &row());
    query.filter.unwrap().holds(Bindings { sender: sender(), rows: &[&columns] })
}

fn error(sql: &str) -> String {
    compile(sql, &tables()).expect_err(sql).to_string()
}

#[test]
fn literals_take_their_columns_type() {
    #[rustfmt::skip]
    let cases = [
        ("id = 7", true), ("7 = id", true), ("id <> 7", false), ("id != 7", false), ("id < 8", true), ("8 > id", true),
        ("id >= 7", true), ("id <= 6", false), ("id = '7'", true), ("id = 7.0", true), ("id = 7e0", true), ("id = +7", true),
        ("flag = TRUE", true), ("flag = false", false), ("flag", true), ("true", true), ("FALSE", false),
        ("small = -5", true), ("small < 0", true), ("small = -5.0", true),
        ("large = -170141183460469231731687303715884105728", true), ("large < 0", true),
        ("huge = 115792089237316195423570985008687907853269984665640564039457584007913129639935", true), ("huge > 0", true),
        ("signed = -1", true), ("signed < 1e3", true),
        ("single = 0.1", true), ("single < 1", true), ("double = 0", true), ("double = -0.0", true), ("double < 1e-3", true),
        ("name = 'it''s'", true), ("name < 'z'", true), ("name = 7", false),
        ("data = 0x00ff", true), ("data = '0x00ff'", true), ("data = x'00FF'", true), ("data < 0x01", true),
        ("who = 0x000000000000000000000000000000000000000000000000000000000000abcd", true), ("who = :sender", true),
        (":sender <> who", false),
        ("connection = 0x000000000000000000000000000000fe", true), ("connection > '00000000000000000000000000000000'", true),
        ("at = '2025-02-10T14:45:30.5Z'", true), ("at < '2025-02-10T15:45:30.6+01:00'", true), ("at > '2026-01-01T00:00:00Z'", false),
        ("uuid = '018f4e2a-1111-7000-8000-0123456789ab'", true),
        ("\"Order\" = 9", true), ("t.\"Order\" = 9", true), ("id = id", true), ("id < \"Order\"", true),
        ("(id = 7) = TRUE", true), ("(id = 7) = (flag)", true),
    ];
    for (condition, want) in cases {
        assert_eq!(passes(condition), want, "{condition}");
    }
}

#[test]
fn and_binds_more_tightly_than_or() {
    #[rustfmt::skip]
    let cases = [
        ("id = 7 OR id = 8 AND id = 9", true), ("(id = 7 OR id = 8) AND id = 9", false), ("id = 1 or id = 2 or id = 7", true),
        ("id = 7 and flag and small = -5", true), ("((id = 7))", true),
    ];
    for (condition, want) in cases {
        assert_eq!(passes(condition), want, "{condition}");
    }
}

#[test]
fn a_query_may_be_written_in_many_ways() {
    for sql in [
        "select * from t",
        "SELECT * FROM t;",
        "  SELECT\n*\nFROM t -- all of it\n WHERE id=7 ;; ",
        "SELECT * FROM \"t\"",
        "SELECT t.* FROM t",
        "SELECT a.* FROM t AS a WHERE a.id = 7",
        "SELECT * FROM t a WHERE id = 7",
        "SELECT * FROM t()",
        "SELECT * FROM order",
        "SELECT * FROM \"order\" WHERE \"order\".id = 1",
        "SELECT t.* FROM t JOIN u ON t.id = u.id",
        "SELECT u.* FROM t INNER JOIN u ON (t.id = u.id) WHERE t.flag AND u.small < 0",
        "SELECT a.* FROM t a JOIN t b ON a.who = b.who WHERE a.id <> b.id",
        "SELECT e.* FROM e JOIN u ON e.id = u.id",
    ] {
        assert!(compile(sql, &tables()).is_ok(), "{sql}: {:?}", compile(sql, &tables()));
    }
}

#[test]
fn errors_are_the_servers() {
    #[rustfmt::skip]
    let cases = [
        ("", "Empty SQL query"),
        (";", "Empty SQL query"),
        ("SELEcCT * FROM one_u8;", "sql parser error: Expected an SQL statement, found: SELEcCT at Line: 1, Column 1"),
        ("SELECT * FROM nope", "no such table: `nope`. If the table exists, it may be marked private."),
        ("SELECT * FROM secret", "no such table: `secret`. If the table exists, it may be marked private."),
        ("SELECT * FROM T", "no such table: `T`. If the table exists, it may be marked private."),
        ("SELECT * FROM t WHERE nope = 1", "`nope` is not in scope"),
        ("SELECT * FROM t WHERE u.id = 1", "`u` is not in scope"),
        ("SELECT u.* FROM t", "`u` is not in scope"),
        ("SELECT * FROM t WHERE id = 'x'", "The literal expression `x` cannot be parsed as type `U32`"),
        ("SELECT * FROM t WHERE id = -1", "The literal expression `-1` cannot be parsed as type `U32`"),
        ("SELECT * FROM t WHERE id = 1.5", "The literal expression `1.5` cannot be parsed as type `U32`"),
        ("SELECT * FROM t WHERE small = 128", "The literal expression `128` cannot be parsed as type `I8`"),
        ("SELECT * FROM t WHERE who = 0xab", "The literal expression `ab` cannot be parsed as type `(__identity__: U256)`"),
        ("SELECT * FROM t WHERE data = 0xabc", "The literal expression `abc` cannot be parsed as type `Array<U8>`"),
        ("SELECT * FROM t WHERE id = TRUE", "Unexpected type: (expected) Bool != U32 (inferred)"),
        ("SELECT * FROM t WHERE flag = 1", "The literal expression `1` cannot be parsed as type `Bool`"),
        ("SELECT * FROM t WHERE id", "Unexpected type: (expected) U32 != Bool (inferred)"),
        ("SELECT * FROM t WHERE id = name", "Unexpected type: (expected) String != U32 (inferred)"),
        ("SELECT * FROM t WHERE name = :sender", "Unexpected type: (expected) (__identity__: U256) != String (inferred)"),
        ("SELECT * FROM t WHERE 1 = 1", "Cannot resolve type for literal expression"),
        ("SELECT * FROM t WHERE list = list", "Invalid binary operator `=` for type `Array<U32>`"),
        ("SELECT * FROM t WHERE maybe = maybe", "Invalid binary operator `=` for type `(some: U32 | none: ())`"),
        ("SELECT * FROM t WHERE span < span", "Invalid binary operator `<` for type `(__time_duration_micros__: I64)`"),
        ("SELECT * FROM t WHERE maybe = 3", "The literal expression `3` cannot be parsed as type `(some: U32 | none: ())`"),
        ("SELECT * FROM t WHERE NOT id = 1", "Unsupported expression: NOT id = 1"),
        ("SELECT * FROM t WHERE id = 1 + 1", "Unsupported binary operator: +"),
        ("SELECT * FROM t WHERE id + 1 = 2", "Unsupported binary operator: +"),
        ("SELECT * FROM t WHERE id = NULL", "Unsupported literal expression: NULL"),
        ("SELECT * FROM t WHERE who = :caller", "Unsupported literal expression: :caller"),
        ("SELECT * FROM t WHERE", "sql parser error: Expected an expression:, found: EOF"),
        ("SELECT * FROM t WHERE (id = 1", "sql parser error: Expected ), found: EOF"),
        ("SELECT * FROM t WHERE name = 'x", "sql parser error: Unterminated string literal at Line: 1, Column 30"),
        ("SELECT * FROM", "sql parser error: Expected identifier, found: EOF"),
        ("SELECT *", "A FROM clause is required"),
        ("SELECT id FROM t", "Column projections are not supported in subscriptions; Subscriptions must return a table type"),
        ("SELECT id, name AS n FROM t", "Column projections are not supported in subscriptions; Subscriptions must return a table type"),
        ("DELETE FROM t", "Unsupported: Non-SELECT queries"),
        ("SELECT * FROM t; SELECT * FROM u", "Multiple SQL statements are not supported"),
        ("SELECT * FROM t, u", "Implicit joins are not supported"),
        ("SELECT * FROM t JOIN u ON t.id = u.id", "SELECT * is not supported for joins"),
        ("SELECT t.* FROM t JOIN u ON id = u.id", "Names must be qualified when using joins"),
        ("SELECT t.* FROM t JOIN t ON t.id = t.id", "Duplicate name `t`"),
        ("SELECT t.* FROM t JOIN u ON t.id = u.name", "Unexpected type: (expected) String != U32 (inferred)"),
        ("SELECT t.* FROM t LEFT JOIN u ON t.id = u.id", "Non-inner joins are not supported"),
        ("SELECT t.* FROM t JOIN u ON t.id < u.id", "Non-inner joins are not supported"),
        ("SELECT * FROM t x y", "sql parser error: Expected end of statement, found: y at Line: 1, Column 19"),
    ];
    for (sql, want) in cases {
        assert_eq!(error(sql), want, "{sql}");
    }
}

#[test]
fn hostile_queries_are_refused_and_not_suffered() {
    let nested = format!("SELECT * FROM t WHERE {}", "(".repeat(10_000));
    assert_eq!(error(&nested), "sql parser error: recursion limit exceeded");
    let negated = format!("SELECT * FROM t WHERE {}id = 1", "NOT ".repeat(10_000));
    assert_eq!(error(&negated), "sql parser error: recursion limit exceeded");
    let chain = format!("SELECT * FROM t WHERE id = 1{}", " AND id = 1".repeat(4_000));
    assert_eq!(error(&chain), "Recursion limit exceeded, `sql-parser::parse_expr`");
    let long = format!("SELECT * FROM t WHERE name = '{}'", "é".repeat(50_000));
    assert!(error(&long).starts_with(
        "SQL query exceeds maximum allowed length: \"SELECT * FROM t WHERE name = 'é"
    ));
    let digits = format!("SELECT * FROM t WHERE id = {}", "9".repeat(40_000));
    assert!(error(&digits).ends_with("cannot be parsed as type `U32`"));
    for c in ['\0', '\u{7f}', '\\', '$', '€', '#', '`', '\'', '"', ':'] {
        error(&format!("SELECT {c} FROM {c} WHERE {c}"));
        error(&format!("SELECT * FROM t WHERE {c}"));
    }
}

#[test]
fn everything_is_a_query_of_its_own() {
    for sql in ["SELECT * FROM *", " select\t*\nfrom  * "] {
        assert!(is_everything(sql), "{sql}");
    }
    for sql in ["SELECT * FROM *;", "SELECT * FROM t", "SELECT * FROM * x", "SELECT *"] {
        assert!(!is_everything(sql), "{sql}");
    }
}
