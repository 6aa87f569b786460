//! Each recorded exchange: the request that we make is the recorded one, and its reply has the right value or error.

use std::fs;
use std::time::Duration;

use lightlike::http::reqwest::Method;
use lightlike::http::{
    Error, ErrorKind, Http, Json, LogLevel, LogOptions, MigrationPlan, Publish, PublishOp, Request,
};
use lightlike::prelude::*;
use lightlike::schema::ServerSchema;

use crate::scripted::{folder, replay};

const OWNER: &str = "c200d2e1729d04ab446eb63ab5ae149ea6639ef9a16fb521e937a1249c98a5cd";
const OTHER: &str = "c200102926a35d1caab3b0d7bda498caead886bbc17c94d7706b62791d1f9896";
const CHAT: &str = "c200bcfa81ec6455a3ab60fe26b2cef0fcb576645602ffe66d7dbee7dcd6c18a";

fn identity(hex: &str) -> Identity {
    Identity::from_hex(hex).unwrap()
}

/// A module as large as the recorded one.
fn wasm(len: usize) -> Vec<u8> {
    vec![0; len]
}

#[derive(Bsatn, Table, Debug, PartialEq)]
#[table(name = "user")]
struct User {
    #[primary_key]
    identity: Identity,
    name: Option<String>,
    online: bool,
}

#[reducer]
fn set_name(name: String) -> Result<(), String>;

#[procedure]
fn return_primitive(lhs: u32, rhs: u32) -> u32;

#[derive(Bsatn, Debug, PartialEq)]
struct ReturnStruct {
    a: u32,
    b: String,
}

#[procedure(name = "return_struct")]
fn make_struct(a: u32, b: String) -> ReturnStruct;

/// Checks the kind, the status and the server's words.
fn assert_refused<T>(result: Result<T, Error>, kind: ErrorKind, status: u16, text: &str) {
    let Err(error) = result else { panic!("expected an error with {text:?}") };
    assert_eq!((error.kind(), error.status()), (kind, Some(status)), "{error}");
    assert_eq!(error.text(), Some(text));
    assert!(!error.is_retryable());
    assert!(error.to_string().contains(text));
}

#[test]
fn every_recording_is_replayed() {
    let source = include_str!("recorded.rs");
    let names = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let names: Vec<_> =
        names.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(names.len(), 62);
    for name in names {
        assert!(source.contains(&format!("\"{name}\"")), "{name} is not replayed");
    }
}

#[tokio::test]
async fn identities() {
    let create = async |http: Http| http.create_identity().await;
    let account = replay("01-create-identity", create).await.unwrap();
    assert_eq!(account.identity, identity(OWNER));
    assert!(account.token.len() > 300);
    assert!(!format!("{account:?}").contains("xxx"));
    let other = replay("02-create-identity-other", create).await.unwrap();
    assert_eq!(other.identity, identity(OTHER));

    let short = async |http: Http| http.websocket_token().await;
    assert!(replay("07-websocket-token", short).await.unwrap().len() > 300);
    let refused = replay("08-websocket-token-without-credentials", short).await;
    assert_refused(refused, ErrorKind::Auth, 401, "Authorization required");

    let verify = async |http: Http| http.verify_identity(identity(OWNER)).await;
    assert!(replay("09-verify", verify).await.unwrap());
    let verify_other = async |http: Http| http.verify_identity(identity(OTHER)).await;
    assert!(!replay("10-verify-mismatch", verify_other).await.unwrap());
    let refused = replay("11-verify-without-credentials", verify).await;
    assert_refused(refused, ErrorKind::Auth, 401, "Authorization required");

    let databases = async |http: Http| http.databases(identity(OWNER)).await;
    let databases = replay("20-databases", databases).await.unwrap();
    assert_eq!((databases.len(), databases[0]), (2, identity(CHAT)));
}

#[tokio::test]
async fn the_server() {
    replay("03-ping", async |http| http.ping().await).await.unwrap();
    let health = replay("04-health", async |http| http.health().await).await.unwrap();
    assert_eq!((&*health.version, health.schedulable), ("2.8.3", Some(true)));
    let refused = replay("05-ping-bad-token", async |http| http.ping().await).await;
    assert_refused(refused, ErrorKind::Auth, 401, "Invalid token: InvalidToken");
    let key = replay("06-public-key", async |http| http.public_key().await).await.unwrap();
    assert!(key.ends_with("-----END PUBLIC KEY-----\n"));
}

#[tokio::test]
async fn publishing() {
    let chat =
        async |http: Http| http.publish("fixture-chat", wasm(262_148), Publish::default()).await;
    let created = replay("12-publish-created", chat).await.unwrap();
    assert_eq!(created.identity, identity(CHAT));
    assert_eq!((created.name.as_deref(), created.op), (Some("fixture-chat"), PublishOp::Created));
    assert_eq!(replay("13-publish-updated", chat).await.unwrap().op, PublishOp::Updated);
    let refused = replay("14-publish-not-owner", chat).await;
    assert_refused(
        refused,
        ErrorKind::Auth,
        403,
        &format!("{OTHER} is not authorized to perform action on database {CHAT}: update database"),
    );
    let larger =
        async |http: Http| http.publish("fixture-chat", wasm(389_772), Publish::default()).await;
    let error = replay("15-publish-incompatible", larger).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.text().unwrap().contains("client-breaking change"));
    let clear = async |http: Http| {
        http.publish("fixture-chat", wasm(262_148), Publish::default().clear(true)).await
    };
    assert_eq!(replay("16-publish-clear", clear).await.unwrap().op, PublishOp::Updated);
    let unnamed = async |http: Http| http.publish_unnamed(wasm(262_148)).await;
    assert_eq!(replay("17-publish-unnamed", unnamed).await.unwrap().name, None);
    let garbage =
        async |http: Http| http.publish("fixture-garbage", "not wasm", Publish::default()).await;
    let error = replay("18-publish-garbage", garbage).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Server, false));
    assert!(error.text().unwrap().starts_with("failed to parse WebAssembly module"));
    let plan = async |http: Http| http.pre_publish("fixture-chat", wasm(262_148)).await;
    let MigrationPlan::Auto { text, breaks_clients, token, major_version_upgrade } =
        replay("19-pre-publish", plan).await.unwrap()
    else {
        panic!("the server can do it by itself");
    };
    assert!(text.contains("Database Migration Plan"));
    assert_eq!((breaks_clients, major_version_upgrade, token.len()), (false, false, 65));
    let procedures =
        async |http: Http| http.publish("fixture-proc", wasm(389_772), Publish::default()).await;
    assert_eq!(replay("52-publish-procedures", procedures).await.unwrap().op, PublishOp::Created);
}

#[tokio::test]
async fn databases() {
    let database = async |http: Http| http.database("fixture-chat").await;
    let info = replay("21-database", database).await.unwrap();
    assert_eq!((info.identity, info.owner), (identity(CHAT), identity(OWNER)));
    assert_eq!((&*info.host_type, info.initial_program.len()), ("Wasm", 66));
    let unknown =
        replay("22-database-unknown", async |http| http.database("no-such-database").await);
    assert_refused(unknown.await, ErrorKind::NotFound, 404, "`no-such-database` not found");
    let by_name = async |http: Http| http.database_identity("fixture-chat").await;
    assert_eq!(replay("23-database-identity", by_name).await.unwrap(), identity(CHAT));

    let names = replay("24-names", async |http| http.names("fixture-chat").await).await;
    assert_eq!(names.unwrap(), ["fixture-chat"]);
    let add = async |http: Http| http.add_name("fixture-chat", "fixture-chat-two").await;
    replay("25-names-add", add).await.unwrap();
    let set = async |http: Http| {
        http.set_names("fixture-chat", &["fixture-chat", "fixture-chat-three"]).await
    };
    let refused = replay("26-names-set", set).await;
    assert_refused(
        refused,
        ErrorKind::Refused,
        400,
        "Cannot rename to fixture-chat because it already is in use.",
    );
    let set = async |http: Http| http.set_names("fixture-chat", &["fixture-chat"]).await;
    let refused = replay("27-names-set-not-owner", set).await;
    assert_refused(
        refused,
        ErrorKind::Auth,
        401,
        &format!(r#"{{"NotYourDatabase":{{"database":"{CHAT}"}}}}"#),
    );

    let time = replay("51-timestamp", async |http| http.timestamp("fixture-chat").await).await;
    assert_eq!(time.unwrap(), Timestamp::from_micros(1_795_312_363_165_966));
}

#[tokio::test]
async fn the_end_of_databases() {
    replay("56-lock", async |http| http.lock("fixture-proc").await).await.unwrap();
    let refused = replay("57-delete-locked", async |http| http.delete("fixture-proc").await).await;
    assert_refused(
        refused,
        ErrorKind::Auth,
        403,
        "Database is locked and cannot be deleted. Run `spacetime unlock` first.",
    );
    replay("58-unlock", async |http| http.unlock("fixture-proc").await).await.unwrap();
    let reset = async |http: Http| http.reset("fixture-chat", wasm(0)).await;
    let refused = replay("59-reset", reset).await;
    assert_refused(
        refused,
        ErrorKind::Server,
        500,
        "failed to parse WebAssembly module: unexpected end-of-file (at offset 0x0)",
    );
    let delete = async |http: Http| http.delete("fixture-chat").await;
    let refused = replay("60-delete-not-owner", delete).await;
    assert_refused(
        refused,
        ErrorKind::Auth,
        403,
        &format!("{OTHER} is not authorized to perform action on database {CHAT}: delete database"),
    );
    replay("61-delete", delete).await.unwrap();
    replay("62-delete-again", delete).await.unwrap();
}

#[tokio::test]
async fn reducers() {
    // The three kinds of arguments make the same request.
    let tuple = async |http: Http| http.call("fixture-chat", "set_name", ("Ada",)).await;
    let reply = replay("28-call-committed", tuple).await.unwrap();
    assert_eq!((reply.energy(), reply.duration()), (Some(4812), Some(Duration::from_micros(83))));
    assert_eq!(reply.json().unwrap(), "");
    let typed = async |http: Http| http.call_reducer("fixture-chat", set_name("Ada".into())).await;
    replay("28-call-committed", typed).await.unwrap();
    let json = async |http: Http| {
        http.call("fixture-chat", "set_name", Json(serde_json::json!(["Ada"]))).await
    };
    replay("28-call-committed", json).await.unwrap();
    let send = async |http: Http| http.call("fixture-chat", "send_message", ("hello",)).await;
    replay("35-call-send", send).await.unwrap();

    let empty = async |http: Http| http.call_reducer("fixture-chat", set_name(String::new())).await;
    let rejected = replay("29-call-rejected", empty).await;
    assert_refused(rejected, ErrorKind::Rejected, 530, "Names must not be empty");
    let unknown = async |http: Http| http.call("fixture-chat", "no_such", ()).await;
    let refused = replay("30-call-unknown-reducer", unknown).await;
    assert_refused(refused, ErrorKind::NotFound, 404, "No such procedure");
    let wrong = async |http: Http| http.call("fixture-chat", "set_name", (1u8, 2u8)).await;
    let error = replay("31-call-bad-arguments", wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.text().unwrap().contains("expected a string"));
    let broken = async |http: Http| http.call("fixture-chat", "set_name", Json("[")).await;
    let error = replay("32-call-bad-json", broken).await.unwrap_err();
    assert!(error.text().unwrap().contains("EOF while parsing a list"));
    let path = "/v1/database/fixture-chat/call/set_name";
    let untyped =
        async |http: Http| http.send(Request::new(Method::POST, path).body(r#"["Ada"]"#)).await;
    let refused = replay("33-call-without-content-type", untyped).await;
    assert_refused(refused, ErrorKind::Refused, 400, "Header of type `content-type` was missing");
    let lifecycle = async |http: Http| http.call("fixture-chat", "init", ()).await;
    let refused = replay("34-call-lifecycle", lifecycle).await;
    assert_refused(
        refused,
        ErrorKind::Refused,
        400,
        "can't directly call special Init lifecycle reducer",
    );
}

#[tokio::test]
async fn procedures() {
    let untyped = async |http: Http| {
        http.call("fixture-proc", "return_primitive", (1u32, 2u32)).await?.value::<u32>()
    };
    assert_eq!(replay("53-call-procedure", untyped).await.unwrap(), 3);
    let typed =
        async |http: Http| http.call_procedure("fixture-proc", return_primitive(1, 2)).await;
    assert_eq!(replay("53-call-procedure", typed).await.unwrap(), 3);
    let wrong = async |http: Http| {
        http.call("fixture-proc", "return_primitive", (1u32, 2u32)).await?.value::<String>()
    };
    let error = replay("53-call-procedure", wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Content);
    assert!(error.to_string().contains("the reply is no `String`"), "{error}");
    let made =
        async |http: Http| http.call_procedure("fixture-proc", make_struct(1, "foo".into())).await;
    let made = replay("54-call-procedure-struct", made).await.unwrap();
    assert_eq!(made, ReturnStruct { a: 1, b: "foo".into() });
    let panics = async |http: Http| http.call("fixture-proc", "will_panic", ()).await;
    let error = replay("55-call-procedure-panic", panics).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Server, Some(500)));
    assert!(error.text().unwrap().starts_with("The module instance encountered a fatal error"));
}

#[tokio::test]
async fn sql() {
    let ada = || User { identity: identity(OWNER), name: Some("Ada".into()), online: true };
    let users = async |http: Http| http.sql("fixture-chat", "SELECT * FROM user").await;
    let reply = replay("36-sql-select", users).await.unwrap();
    assert_eq!(reply.rows::<User>().unwrap(), [ada()]);
    assert_eq!(reply.rows_by_name::<User>().unwrap(), [ada()]);
    let tuples: Vec<(Identity, Option<String>, bool)> = reply.rows().unwrap();
    assert_eq!(tuples, [(identity(OWNER), Some("Ada".into()), true)]);
    assert_eq!(reply.values().unwrap()[0][1].to_string(), "some(\"Ada\")");
    let statement = reply.statement().unwrap();
    assert_eq!(statement.columns()[1].name.as_deref(), Some("name"));
    assert_eq!(statement.columns()[1].ty.to_string(), "Option<String>");
    assert_eq!(statement.duration(), Duration::from_micros(269));

    let messages = async |http: Http| http.sql("fixture-chat", "SELECT * FROM message").await;
    let messages = replay("37-sql-messages", messages).await.unwrap();
    let rows: Vec<(Identity, Timestamp, String)> = messages.rows().unwrap();
    assert_eq!(rows[0].1, Timestamp::from_micros(1_795_312_363_141_943));
    let two = "SELECT * FROM user; SELECT * FROM message";
    let refused = replay("38-sql-two-statements", async |http| http.sql("fixture-chat", two).await);
    assert_refused(
        refused.await,
        ErrorKind::Refused,
        400,
        "Multiple SQL statements are not supported",
    );
    let count = "SELECT COUNT(*) AS n FROM user";
    let count = replay("39-sql-count", async |http| http.sql("fixture-chat", count).await).await;
    assert_eq!(count.unwrap().rows::<(u64,)>().unwrap(), [(1,)]);

    let update = "UPDATE user SET online = false WHERE online = true";
    let update = async |http: Http| http.sql("fixture-chat", update).await;
    let written = replay("40-sql-insert", update).await.unwrap();
    assert_eq!(written.statement().unwrap().stats().rows_updated, 1);
    assert!(written.rows::<User>().unwrap().is_empty());
    let syntax =
        replay("41-sql-syntax-error", async |http| http.sql("fixture-chat", "SELEC").await);
    assert_refused(
        syntax.await,
        ErrorKind::Refused,
        400,
        "sql parser error: Expected an SQL statement, found: SELEC at Line: 1, Column 1",
    );
    let nope = async |http: Http| http.sql("fixture-chat", "SELECT * FROM nope").await;
    let refused = replay("42-sql-unknown-table", nope).await;
    assert_refused(
        refused,
        ErrorKind::Refused,
        400,
        "no such table: `nope`. If the table exists, it may be marked private.",
    );
    let refused = replay("43-sql-write-not-owner", update).await;
    assert_refused(
        refused,
        ErrorKind::Refused,
        400,
        &format!("Caller {OTHER} is not authorized to run SQL DML statements"),
    );
}

#[tokio::test]
async fn schemas() {
    let get = async |http: Http, query: &str| {
        let path = format!("/v1/database/fixture-chat/schema{query}");
        http.send(Request::new(Method::GET, path)).await
    };
    let refused = replay("44-schema-without-version", async |http| get(http, "").await).await;
    assert_refused(
        refused,
        ErrorKind::Refused,
        400,
        "Failed to deserialize query string: missing field `version`",
    );
    let nine = replay("45-schema-9", async |http| get(http, "?version=9").await).await.unwrap();
    let nine = ServerSchema::parse(nine.text().unwrap()).unwrap();
    let ten = replay("46-schema-10", async |http| http.schema("fixture-chat").await).await.unwrap();
    assert_eq!((nine.version, ten.version), (9, 10));
    assert_eq!(nine.table("user").unwrap().columns, ten.table("user").unwrap().columns);
    let refused = replay("47-schema-11", async |http| get(http, "?version=11").await).await;
    assert_refused(
        refused,
        ErrorKind::Refused,
        400,
        "Failed to deserialize query string: unknown variant `11`, expected `9` or `10`",
    );
}

#[tokio::test]
async fn logs() {
    let options = LogOptions::default().lines(5);
    let mut logs =
        replay("48-logs", async |http| http.logs("fixture-chat", options).await).await.unwrap();
    let mut lines = Vec::new();
    while let Some(line) = logs.next().await {
        lines.push(line.unwrap());
    }
    assert_eq!(lines.len(), 5);
    assert_eq!((lines[0].level, lines[0].line_number), (LogLevel::Error, None));
    let last = &lines[4];
    assert_eq!((last.level, last.line_number), (LogLevel::Info, Some(55)));
    assert_eq!(last.timestamp, Timestamp::from_micros(1_795_312_363_141_990));
    assert_eq!(last.function.as_deref(), Some("send_message"));
    assert_eq!(last.message, format!("User {OWNER}: hello"));
    assert!(logs.next().await.is_none());

    let refused =
        replay("49-logs-not-owner", async |http| http.logs("fixture-chat", options).await);
    assert_refused(
        refused.await,
        ErrorKind::Auth,
        403,
        &format!(
            "{OTHER} is not authorized to perform action on database {CHAT}: view module logs"
        ),
    );
    // The recording ends within a line.
    let follow = async |http: Http| http.logs("fixture-chat", options.follow(true)).await;
    let mut logs = replay("50-logs-follow", follow).await.unwrap();
    let error = logs.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Content);
    assert!(error.to_string().ends_with("the log ended within a line"));
    assert!(logs.next().await.is_none());
}
