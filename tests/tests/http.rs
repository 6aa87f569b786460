//! The HTTP client on a real server. Without `SPACETIMEDB_URI` there is none to ask, and these tests ask nothing.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as its tests do")]

use std::fs;
use std::time::Duration;

use lightlike::http::{ErrorKind, Form, Http, Json, LogOptions, Publish, PublishOp, json};
use lightlike::prelude::*;
use lightlike::schema::{
    AnyType, SatsValue, Scalar, ServerSchema, ServerTable, Shape, TotalF32, TotalF64, compare,
};
use lightlike_tests::chat::{Message, SetName, User, send_message};
use lightlike_tests::real::{Database, Module, Real};

/// Whoever published the database.
fn owner(database: &Database) -> Http {
    Http::new(database.uri()).unwrap().with_token(&database.owner().token)
}

fn module(name: &str) -> Vec<u8> {
    fs::read(format!("{}/modules/{name}.wasm", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[tokio::test]
async fn an_identity_is_made_and_verified() {
    let Some(real) = Real::from_env() else { return };
    let http = Http::new(real.uri()).unwrap();
    http.ping().await.unwrap();
    assert!(http.health().await.unwrap().version.starts_with("2."));
    assert!(http.public_key().await.unwrap().contains("PUBLIC KEY"));
    assert_eq!(http.websocket_token().await.unwrap_err().kind(), ErrorKind::Auth);

    let (ada, grace) =
        (http.create_identity().await.unwrap(), http.create_identity().await.unwrap());
    assert_ne!(ada.identity, grace.identity);
    let http = http.with_token(&ada.token);
    assert!(http.verify_identity(ada.identity).await.unwrap());
    assert!(!http.verify_identity(grace.identity).await.unwrap());
    assert!(!http.websocket_token().await.unwrap().is_empty());
    assert!(http.databases(ada.identity).await.unwrap().is_empty());
    let refused = http.without_token().with_token("nonsense").ping().await.unwrap_err();
    assert_eq!((refused.kind(), refused.status()), (ErrorKind::Auth, Some(401)));
}

#[tokio::test]
async fn a_database_is_published_named_and_deleted() {
    let Some(real) = Real::from_env() else { return };
    let http = Http::new(real.uri()).unwrap();
    let ada = http.create_identity().await.unwrap();
    let http = http.with_token(&ada.token);
    let created = http.publish_unnamed(module("chat")).await.unwrap();
    assert_eq!((created.op, created.name), (PublishOp::Created, None));
    let database = created.identity.to_hex();
    assert_eq!(http.databases(ada.identity).await.unwrap(), [created.identity]);

    let name = format!("http-{}", &database[48..]);
    http.add_name(&database, &name).await.unwrap();
    assert_eq!(http.names(&database).await.unwrap(), [&*name]);
    assert_eq!(http.database_identity(&name).await.unwrap(), created.identity);
    let info = http.database(&name).await.unwrap();
    assert_eq!((info.identity, info.owner), (created.identity, ada.identity));
    assert_eq!(info.host_type, "Wasm");
    let other_name = format!("{name}-other");
    http.set_names(&name, &[&other_name]).await.unwrap();
    assert_eq!(http.names(&database).await.unwrap(), [&*other_name]);
    assert_eq!(http.names(&name).await.unwrap_err().kind(), ErrorKind::NotFound);

    let clear = Publish::default().clear(true);
    let updated = http.publish(&other_name, module("chat"), clear).await.unwrap();
    assert_eq!((updated.op, updated.identity), (PublishOp::Updated, created.identity));
    let stranger = http.clone().with_token(http.create_identity().await.unwrap().token);
    let refused = stranger.publish(&other_name, module("chat"), Publish::default()).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Auth);
    assert_eq!(stranger.set_names(&database, &["x"]).await.unwrap_err().kind(), ErrorKind::Auth);
    assert_eq!(stranger.delete(&database).await.unwrap_err().kind(), ErrorKind::Auth);
    let garbage = http.publish_unnamed("not wasm").await.unwrap_err();
    assert!(garbage.status().is_some_and(|status| status >= 400));

    http.delete(&database).await.unwrap();
    http.delete(&database).await.unwrap();
    assert_eq!(http.database(&database).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn reducers_are_called_and_rows_are_read() {
    let Some(real) = Real::from_env() else { return };
    let chat = real.publish(Module::Chat).await.unwrap();
    let (http, name) = (owner(&chat), chat.name());
    http.call(name, "set_name", ("Ada",)).await.unwrap();
    http.call_reducer(name, send_message("hello".into())).await.unwrap();
    http.call(name, "send_message", Json(r#"{"text": "goodbye"}"#)).await.unwrap();

    let rejected = http.call_reducer(name, SetName { name: String::new() }).await.unwrap_err();
    assert_eq!((rejected.kind(), rejected.status()), (ErrorKind::Rejected, Some(530)));
    assert_eq!(rejected.text(), Some("Names must not be empty"));
    let unknown = http.call(name, "nothing", ()).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
    let wrong = http.call(name, "set_name", (7u8,)).await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Refused);
    assert_eq!(
        http.call("no-such-database", "x", ()).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );

    let me = Identity::from_hex(&chat.owner().identity).unwrap();
    let users: Vec<User> = http.sql(name, User::all()).await.unwrap().rows().unwrap();
    let ada = users.iter().find(|user| user.identity == me).unwrap();
    assert_eq!(ada.name.as_deref(), Some("Ada"));
    let replies = http.sql(name, ["SELECT * FROM message", "SELECT text, sender FROM message"]);
    let replies = replies.await.unwrap();
    let [messages, texts] = replies.statements() else { panic!("two statements") };
    let messages: Vec<Message> = messages.rows_by_name().unwrap();
    assert_eq!(messages.len(), 2);
    let mut texts: Vec<(String, Identity)> = texts.rows().unwrap();
    texts.sort();
    assert_eq!(texts, [("goodbye".into(), me), ("hello".into(), me)]);
    let deleted = http.sql(name, "DELETE FROM message").await.unwrap();
    assert_eq!(deleted.statement().unwrap().stats().rows_deleted, 2);
    let refused = http.without_token().sql(name, "DELETE FROM user").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn a_log_is_read_and_followed() {
    let Some(real) = Real::from_env() else { return };
    let chat = real.publish(Module::Chat).await.unwrap();
    let (http, name) = (owner(&chat), chat.name());
    http.call(name, "first_unknown", ()).await.unwrap_err();
    let mut lines = http.logs(name, LogOptions::default().lines(1)).await.unwrap();
    let line = lines.next().await.unwrap().unwrap();
    assert!(line.message.contains("first_unknown"), "{line:?}");
    assert!(lines.next().await.is_none());

    let mut logs = http.logs(name, LogOptions::default().follow(true)).await.unwrap();
    http.call(name, "second_unknown", ()).await.unwrap_err();
    let within = Duration::from_secs(20);
    loop {
        let line = tokio::time::timeout(within, logs.next()).await.expect("a line in time");
        if line.unwrap().unwrap().message.contains("second_unknown") {
            break;
        }
    }
    let refused = http.without_token().logs(name, LogOptions::default()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Auth);
}

#[derive(Bsatn, Debug, PartialEq)]
struct ReturnStruct {
    a: u32,
    b: String,
}

#[procedure(name = "return_struct")]
fn make_struct(a: u32, b: String) -> ReturnStruct;

#[procedure]
fn return_result(even: u32) -> Result<u32, String>;

#[tokio::test]
async fn procedures_return_values() {
    let Some(real) = Real::from_env() else { return };
    let database = real.publish(Module::Conformance).await.unwrap();
    let (http, name) = (owner(&database), database.name());
    let made = http.call_procedure(name, make_struct(7, "seven".into())).await.unwrap();
    assert_eq!(made, ReturnStruct { a: 7, b: "seven".into() });
    assert_eq!(http.call_procedure(name, return_result(2)).await.unwrap(), Ok(1));
    assert!(http.call_procedure(name, return_result(3)).await.unwrap().is_err());
    let optional = http.call(name, "return_option", (Some(9u32),)).await.unwrap();
    assert_eq!(optional.value::<Option<u32>>().unwrap(), Some(9));
    let bytes: Vec<u8> = http.call(name, "return_bytes", (3u32,)).await.unwrap().value().unwrap();
    assert_eq!(bytes.len(), 3);
    http.call(name, "return_unit", ()).await.unwrap().value::<()>().unwrap();
    let panicked = http.call(name, "will_panic", ()).await.unwrap_err();
    assert_eq!(panicked.kind(), ErrorKind::Server);
}

#[tokio::test]
async fn structs_are_compared_with_the_schema() {
    let Some(real) = Real::from_env() else { return };
    let chat = real.publish(Module::Chat).await.unwrap();
    let schema = owner(&chat).schema(chat.name()).await.unwrap();
    assert_eq!(schema.version, 10);
    let differences = compare(&schema, &[User::DEF, Message::DEF], &[SetName::DEF]);
    assert!(differences.is_empty(), "{differences:?}");

    /// The chat's messages, with a time of another type.
    #[derive(Bsatn, Table, Debug)]
    #[table(name = "message")]
    struct Drifted {
        sender: Identity,
        sent: u64,
        text: String,
    }
    let differences = compare(&schema, &[Drifted::DEF], &[]);
    let lines: Vec<_> = differences.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        ["table message, column 2: server has sent: Timestamp, struct has sent: u64"]
    );
}

/// A value of any type; another for each `seed`.
fn sample(ty: AnyType<'_>, seed: u8) -> SatsValue {
    let boxed = |ty| Box::new(sample(ty, seed));
    match ty.shape() {
        Shape::Scalar(scalar) => sample_scalar(scalar, seed),
        Shape::Array(element) => match element.shape() {
            Shape::Scalar(Scalar::U8) => SatsValue::Bytes(vec![seed; usize::from(seed % 3)]),
            _ => SatsValue::Array((0..seed % 3).map(|more| sample(element, seed + more)).collect()),
        },
        Shape::Option(some) => SatsValue::Option((seed % 2 == 1).then(|| boxed(some))),
        Shape::Result(ok, _) if seed.is_multiple_of(2) => SatsValue::Result(Ok(boxed(ok))),
        Shape::Result(_, err) => SatsValue::Result(Err(boxed(err))),
        Shape::Product(fields) => {
            SatsValue::Product(fields.types().map(|ty| sample(ty, seed)).collect())
        }
        Shape::Sum(variants) => {
            let tag = usize::from(seed) % variants.len();
            let payload = variants.payload(tag).flatten().map(boxed);
            SatsValue::Sum { tag: u8::try_from(tag).unwrap(), payload }
        }
    }
}

fn sample_scalar(scalar: Scalar, seed: u8) -> SatsValue {
    let bits = u128::from_le_bytes([seed.wrapping_mul(85); 16]);
    let (signed, huge) = (bits.cast_signed(), U256::from_words(bits, bits));
    match scalar {
        Scalar::Bool => (seed % 2 == 1).into(),
        Scalar::I8 => (signed as i8).into(),
        Scalar::U8 => (bits as u8).into(),
        Scalar::I16 => (signed as i16).into(),
        Scalar::U16 => (bits as u16).into(),
        Scalar::I32 => (signed as i32).into(),
        Scalar::U32 => (bits as u32).into(),
        Scalar::I64 => (signed as i64).into(),
        Scalar::U64 => (bits as u64).into(),
        Scalar::I128 => signed.into(),
        Scalar::U128 => bits.into(),
        Scalar::I256 => huge.as_i256().into(),
        Scalar::U256 => huge.into(),
        Scalar::F32 => SatsValue::F32(TotalF32(f32::from(seed) / 3.0)),
        Scalar::F64 => SatsValue::F64(TotalF64(f64::from(seed) / 7.0)),
        Scalar::String => format!("\u{1f680} \"{seed}\"\n").into(),
        Scalar::Identity => Identity::from_u256(huge).into(),
        Scalar::ConnectionId => ConnectionId::from(bits).into(),
        Scalar::Timestamp => Timestamp::from_micros(signed as i64).into(),
        Scalar::TimeDuration => TimeDuration::from_micros(signed as i64).into(),
        Scalar::ScheduleAt => ScheduleAt::Time(Timestamp::from_micros(i64::from(seed))).into(),
        Scalar::Uuid => Uuid::from(bits).into(),
    }
}

/// The tables of one column that a reducer fills with what it is given.
fn tables_of_one_value(schema: &ServerSchema) -> Vec<(&ServerTable, String)> {
    let tables = schema.tables.iter().filter(|table| table.columns.len() == 1 && table.public);
    let with_reducer = tables.map(|table| (table, format!("insert_{}", table.name)));
    let filled = with_reducer.filter(|(table, insert)| {
        let reducer = schema.reducer(insert);
        reducer.is_some_and(
            |reducer| matches!(&reducer.params[..], [param] if param.ty == table.columns[0].ty),
        )
    });
    filled.collect()
}

#[tokio::test]
async fn every_type_goes_there_and_comes_back() {
    let Some(real) = Real::from_env() else { return };
    let database = real.publish(Module::Conformance).await.unwrap();
    let (http, name) = (owner(&database), database.name());
    let schema = http.schema(name).await.unwrap();
    let tables = tables_of_one_value(&schema);
    assert!(tables.len() > 60, "{}", tables.len());
    for (table, insert) in tables {
        let ty = schema.resolve(&table.columns[0].ty);
        let mut sent = Vec::new();
        for (seed, form) in [(0, Form::Named), (1, Form::Positional), (2, Form::Named)] {
            let value = sample(ty, seed);
            let text = json::value_to_string(ty, &value, form).unwrap();
            let inserted = http.call(name, &insert, Json(format!("[{text}]"))).await;
            inserted.unwrap_or_else(|why| panic!("{insert} of {text}: {why}"));
            sent.push(vec![value]);
        }
        let reply = http.sql(name, format!("SELECT * FROM {}", table.name)).await.unwrap();
        let mut rows = reply.values().unwrap();
        rows.sort();
        sent.sort();
        // A table holds equal rows once.
        sent.dedup();
        assert_eq!(rows, sent, "{}", table.name);
    }
}
