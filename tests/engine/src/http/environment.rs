//! Environments: what a publication says of one, and how one is refused.

use super::{Answer, Refusal};
use axum::Json;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use headers::Header;
use spacetimedb_client_api_messages::name::{EnvironmentPublishError, PublishResult};
use spacetimedb_client_api_messages::publish::{SpacetimeEnvironment, SpacetimeEnvironmentRemove};
use spacetimedb_lib::environment::{EnvironmentSchemaError, EnvironmentUpdate};

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
    let Some(EnvironmentSchemaError::MissingRequired { key }) = refusal.environment() else {
        return Err(refusal);
    };
    let error = EnvironmentPublishError::MissingRequiredEnvironment { keys: vec![key.clone()] };
    Ok((error.status_code(), Json(PublishResult::EnvironmentError(error))).into_response())
}
