//! The routes under `/v1`.

mod auth;
mod call;
mod database;
mod environment;
mod identity;
mod names;
mod refusal;
mod sql;

pub(crate) use auth::find;
pub(crate) use refusal::Refusal;

use crate::node::Node;
use crate::websocket;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{get, post};
use std::sync::Arc;

/// The version of the engine, as `Cargo.toml` pins it.
const ENGINE_VERSION: &str = "2.14.0";

/// State that each handler is given.
pub(crate) type Shared = State<Arc<Node>>;

/// Result of a handler.
pub(crate) type Answer<T> = Result<T, Refusal>;

pub(crate) fn router(node: Arc<Node>) -> Router {
    let databases = Router::new()
        .route("/v1/database", post(database::publish_unnamed))
        .route(
            "/v1/database/{name}",
            get(database::describe)
                .post(database::publish)
                .put(database::publish)
                .delete(database::delete),
        )
        .route("/v1/database/{name}/identity", get(database::identity))
        .route("/v1/database/{name}/names", get(names::list).post(names::add).put(names::set))
        .route("/v1/database/{name}/schema", get(database::schema))
        .route(
            "/v1/database/{name}/environment",
            get(environment::read).put(environment::replace).patch(environment::change),
        )
        .route("/v1/database/{name}/logs", get(database::logs))
        .route("/v1/database/{name}/call/{function}", post(call::call))
        .route("/v1/database/{name}/sql", post(sql::sql))
        .route("/v1/database/{name}/subscribe", get(websocket::subscribe))
        .layer(from_fn_with_state(node.clone(), auth::identify));
    Router::new()
        .route("/v1/ping", get(identity::ping))
        .route("/v1/health", get(identity::health))
        .route("/v1/identity", post(identity::create))
        .route("/v1/identity/public-key", get(identity::public_key))
        .route("/v1/identity/websocket-token", post(identity::websocket_token))
        .route("/v1/identity/{identity}/verify", get(identity::verify))
        .route("/v1/identity/{identity}/databases", get(identity::databases))
        .merge(databases)
        .layer(map_response(allow_any_origin))
        // Modules are megabytes.
        .layer(DefaultBodyLimit::disable())
        .with_state(node)
}

async fn allow_any_origin(mut response: Response) -> Response {
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}
