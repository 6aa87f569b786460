//! The embedded server tells the schema of the modules that it stands for.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as its tests do")]

use std::fs;

use lightlike::http::{ErrorKind, Http, Request, reqwest::Method};
use lightlike::schema::{ServerField, ServerSchema, ServerType};
use lightlike_testkit::Server;

fn real(module: &str) -> ServerSchema {
    let file = format!("{}/modules/{module}.v10.json", env!("CARGO_MANIFEST_DIR"));
    ServerSchema::parse(&fs::read_to_string(file).unwrap()).unwrap()
}

fn types(schema: &ServerSchema, fields: &[ServerField]) -> Vec<String> {
    let name = |field: &ServerField| field.name.as_deref().unwrap_or("_").to_owned();
    fields.iter().map(|field| format!("{}: {}", name(field), schema.display(&field.ty))).collect()
}

/// The types of parameters: a program may call them as it likes.
fn params(schema: &ServerSchema, params: &[ServerField]) -> Vec<String> {
    params.iter().map(|param| schema.display(&param.ty).to_string()).collect()
}

fn shown(schema: &ServerSchema, ty: Option<&ServerType>) -> String {
    ty.map_or_else(String::new, |ty| schema.display(ty).to_string())
}

async fn compare(server: &Server, module: &str) {
    let http = Http::new(&server.uri()).unwrap();
    let ours = http.schema(server.database()).await.unwrap();
    let real = real(module);
    assert!(!ours.tables.is_empty() && !ours.reducers.is_empty());
    for table in &ours.tables {
        let theirs = real.table(&table.name).unwrap_or_else(|| panic!("{table:?}"));
        let name = &table.name;
        assert_eq!(types(&ours, &table.columns), types(&real, &theirs.columns), "{name}");
        assert_eq!(table.primary_key, theirs.primary_key, "{name}");
        assert_eq!(table.unique, theirs.unique, "{name}");
        assert_eq!((table.event, table.public), (theirs.event, theirs.public), "{name}");
    }
    for view in &ours.views {
        let theirs = real.view(&view.name).unwrap_or_else(|| panic!("{view:?}"));
        let name = &view.name;
        assert_eq!(types(&ours, &view.columns), types(&real, &theirs.columns), "{name}");
        assert_eq!(view.primary_key, theirs.primary_key, "{name}");
    }
    for reducer in &ours.reducers {
        let theirs = real.reducer(&reducer.name).unwrap_or_else(|| panic!("{reducer:?}"));
        let name = &reducer.name;
        assert_eq!(params(&ours, &reducer.params), params(&real, &theirs.params), "{name}");
        assert!(reducer.callable && theirs.callable, "{name}");
        let results = |schema, reducer: &lightlike::schema::ServerReducer| {
            let (returns, error) = (reducer.returns.as_ref(), reducer.error.as_ref());
            (shown(schema, returns), shown(schema, error))
        };
        assert_eq!(results(&ours, reducer), results(&real, theirs), "{name}");
    }
    for procedure in &ours.procedures {
        let theirs = real.procedure(&procedure.name).unwrap_or_else(|| panic!("{procedure:?}"));
        let name = &procedure.name;
        assert_eq!(params(&ours, &procedure.params), params(&real, &theirs.params), "{name}");
        let returns = shown(&real, Some(&theirs.returns));
        assert_eq!(shown(&ours, Some(&procedure.returns)), returns, "{name}");
    }
}

#[tokio::test]
async fn chat_schema_matches_the_module() {
    compare(&lightlike_tests::chat::embedded().await, "chat").await;
}

#[tokio::test]
async fn conformance_schema_is_the_modules() {
    compare(&lightlike_tests::conformance::embedded().await, "conformance").await;
}

#[test]
fn reducer_fingerprints_match_between_program_and_schema() {
    use lightlike::schema::{Reducer, fingerprint};
    use lightlike_tests::conformance::columns::*;

    let mut seen = std::collections::HashSet::new();
    for version in ["v9", "v10"] {
        let file = format!("{}/modules/conformance.{version}.json", env!("CARGO_MANIFEST_DIR"));
        let schema = ServerSchema::parse(&fs::read_to_string(file).unwrap()).unwrap();
        macro_rules! same {
            ($($Call:ident)*) => {$({
                let ours = <$Call as Reducer>::DEF;
                let theirs = schema.reducer(ours.name).unwrap();
                let print = fingerprint::arguments(&ours);
                let same = fingerprint::server_arguments(&schema, theirs);
                assert_eq!(same, Some(print), "{} in {version}", ours.name);
                seen.insert(print);
            })*};
        }
        same! {
            InsertOneU8 InsertOneU256 InsertOneI256 InsertOneBool InsertOneF64 InsertOneString
            InsertOneIdentity InsertOneConnectionId InsertOneTimestamp InsertOneTimeDuration
            InsertOneScheduleAt InsertOneUuid InsertOneSimpleEnum InsertOneEnumWithPayload
            InsertOneUnitStruct InsertOneByteStruct InsertOneEveryPrimitiveStruct
            InsertOneEveryVecStruct InsertOneNestedStruct InsertVecEnumWithPayload
            InsertVecUnitStruct InsertOptionString InsertOptionOptionString
            InsertOptionVecOptionI32 InsertResultEveryPrimitiveStructString InsertLargeTable
            InsertNoColumns
        }
    }
    assert_eq!(seen.len(), 27, "of each its own");
}

#[tokio::test]
async fn unknown_versions_and_databases_are_refused() {
    let server = lightlike_tests::chat::embedded().await;
    let http = Http::new(&server.uri()).unwrap();
    assert_eq!(http.schema("nothing").await.unwrap_err().kind(), ErrorKind::NotFound);
    for query in ["", "?version=11"] {
        let request = Request::new(Method::GET, format!("/v1/database/chat/schema{query}"));
        assert_eq!(http.send(request).await.unwrap_err().status(), Some(400));
    }
}

#[tokio::test]
async fn http_sql_returns_columns_and_refuses_in_words() {
    let server = lightlike_tests::chat::embedded().await;
    let (ada, token) = server.create_identity();
    server.run(|tx| {
        tx.insert(lightlike_tests::chat::User {
            identity: ada,
            name: Some("Ada".into()),
            online: true,
        });
    });
    let http = Http::new(&server.uri()).unwrap().with_token(token);
    let reply = http.sql("chat", "SELECT * FROM user WHERE online = true").await.unwrap();
    let users: Vec<lightlike_tests::chat::User> = reply.rows().unwrap();
    assert_eq!(users, server.rows::<lightlike_tests::chat::User>());
    let me = http.sql("chat", "SELECT * FROM user WHERE identity = :sender").await.unwrap();
    assert_eq!(me.values().unwrap().len(), 1);
    let refused = http.sql("chat", "SELECT * FROM nope").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused);
    assert!(refused.text().unwrap().contains("nope"), "{refused}");
    assert_eq!(http.sql("no", "SELECT * FROM user").await.unwrap_err().status(), Some(404));
    let stranger = http.with_token("nonsense").sql("chat", "SELECT * FROM user").await;
    assert_eq!(stranger.unwrap_err().kind(), ErrorKind::Auth);
}
