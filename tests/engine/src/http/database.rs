//! Making, describing and ending a database.

use super::auth::find;
use super::{Answer, Shared, environment};
use crate::node::Node;
use crate::node::keys::Caller;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use spacetimedb_client_api_messages::name::{DatabaseName, PublishResult};
use spacetimedb_lib::db::raw_def::v9::RawModuleDefV9;
use spacetimedb_lib::db::raw_def::v10::RawModuleDefV10;
use spacetimedb_sats::serde::SerdeWrapper;

#[derive(Deserialize)]
pub(crate) struct PublishQuery {
    #[serde(default)]
    clear: bool,
}

pub(crate) async fn publish(
    State(node): Shared,
    Path(name): Path<String>,
    Query(query): Query<PublishQuery>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    wasm: Bytes,
) -> Answer<Response> {
    publish_inner(&node, Some(name), query.clear, &caller, &headers, wasm).await
}

pub(crate) async fn publish_unnamed(
    State(node): Shared,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    wasm: Bytes,
) -> Answer<Response> {
    publish_inner(&node, None, false, &caller, &headers, wasm).await
}

async fn publish_inner(
    node: &Node,
    name: Option<String>,
    clear: bool,
    caller: &Caller,
    headers: &HeaderMap,
    wasm: Bytes,
) -> Answer<Response> {
    let environment = environment::update(headers)?;
    let published = node.publish(name.as_deref(), caller.identity, wasm, clear, environment).await;
    match published {
        Ok(published) => Ok(Json(PublishResult::Success {
            domain: name.map(DatabaseName),
            database_identity: published.identity,
            op: published.op,
        })
        .into_response()),
        Err(refusal) => environment::refused(refusal),
    }
}

/// Ends a database. One that does not exist is as good as ended.
pub(crate) async fn delete(
    State(node): Shared,
    Path(name): Path<String>,
    Extension(caller): Extension<Caller>,
) -> Answer<()> {
    let Some(record) = node.registry.find(&name) else { return Ok(()) };
    record.authorize(caller.identity, "delete database")?;
    Ok(node.delete(&record).await?)
}

pub(crate) async fn describe(State(node): Shared, Path(name): Path<String>) -> Answer<Json<Value>> {
    let record = find(&node, &name)?;
    let identity = |identity: spacetimedb_lib::Identity| json!({ "__identity__": format!("0x{}", identity.to_hex()) });
    Ok(Json(json!({
        "database_identity": identity(record.identity),
        "owner_identity": identity(record.owner),
        "host_type": { "Wasm": [] },
        "initial_program": format!("0x{}", record.initial_program().to_hex()),
    })))
}

pub(crate) async fn identity(State(node): Shared, Path(name): Path<String>) -> Answer<String> {
    Ok(find(&node, &name)?.identity.to_hex().to_string())
}

#[derive(Deserialize)]
pub(crate) struct SchemaQuery {
    version: SchemaVersion,
}

#[derive(Deserialize)]
enum SchemaVersion {
    #[serde(rename = "9")]
    V9,
    #[serde(rename = "10")]
    V10,
}

pub(crate) async fn schema(
    State(node): Shared,
    Path(name): Path<String>,
    Query(query): Query<SchemaQuery>,
) -> Answer<Response> {
    let module = node.module(&find(&node, &name)?).await?;
    let schema = module.info().module_def.as_ref().clone();
    Ok(match query.version {
        SchemaVersion::V9 => Json(SerdeWrapper(RawModuleDefV9::from(schema))).into_response(),
        SchemaVersion::V10 => Json(SerdeWrapper(RawModuleDefV10::from(schema))).into_response(),
    })
}

#[derive(Deserialize)]
pub(crate) struct LogsQuery {
    num_lines: Option<u32>,
    #[serde(default)]
    follow: bool,
}

/// Log of the module: the last lines, and on request each later one as it comes.
pub(crate) async fn logs(
    State(node): Shared,
    Path(name): Path<String>,
    Query(query): Query<LogsQuery>,
    Extension(caller): Extension<Caller>,
) -> Answer<Response> {
    let record = find(&node, &name)?;
    record.authorize(caller.identity, "view module logs")?;
    let module = node.module(&record).await?;
    let lines = module.database_logger().tail(query.num_lines, query.follow).await?;
    let headers = [(CACHE_CONTROL, "no-cache"), (CONTENT_TYPE, "application/x-ndjson")];
    Ok((headers, Body::from_stream(lines)).into_response())
}
