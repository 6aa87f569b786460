//! Calling a reducer or a procedure.

use super::auth::find;
use super::{Answer, Refusal, Shared};
use crate::node::fresh_u128;
use crate::node::keys::Caller;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use spacetimedb::host::module_host::{ClientConnectedError, ProcedureCallError};
use spacetimedb::host::{FunctionArgs, ModuleHost, ReducerCallError, ReducerOutcome};
use spacetimedb_lib::{ConnectionId, Identity};
use spacetimedb_sats::serde::SerdeWrapper;
use std::time::Duration;

const DURATION: HeaderName = HeaderName::from_static("spacetime-execution-duration-micros");

/// Calls a function with the JSON array of its arguments, between a connection of its own and that one's end.
pub(crate) async fn call(
    State(node): Shared,
    Path((name, function)): Path<(String, String)>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    arguments: String,
) -> Answer<Response> {
    let record = find(&node, &name)?;
    require_json(&headers)?;
    let module = node.module(&record).await?;
    let (identity, connection) = (caller.identity, ConnectionId::from_u128(fresh_u128()));
    module
        .call_identity_connected(caller.connection_auth()?, connection)
        .await
        .map_err(connect_refused)?;
    let answer = call_connected(&module, identity, connection, &function, arguments).await;
    module.call_identity_disconnected(identity, connection).await?;
    answer
}

fn require_json(headers: &HeaderMap) -> Answer<()> {
    let missing = || Refusal::bad_request("Header of type `content-type` was missing");
    let given = headers.get(CONTENT_TYPE).ok_or_else(missing)?;
    match given.to_str() {
        Ok(given) if given.starts_with("application/json") => Ok(()),
        _ => Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "expected application/json")),
    }
}

fn connect_refused(error: ClientConnectedError) -> Refusal {
    match error {
        ClientConnectedError::Rejected(_) => Refusal::new(StatusCode::FORBIDDEN, error.to_string()),
        ClientConnectedError::OutOfEnergy => {
            Refusal::new(StatusCode::PAYMENT_REQUIRED, error.to_string())
        }
        other => other.into(),
    }
}

async fn call_connected(
    module: &ModuleHost,
    identity: Identity,
    connection: ConnectionId,
    function: &str,
    arguments: String,
) -> Answer<Response> {
    let arguments = FunctionArgs::Json(arguments.into());
    let called = module
        .call_reducer(identity, Some(connection), None, None, None, function, arguments.clone())
        .await;
    match called {
        Ok(done) => Ok(with_duration(done.execution_duration, reducer_answer(done.outcome))),
        Err(ReducerCallError::NoSuchReducer) => {
            let called = module
                .call_procedure(identity, Some(connection), None, function, arguments, false)
                .await;
            let done = called.result.map_err(procedure_failed)?;
            Ok(with_duration(
                done.execution_duration,
                Json(SerdeWrapper(done.return_val)).into_response(),
            ))
        }
        Err(error @ (ReducerCallError::NoSuchModule(_) | ReducerCallError::WorkerError(_))) => {
            Err(error.into())
        }
        Err(error) => Err(Refusal::bad_request(format!("{:#}", anyhow::Error::from(error)))),
    }
}

fn reducer_answer(outcome: ReducerOutcome) -> Response {
    match outcome {
        ReducerOutcome::Committed => StatusCode::OK.into_response(),
        ReducerOutcome::Failed(why) => {
            // A status that HTTP has no name for.
            (StatusCode::from_u16(530).expect("three digits"), why.to_string()).into_response()
        }
        ReducerOutcome::BudgetExceeded => StatusCode::PAYMENT_REQUIRED.into_response(),
    }
}

fn procedure_failed(error: ProcedureCallError) -> Refusal {
    let status = match &error {
        ProcedureCallError::NoSuchProcedure => StatusCode::NOT_FOUND,
        ProcedureCallError::Args(_) => StatusCode::BAD_REQUEST,
        ProcedureCallError::OutOfEnergy => StatusCode::PAYMENT_REQUIRED,
        ProcedureCallError::NoSuchModule(_) | ProcedureCallError::InternalError(_) => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    Refusal::new(status, format!("{:#}", anyhow::Error::from(error)))
}

fn with_duration(duration: Duration, response: Response) -> Response {
    ([(DURATION, duration.as_micros().to_string())], response).into_response()
}
