//! The HTTP routes beside the WebSocket.

use std::sync::Arc;

#[cfg(feature = "http")]
use super::{schema::answer as schema, sql::answer as sql};
use crate::server::http::{Request, Response};
use crate::server::socket::handshake::{Credentials, authenticate, token};
use crate::server::state::Shared;
#[cfg(not(feature = "http"))]
use unbuilt::{schema, sql};

/// The version that `/v1/health` names: of the server whose behaviour this one follows.
const SERVER_VERSION: &str = "2.14.0";

/// The database that the request wants a WebSocket to, if it wants one.
pub(crate) fn subscribed_database(request: &Request) -> Option<&str> {
    match request.path.as_slice() {
        [v1, database, name, subscribe]
            if v1 == "v1" && database == "database" && subscribe == "subscribe" =>
        {
            Some(name)
        }
        _ => None,
    }
}

/// Answers a request that is not for a WebSocket.
pub(crate) fn answer(shared: &Arc<Shared>, request: &Request) -> Response {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let ["v1", route @ ..] = path.as_slice() else { return Response::empty(404) };
    match (request.method.as_str(), route) {
        ("GET", ["ping"]) => authenticated(shared, request, |_| Response::empty(200)),
        ("GET", ["health"]) => Response::json(format!(
            r#"{{"nodes":[0],"package_name":"spacetimedb-client-api","schedulable":true,"version":"{SERVER_VERSION}"}}"#
        )),
        ("POST", ["identity"]) => {
            let (identity, token) = shared.with(|state| state.accounts.create(state.clock.now()));
            Response::json(format!(r#"{{"identity":"{identity}","token":"{token}"}}"#))
        }
        ("POST", ["identity", "websocket-token"]) => websocket_token(shared, request),
        ("GET", ["identity", identity, "verify"]) => verify(shared, request, identity),
        ("GET", ["database", name]) => database(shared, request, name),
        ("GET", ["database", name, "identity"]) => found(shared, name)
            .err()
            .unwrap_or_else(|| Response::text(200, shared.identity.to_hex())),
        ("GET", ["database", name, "schema"]) => {
            found(shared, name).err().unwrap_or_else(|| schema(shared, request))
        }
        ("POST", ["database", name, "sql"]) => authenticated(shared, request, |credentials| {
            let found = found(shared, name);
            found.err().unwrap_or_else(|| sql(shared, request, credentials.identity))
        }),
        (
            _,
            ["ping" | "health" | "identity"]
            | ["identity", "websocket-token"]
            | ["identity", _, "verify"]
            | ["database", _]
            | ["database", _, "identity" | "schema" | "sql"],
        ) => Response::empty(405),
        _ => Response::empty(404),
    }
}

/// Answers if the request's token, should it have one, is good.
fn authenticated(
    shared: &Shared,
    request: &Request,
    answer: impl FnOnce(Credentials) -> Response,
) -> Response {
    match shared.with(|state| authenticate(state, request)) {
        Ok(credentials) => answer(credentials),
        Err(response) => response,
    }
}

fn websocket_token(shared: &Shared, request: &Request) -> Response {
    match token(request) {
        Ok(None) => Response::text(401, "Authorization required"),
        Ok(Some(_)) => authenticated(shared, request, |credentials| {
            let token = shared.with(|state| {
                state.accounts.websocket_token(credentials.identity, state.clock.now())
            });
            Response::json(format!(r#"{{"token":"{token}"}}"#))
        }),
        Err(response) => response,
    }
}

fn verify(shared: &Shared, request: &Request, identity: &str) -> Response {
    match token(request) {
        Ok(None) => Response::text(401, "Authorization required"),
        Ok(Some(_)) => authenticated(shared, request, |credentials| {
            if credentials.identity.to_hex() == identity {
                Response::empty(204)
            } else {
                Response::empty(400)
            }
        }),
        Err(response) => response,
    }
}

fn database(shared: &Shared, request: &Request, name: &str) -> Response {
    authenticated(shared, request, |credentials| {
        let response = found(shared, name).err().unwrap_or_else(|| {
            Response::json(format!(
                r#"{{"database_identity":{{"__identity__":"0x{}"}},"owner_identity":{{"__identity__":"0x{}"}},"host_type":{{"wasm":[]}},"initial_program":"{:064}"}}"#,
                shared.identity, shared.owner, 0,
            ))
        });
        response
            .with("spacetime-identity", credentials.identity)
            .with("spacetime-identity-token", credentials.token)
    })
}

/// In place of both routes, where they are not built.
#[cfg(not(feature = "http"))]
mod unbuilt {
    use super::{Request, Response, Shared};
    use lightlike_core::types::Identity;

    pub(crate) fn schema(_: &Shared, _: &Request) -> Response {
        Response::text(501, "the server was built without the feature `http` of lightlike-testkit")
    }

    pub(crate) fn sql(shared: &Shared, request: &Request, _: Identity) -> Response {
        schema(shared, request)
    }
}

fn found(shared: &Shared, name: &str) -> Result<(), Response> {
    if name == shared.database_name || name == shared.identity.to_hex() {
        Ok(())
    } else {
        Err(Response::text(404, format!("`{name}` not found")))
    }
}
