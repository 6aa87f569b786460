//! `Debug` of server messages: as it would be derived, but for the greeting's token.

use std::fmt::{Debug, Formatter, Result};

use super::ServerMessage;
use crate::secret::HIDDEN;

impl Debug for ServerMessage {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let mut shown = f.debug_struct(self.name());
        match self {
            Self::InitialConnection { identity, connection_id, token: _ } => shown
                .field("identity", identity)
                .field("connection_id", connection_id)
                .field("token", &format_args!("{HIDDEN}")),
            Self::SubscribeApplied { request_id, query_set_id, rows } => shown
                .field("request_id", request_id)
                .field("query_set_id", query_set_id)
                .field("rows", rows),
            Self::UnsubscribeApplied { request_id, query_set_id, rows } => shown
                .field("request_id", request_id)
                .field("query_set_id", query_set_id)
                .field("rows", rows),
            Self::SubscriptionError { request_id, query_set_id, error } => shown
                .field("request_id", request_id)
                .field("query_set_id", query_set_id)
                .field("error", error),
            Self::TransactionUpdate(update) => shown.field("update", update),
            Self::OneOffQueryResult { request_id, result } => {
                shown.field("request_id", request_id).field("result", result)
            }
            Self::ReducerResult { request_id, timestamp, outcome } => shown
                .field("request_id", request_id)
                .field("timestamp", timestamp)
                .field("outcome", outcome),
            Self::ProcedureResult { status, timestamp, duration, request_id } => shown
                .field("status", status)
                .field("timestamp", timestamp)
                .field("duration", duration)
                .field("request_id", request_id),
            Self::SubscribeBatchApplied { request_id, results } => {
                shown.field("request_id", request_id).field("results", results)
            }
        }
        .finish()
    }
}
