//! Databases without structs: rows, events and calls by the server's schema, on the embedded server and on a real one.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as its tests do")]

use std::sync::Arc;

use lightlike::http::Http;
use lightlike::prelude::*;
use lightlike::schema::{SatsValue, ServerSchema};
use lightlike::untyped::{Args, Untyped, UntypedError, UntypedRow};
use lightlike::{CallErrorKind, ErrorKind};
use lightlike_tests::conformance::bulk::{Bulk, delete_many, insert_many, update_many};
use lightlike_tests::conformance::keys::PkString;
use lightlike_tests::conformance::{Log, next, on_both_servers};
use lightlike_tests::target::Target;

async fn schema(target: &Target) -> ServerSchema {
    Http::new(&target.uri()).unwrap().schema(target.name()).await.unwrap()
}

/// A client, and its database without types.
async fn connect(target: &Target) -> (Client, Untyped) {
    let db = target.connect().await;
    let untyped = db.untyped(schema(target).await);
    (db, untyped)
}

fn json(rows: &[UntypedRow]) -> Vec<String> {
    let mut rows: Vec<_> = rows.iter().map(|row| row.to_json().unwrap()).collect();
    rows.sort();
    rows
}

fn line(change: &Change<UntypedRow>) -> String {
    match change {
        Change::Inserted(it) => format!("+{}", it.row),
        Change::Updated(it) => format!("{} -> {}", it.old, it.new),
        Change::Deleted(it) => format!("-{}", it.row),
    }
}

#[tokio::test]
async fn rows_are_read_by_column_name() {
    on_both_servers(async |target| {
        let (db, untyped) = connect(target).await;
        let table = untyped.table("pk_string").unwrap();
        assert_eq!(table.primary_key().unwrap().name.as_deref(), Some("key"));
        assert!(table.is_empty());
        let _rows = db.subscribe("SELECT * FROM pk_string").await.unwrap();
        for (key, data) in [("a", 1), ("b", 2)] {
            let args = Args::json(format!(r#"["{key}", {data}]"#));
            untyped.call("insert_pk_string", args).unwrap().await.unwrap();
        }
        assert_eq!((table.len(), table.rows().len()), (2, 2));
        assert_eq!(json(&table.rows()), [r#"{"key":"a","data":1}"#, r#"{"key":"b","data":2}"#]);
        let row = table.get(&"b".into()).unwrap();
        assert_eq!(row.values().unwrap(), ["b".into(), SatsValue::I32(2)]);
        assert_eq!((row.get("data").unwrap(), row.key()), (2_i32.into(), Some("b".into())));
        assert_eq!(row.to_string(), r#"(key: "b", data: 2)"#);
        assert_eq!(row.decode::<PkString>().unwrap(), PkString { key: "b".into(), data: 2 });
        assert!(matches!(row.get("dada"), Err(UntypedError::UnknownColumn { .. })));
        assert_eq!(table.get(&"c".into()), None);

        let rows = untyped.query("SELECT * FROM pk_string WHERE data = 2").await.unwrap();
        assert_eq!(rows, [row]);
        let refused = untyped.query("SELECT * FROM no_such_table").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Query);
    })
    .await;
}

#[tokio::test]
async fn replaced_keyed_row_is_an_update() {
    on_both_servers(async |target| {
        let (db, untyped) = connect(target).await;
        let table = untyped.table("pk_string").unwrap();
        let (log, heard) = (Log::default(), Log::default());
        let push = log.clone();
        let id = table.on_change(move |event, change| {
            push.push(format!("{} {}", line(change), event.is_mine()));
        });
        let mut stream = table.changes();
        let whole = (untyped.clone(), heard.clone());
        db.on_transaction(move |_, transaction| {
            for change in whole.0.changes(transaction) {
                whole.1.push(format!("{} {}", change.table, line(&change.change)));
            }
        });
        let _rows = db.subscribe("SELECT * FROM pk_string").await.unwrap();
        let call = async |reducer: &str, args: &str| {
            untyped.call(reducer, Args::json(args)).unwrap().await.unwrap();
        };
        call("insert_pk_string", r#"["a", 1]"#).await;
        call("update_pk_string", r#"["a", 2]"#).await;
        call("delete_pk_string", r#"["a"]"#).await;
        let lines = [
            r#"+(key: "a", data: 1)"#,
            r#"(key: "a", data: 1) -> (key: "a", data: 2)"#,
            r#"-(key: "a", data: 2)"#,
        ];
        assert_eq!(log.take(), lines.map(|line| format!("{line} true")));
        assert_eq!(heard.take(), lines.map(|line| format!("pk_string {line}")));
        for want in lines {
            assert_eq!(line(&next(&mut stream).await), want);
        }
        id.remove();
        call("insert_pk_string", r#"["b", 1]"#).await;
        assert!(log.take().is_empty());
        assert_eq!(line(&next(&mut stream).await), r#"+(key: "b", data: 1)"#);
        db.disconnect().await;
        assert!(stream.next().await.is_none());
        assert!(table.changes().next().await.is_none(), "it is closed already");
    })
    .await;
}

#[tokio::test]
async fn rows_are_read_without_a_struct_beside_one() {
    on_both_servers(async |target| {
        let (db, untyped) = connect(target).await;
        let table = untyped.table("pk_string").unwrap();
        let mut changes = table.changes();
        let _rows = db.subscribe("SELECT * FROM pk_string").await.unwrap();
        let call = async |reducer: &str, args: &str| {
            untyped.call(reducer, Args::json(args)).unwrap().await.unwrap();
        };
        call("insert_pk_string", r#"["a", 1]"#).await;
        assert_eq!(line(&next(&mut changes).await), r#"+(key: "a", data: 1)"#);
        // Its rows get a type, and stay readable without.
        assert_eq!(db.table::<PkString>().get("a").unwrap().data, 1);
        call("update_pk_string", r#"["a", 2]"#).await;
        let update = r#"(key: "a", data: 1) -> (key: "a", data: 2)"#;
        assert_eq!(line(&next(&mut changes).await), update);
        assert_eq!(json(&table.rows()), [r#"{"key":"a","data":2}"#]);
    })
    .await;
}

#[tokio::test]
async fn untyped_events_match_typed_ones() {
    on_both_servers(async |target| {
        let (db, untyped) = connect(target).await;
        let typed = target.connect().await;
        let mut rows = typed.table::<Bulk>().changes();
        let mut untyped_rows = untyped.table("bulk").unwrap().changes();
        let _typed = typed.subscribe(Bulk::all()).await.unwrap();
        let _untyped = db.subscribe("SELECT * FROM bulk").await.unwrap();
        let caller = target.connect().await;
        caller.call(insert_many(50, 10)).await.unwrap();
        caller.call(update_many(30)).await.unwrap();
        caller.call(delete_many(20)).await.unwrap();
        caller.call(update_many(5)).await.unwrap();
        for _ in 0..50 + 30 + 20 + 5 {
            let decode = |row: &UntypedRow| row.decode::<Bulk>().unwrap();
            match (next(&mut rows).await, next(&mut untyped_rows).await) {
                (Change::Inserted(it), Change::Inserted(other)) => {
                    assert_eq!(it.row, decode(&other.row));
                }
                (Change::Updated(it), Change::Updated(other)) => {
                    assert_eq!((it.old, it.new), (decode(&other.old), decode(&other.new)));
                }
                (Change::Deleted(it), Change::Deleted(other)) => {
                    assert_eq!(it.row, decode(&other.row));
                }
                (typed, untyped) => panic!("{typed:?} and {untyped:?}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn keyless_rows_and_events_are_delivered() {
    on_both_servers(async |target| {
        let (db, untyped) = connect(target).await;
        let mut unique = untyped.table("unique_string").unwrap().changes();
        let mut events = untyped.table("test_event").unwrap().changes();
        let sql = ["SELECT * FROM unique_string", "SELECT * FROM test_event"];
        let _rows = db.subscribe(sql).await.unwrap();
        let call = async |reducer: &str, args: &str| {
            untyped.call(reducer, Args::json(args)).unwrap().await.unwrap();
        };
        call("insert_unique_string", r#"["a", 1]"#).await;
        call("update_unique_string", r#"["a", 2]"#).await;
        for want in
            [r#"+(key: "a", data: 1)"#, r#"+(key: "a", data: 2)"#, r#"-(key: "a", data: 1)"#]
        {
            assert_eq!(line(&next(&mut unique).await), want);
        }
        call("emit_multiple_test_events", "[]").await;
        for want in [r#"(name: "a", value: 1)"#, r#"(name: "b", value: 2)"#] {
            assert_eq!(line(&next(&mut events).await), format!("+{want}"));
        }
        assert!(untyped.table("test_event").unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn calls_take_json_or_values_by_name() {
    on_both_servers(async |target| {
        let (db, untyped) = connect(target).await;
        let _rows = db.subscribe("SELECT * FROM pk_string").await.unwrap();
        let table = untyped.table("pk_string").unwrap();
        let insert = async |args: Args| {
            let returned = untyped.call("insert_pk_string", args).unwrap().await.unwrap();
            assert!(returned.is_unit());
        };
        insert(Args::json(r#"["json in order", 1]"#)).await;
        insert(Args::json(r#"{"data": 2, "key": "json by name"}"#)).await;
        insert(["in order".into(), 3_i32.into()].into()).await;
        insert(Args::named([("data", 4_i32.into()), ("key", "by name".into())])).await;
        let row = PkString { key: "raw".into(), data: 5 };
        insert(Args::raw(lightlike::bsatn::to_vec(&row).unwrap())).await;
        let sixth = PkString { key: "without a schema".into(), data: 6 };
        db.call_raw("insert_pk_string", lightlike::bsatn::to_vec(&sixth).unwrap()).await.unwrap();
        let data = table.rows().iter().map(|row| row.get("data").unwrap()).collect::<Vec<_>>();
        assert_eq!(data.len(), 6);
        assert!((1..=6).all(|number: i32| data.contains(&number.into())));

        let sum = untyped.call("return_primitive", [1_u32.into(), 2_u32.into()]).unwrap();
        assert_eq!(sum.await.unwrap().value().unwrap(), 3_u32.into());
        let made = untyped.call("return_struct", Args::json(r#"{"a": 7, "b": "x"}"#)).unwrap();
        assert_eq!(made.await.unwrap().to_json().unwrap(), r#"{"a":7,"b":"x"}"#);
        let raw = lightlike::bsatn::to_vec(&(3_u32, 4_u32)).unwrap();
        let raw = db.call_procedure_raw("return_primitive", raw).await.unwrap();
        assert_eq!(&*raw, 7_u32.to_le_bytes());
    })
    .await;
}

#[tokio::test]
async fn a_call_that_is_refused_says_why() {
    on_both_servers(async |target| {
        let (db, untyped) = connect(target).await;
        let call = async |function: &str, args: &str| {
            untyped.call(function, Args::json(args)).unwrap().await.unwrap_err()
        };
        match call("fail_with_string", r#"["no"]"#).await {
            CallError::Rejected(why) => {
                assert_eq!(why.text().as_deref(), Some("no"));
                assert_eq!(why.to_json().unwrap(), r#""no""#);
            }
            other => panic!("{other:?}"),
        }
        let panicked = call("fail_with_panic", r#"["no"]"#).await;
        assert_eq!(panicked.kind(), CallErrorKind::Failed);
        assert_eq!(call("will_panic", "[]").await.kind(), CallErrorKind::Failed);
        let unknown = db.call_raw("no_such_reducer", Vec::new()).await.unwrap_err();
        assert_eq!(unknown.kind(), CallErrorKind::Failed);
    })
    .await;
}

#[tokio::test]
async fn unknown_names_are_refused_before_sending() {
    on_both_servers(async |target| {
        let (_, untyped) = connect(target).await;
        let message = |error: UntypedError| error.to_string();
        let call = |function: &str, args: Args| message(untyped.call(function, args).unwrap_err());
        assert_eq!(
            message(untyped.table("pk_strings").unwrap_err()),
            "the schema has no table or view `pk_strings`; did you mean `pk_string`?"
        );
        assert_eq!(
            call("insert_pk_strng", Vec::new().into()),
            "the schema has no reducer or procedure `insert_pk_strng`; \
             did you mean `insert_pk_string`?"
        );
        assert_eq!(
            call("insert_pk_string", ["a".into()].into()),
            "`insert_pk_string(key: String, data: i32)` takes 2 arguments and not 1"
        );
        assert_eq!(
            call("insert_pk_string", ["a".into(), 1_u32.into()].into()),
            "the argument `data` of `insert_pk_string` is not a `i32`"
        );
        assert_eq!(
            call("insert_pk_string", Args::named([("key", "a".into())])),
            "the argument `data` of `insert_pk_string` is missing; \
             it is `insert_pk_string(key: String, data: i32)`"
        );
        assert_eq!(
            call("insert_pk_string", Args::named([("kee", "a".into())])),
            "`insert_pk_string` has no parameter `kee`; \
             it is `insert_pk_string(key: String, data: i32)`"
        );
        for (args, wrong) in [(r#"["a"]"#, "data"), ("[1, 2]", "key"), ("nonsense", "line 1")] {
            let said = call("insert_pk_string", Args::json(args));
            assert!(said.contains("insert_pk_string(key: String, data: i32)"), "{said}");
            assert!(said.contains(wrong), "{said}");
        }
    })
    .await;
}

#[tokio::test]
async fn rows_not_fitting_schema_error_when_read() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let mut stale = schema(target).await;
        let table = stale.tables.iter_mut().find(|table| &*table.name == "pk_string").unwrap();
        table.columns.truncate(1);
        stale.tables.retain(|table| &*table.name != "unique_string");
        let untyped = db.untyped(Arc::new(stale));
        let sql = ["SELECT * FROM pk_string", "SELECT * FROM unique_string"];
        let _rows = db.subscribe(sql).await.unwrap();
        let mut transactions = db.transactions();
        for reducer in ["insert_pk_string", "insert_unique_string"] {
            untyped.call(reducer, Args::json(r#"["a", 1]"#)).unwrap().await.unwrap();
        }
        let table = untyped.table("pk_string").unwrap();
        let row = table.rows().remove(0);
        assert!(matches!(row.values(), Err(UntypedError::Row { .. })));
        assert!(matches!(row.to_json(), Err(UntypedError::Json(_))));
        assert_eq!(row.to_string(), "0x010000006101000000");
        assert_eq!(lightlike::Error::from(row.values().unwrap_err()).kind(), ErrorKind::Schema);
        next(&mut transactions).await;
        let unknown = untyped.changes(&next(&mut transactions).await).remove(0);
        assert_eq!(&*unknown.table, "unique_string");
        let Change::Inserted(it) = unknown.change else { panic!("{:?}", unknown.change) };
        assert!(matches!(it.row.values(), Err(UntypedError::UnknownTable { .. })));
        assert!(matches!(it.row.to_json(), Err(UntypedError::UnknownTable { .. })));
    })
    .await;
}
