//! Callers of requests, and their permissions.

use super::{Answer, Refusal, Shared};
use crate::node::keys::Caller;
use crate::node::{Node, Record};
use axum::extract::{FromRequestParts, Query, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use serde::Deserialize;
use spacetimedb_lib::Identity;
use std::sync::Arc;

pub(crate) const IDENTITY: HeaderName = HeaderName::from_static("spacetime-identity");
pub(crate) const IDENTITY_TOKEN: HeaderName = HeaderName::from_static("spacetime-identity-token");

#[derive(Deserialize)]
struct TokenQuery {
    token: Option<String>,
}

/// The caller that a request proves to be: by `Authorization: Bearer`, else by `?token=`. `None` without either.
async fn authenticate(node: &Node, parts: &Parts) -> Answer<Option<Caller>> {
    let token = match parts.headers.get(AUTHORIZATION) {
        Some(header) => {
            let bearer = header.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
            Some(
                bearer
                    .ok_or_else(|| Refusal::bad_request("invalid HTTP header (authorization)"))?
                    .to_owned(),
            )
        }
        None => Query::<TokenQuery>::try_from_uri(&parts.uri).ok().and_then(|query| query.0.token),
    };
    match token {
        Some(token) => node.keys.validate(&token).await.map(Some).map_err(Refusal::unauthorized),
        None => Ok(None),
    }
}

/// A caller with credentials; without, the request is refused.
pub(crate) struct Authenticated(pub(crate) Caller);

impl FromRequestParts<Arc<Node>> for Authenticated {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, node: &Arc<Node>) -> Answer<Self> {
        let caller = authenticate(node, parts).await?;
        caller.map(Self).ok_or_else(|| Refusal::unauthorized("Authorization required"))
    }
}

/// Credentials are welcome but must be good.
pub(crate) struct Welcome;

impl FromRequestParts<Arc<Node>> for Welcome {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, node: &Arc<Node>) -> Answer<Self> {
        authenticate(node, parts).await.map(|_| Self)
    }
}

/// Before each route of a database: finds out who calls, or makes somebody up, for the handler and for the answer's headers.
pub(crate) async fn identify(
    State(node): Shared,
    request: Request,
    next: Next,
) -> Answer<Response> {
    let (mut parts, body) = request.into_parts();
    let caller = match authenticate(&node, &parts).await? {
        Some(caller) => caller,
        None => node.keys.mint()?,
    };
    parts.extensions.insert(caller.clone());
    let mut response = next.run(Request::from_parts(parts, body)).await;
    let headers = response.headers_mut();
    headers.insert(IDENTITY, HeaderValue::from_str(&caller.identity.to_hex())?);
    headers.insert(IDENTITY_TOKEN, HeaderValue::from_str(&caller.token)?);
    Ok(response)
}

impl Record {
    /// Lets the owner pass, and nobody else.
    pub(crate) fn authorize(&self, caller: Identity, action: &str) -> Answer<()> {
        if caller == self.owner {
            return Ok(());
        }
        let (caller, database) = (caller.to_hex(), self.identity.to_hex());
        let why = format!(
            "{caller} is not authorized to perform action on database {database}: {action}"
        );
        Err(Refusal::new(StatusCode::FORBIDDEN, why))
    }
}

/// Finds what a path names.
pub(crate) fn find(node: &Node, name_or_identity: &str) -> Answer<Record> {
    let missing = || match Identity::from_hex(name_or_identity) {
        Ok(_) => Refusal::new(StatusCode::NOT_FOUND, "No such database."),
        Err(_) => Refusal::new(StatusCode::NOT_FOUND, format!("`{name_or_identity}` not found")),
    };
    node.registry.find(name_or_identity).ok_or_else(missing)
}
