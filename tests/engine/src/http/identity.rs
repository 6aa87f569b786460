//! The server itself, and identities.

use super::auth::{Authenticated, Welcome};
use super::{Answer, ENGINE_VERSION, Refusal, Shared};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use spacetimedb_lib::Identity;

pub(crate) async fn ping(_: Welcome) {}

pub(crate) async fn health() -> Json<Value> {
    let package = "spacetimedb-client-api";
    Json(
        json!({ "nodes": [0], "package_name": package, "schedulable": true, "version": ENGINE_VERSION }),
    )
}

pub(crate) async fn create(State(node): Shared) -> Answer<Json<Value>> {
    let caller = node.keys.mint()?;
    Ok(Json(json!({ "identity": caller.identity, "token": caller.token })))
}

pub(crate) async fn public_key(State(node): Shared) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/pem-certificate-chain")], node.keys.public_pem())
}

pub(crate) async fn websocket_token(
    State(node): Shared,
    Authenticated(caller): Authenticated,
) -> Answer<Json<Value>> {
    Ok(Json(json!({ "token": node.keys.shorten(&caller)?.token })))
}

pub(crate) async fn verify(
    Path(identity): Path<String>,
    Authenticated(caller): Authenticated,
) -> Answer<StatusCode> {
    let same = parse(&identity)? == caller.identity;
    Ok(if same { StatusCode::NO_CONTENT } else { StatusCode::BAD_REQUEST })
}

pub(crate) async fn databases(
    State(node): Shared,
    Path(identity): Path<String>,
) -> Answer<Json<Value>> {
    let owner = parse(&identity)?;
    let owned: Vec<_> =
        node.registry.all().into_iter().filter(|record| record.owner == owner).collect();
    Ok(Json(
        json!({ "identities": owned.iter().map(|record| record.identity).collect::<Vec<_>>() }),
    ))
}

fn parse(identity: &str) -> Answer<Identity> {
    Identity::from_hex(identity).map_err(|error| Refusal::bad_request(error.to_string()))
}
