//! Environments: what a publication says of one, changes without one, and refusals.

use super::auth::find;
use super::{Answer, Refusal, Shared};
use crate::node::Node;
use crate::node::keys::Caller;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use headers::Header;
use serde::Deserialize;
use serde_json::{Value, json};
use spacetimedb_client_api_messages::name::{EnvironmentPublishError, PublishResult};
use spacetimedb_client_api_messages::publish::{
    EnvironmentMetadata, SpacetimeEnvironment, SpacetimeEnvironmentRemove,
};
use spacetimedb_lib::Hash;
use spacetimedb_lib::environment::{
    EnvironmentMap, EnvironmentRemove, EnvironmentSchemaError, EnvironmentUpdate,
};

/// The change to the environment that a request's headers ask for.
pub(crate) fn update(headers: &HeaderMap) -> Answer<EnvironmentUpdate> {
    let values = decode::<SpacetimeEnvironment>(headers)?.0;
    let remove = decode::<SpacetimeEnvironmentRemove>(headers)?.0;
    Ok(EnvironmentUpdate { values, remove })
}

fn decode<H: Header>(headers: &HeaderMap) -> Answer<H> {
    H::decode(&mut headers.get_all(H::name()).iter())
        .map_err(|error| Refusal::bad_request(format!("{}: {error}", H::name())))
}

/// A missing variable is answered in JSON, with the status that goes with it; any other refusal as it is.
pub(crate) fn refused(refusal: Refusal) -> Answer<Response> {
    let error = in_json(refusal)?;
    Ok((error.status_code(), Json(PublishResult::EnvironmentError(error))).into_response())
}

/// The refusal of an environment that is answered in JSON; any other as it is.
fn in_json(refusal: Refusal) -> Answer<EnvironmentPublishError> {
    match refusal.environment() {
        Some(EnvironmentSchemaError::MissingRequired { key }) => {
            Ok(EnvironmentPublishError::MissingRequiredEnvironment { keys: vec![key.clone()] })
        }
        _ => Err(refusal),
    }
}

#[derive(Deserialize)]
pub(crate) struct ChangeQuery {
    expected_module_hash: String,
}

/// Which variables are declared, and which have values.
pub(crate) async fn read(
    State(node): Shared,
    Path(name): Path<String>,
    Extension(caller): Extension<Caller>,
) -> Answer<Json<EnvironmentMetadata>> {
    let record = find(&node, &name)?;
    record.authorize(caller.identity, "read environment")?;
    Ok(Json(node.environment(&record).await?))
}

/// Replaces all values.
pub(crate) async fn replace(
    State(node): Shared,
    Path(name): Path<String>,
    Query(query): Query<ChangeQuery>,
    Extension(caller): Extension<Caller>,
    Json(values): Json<EnvironmentMap>,
) -> Answer<Response> {
    let update = EnvironmentUpdate { values, remove: EnvironmentRemove::All };
    apply(&node, &name, &caller, update, query).await
}

/// Sets some values, and forgets those that a header names.
pub(crate) async fn change(
    State(node): Shared,
    Path(name): Path<String>,
    Query(query): Query<ChangeQuery>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Json(values): Json<EnvironmentMap>,
) -> Answer<Response> {
    let remove = decode::<SpacetimeEnvironmentRemove>(&headers)?.0;
    apply(&node, &name, &caller, EnvironmentUpdate { values, remove }, query).await
}

async fn apply(
    node: &Node,
    name: &str,
    caller: &Caller,
    update: EnvironmentUpdate,
    query: ChangeQuery,
) -> Answer<Response> {
    let record = find(node, name)?;
    record.authorize(caller.identity, "update database")?;
    let expected: Hash = serde_json::from_value(Value::String(query.expected_module_hash))
        .map_err(|error| Refusal::bad_request(error.to_string()))?;
    match node.change_environment(&record, update, expected).await {
        Ok(()) => Ok(Json(json!({ "Ok": null })).into_response()),
        Err(refusal) => {
            let error = in_json(refusal)?;
            Ok((error.status_code(), Json(json!({ "Err": error }))).into_response())
        }
    }
}
