//! The names of a database.

use super::auth::find;
use super::{Answer, Refusal, Shared};
use crate::node::keys::Caller;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde_json::{Value, json};
use spacetimedb_client_api_messages::name::parse_database_name;

pub(crate) async fn list(State(node): Shared, Path(name): Path<String>) -> Answer<Json<Value>> {
    Ok(Json(json!({ "names": find(&node, &name)?.names })))
}

/// Adds one name.
pub(crate) async fn add(
    State(node): Shared,
    Path(name): Path<String>,
    Extension(caller): Extension<Caller>,
    fresh: String,
) -> Answer<(StatusCode, Json<Value>)> {
    let record = find(&node, &name)?;
    let (identity, fresh) = (record.identity, parse(fresh)?);
    if record.owner != caller.identity {
        return Ok((
            StatusCode::UNAUTHORIZED,
            Json(json!({ "PermissionDenied": { "domain": fresh } })),
        ));
    }
    Ok(match node.registry.name(record.id, vec![fresh.clone()], false)? {
        Ok(()) => (
            StatusCode::OK,
            Json(json!({ "Success": { "domain": fresh, "database_identity": identity } })),
        ),
        Err(taken) => in_use(&taken),
    })
}

/// Replaces all names. One that is taken is refused, also when this very database has it: real servers do the same.
pub(crate) async fn set(
    State(node): Shared,
    Path(name): Path<String>,
    Extension(caller): Extension<Caller>,
    Json(fresh): Json<Vec<String>>,
) -> Answer<(StatusCode, Json<Value>)> {
    let record = find(&node, &name)?;
    if record.owner != caller.identity {
        let why = json!({ "NotYourDatabase": { "database": record.identity } });
        return Ok((StatusCode::UNAUTHORIZED, Json(why)));
    }
    let fresh = fresh.into_iter().map(parse).collect::<Answer<Vec<_>>>()?;
    Ok(match node.registry.name(record.id, fresh, true)? {
        Ok(()) => (StatusCode::OK, Json(json!("Success"))),
        Err(taken) => in_use(&taken),
    })
}

fn in_use(name: &str) -> (StatusCode, Json<Value>) {
    let why = format!("Cannot rename to {name} because it already is in use.");
    (StatusCode::BAD_REQUEST, Json(json!({ "OtherError": why })))
}

fn parse(name: String) -> Answer<String> {
    match parse_database_name(&name) {
        Ok(_) => Ok(name),
        Err(error) => Err(Refusal::bad_request(error.to_string())),
    }
}
