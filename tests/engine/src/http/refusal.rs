//! Answers that are not what was asked for: a status and a line of text.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use spacetimedb_client_api_messages::name::EnvironmentVersionConflict;
use spacetimedb_lib::environment::EnvironmentSchemaError;

/// Refusal of a request.
pub(crate) struct Refusal {
    status: StatusCode,
    why: String,
    /// What is wrong with the environment, if that is why.
    environment: Option<EnvironmentSchemaError>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self { status, why: why.into(), environment: None }
    }

    pub(crate) fn bad_request(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, why)
    }

    pub(crate) fn environment(&self) -> Option<&EnvironmentSchemaError> {
        self.environment.as_ref()
    }

    pub(crate) fn unauthorized(why: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, why)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, self.why).into_response()
    }
}

/// Errors inside are a 500, with all their causes.
impl<E: Into<anyhow::Error>> From<E> for Refusal {
    fn from(error: E) -> Self {
        let error = error.into();
        let environment = error.chain().find_map(|cause| cause.downcast_ref()).cloned();
        let why = format!("{error:#}");
        let is_conflict = error.is::<EnvironmentVersionConflict>();
        let status = match environment {
            Some(_) => StatusCode::BAD_REQUEST,
            None if is_conflict => StatusCode::CONFLICT,
            None => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { environment, ..Self::new(status, why) }
    }
}
