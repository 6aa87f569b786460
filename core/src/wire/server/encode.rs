//! Writing a server's messages.

use super::{
    ERR, NONE, OK, OUTCOME_ERR, OUTCOME_INTERNAL_ERROR, OUTCOME_OK, OUTCOME_OK_EMPTY,
    ProcedureStatus, ReducerOutcome, SOME, STATUS_INTERNAL_ERROR, STATUS_RETURNED, ServerMessage,
    tag,
};
use crate::bsatn::EncodeError;
use crate::wire::text::Text;
use crate::wire::update::QueryRows;
use crate::wire::{RequestId, put};

/// Writes a message behind what `out` holds.
///
/// On v2 a frame has one, on v3 any number but none.
///
/// # Errors
///
/// [`EncodeError`] if something in the message has more than `u32::MAX` bytes or elements; `out` is then as before.
pub fn encode_server(message: &ServerMessage, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    put::whole(out, |out| put_message(message, out))
}

fn put_message(message: &ServerMessage, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    match message {
        ServerMessage::InitialConnection { identity, connection_id, token } => {
            out.push(tag::INITIAL_CONNECTION);
            out.extend_from_slice(&identity.to_le_bytes());
            out.extend_from_slice(&connection_id.to_u128().to_le_bytes());
            put::bytes(out, token.as_bytes())
        }
        ServerMessage::SubscribeApplied { request_id, query_set_id, rows } => {
            head(out, tag::SUBSCRIBE_APPLIED, *request_id);
            put::u32(out, query_set_id.0);
            rows.put(out)
        }
        ServerMessage::UnsubscribeApplied { request_id, query_set_id, rows } => {
            head(out, tag::UNSUBSCRIBE_APPLIED, *request_id);
            put::u32(out, query_set_id.0);
            put_option(out, rows.as_ref(), |out, rows| rows.put(out))
        }
        ServerMessage::SubscriptionError { request_id, query_set_id, error } => {
            out.push(tag::SUBSCRIPTION_ERROR);
            put_option(out, *request_id, |out, request_id| {
                put::u32(out, request_id.0);
                Ok(())
            })?;
            put::u32(out, query_set_id.0);
            put::bytes(out, error.as_bytes())
        }
        ServerMessage::TransactionUpdate(update) => {
            out.push(tag::TRANSACTION_UPDATE);
            update.put(out)
        }
        ServerMessage::OneOffQueryResult { request_id, result } => {
            head(out, tag::ONE_OFF_QUERY_RESULT, *request_id);
            put_rows_or_error(out, result)
        }
        ServerMessage::ReducerResult { request_id, timestamp, outcome } => {
            head(out, tag::REDUCER_RESULT, *request_id);
            out.extend_from_slice(&timestamp.as_micros().to_le_bytes());
            put_outcome(out, outcome)
        }
        ServerMessage::ProcedureResult { status, timestamp, duration, request_id } => {
            out.push(tag::PROCEDURE_RESULT);
            put_status(out, status)?;
            out.extend_from_slice(&timestamp.as_micros().to_le_bytes());
            out.extend_from_slice(&duration.as_micros().to_le_bytes());
            put::u32(out, request_id.0);
            Ok(())
        }
        ServerMessage::SubscribeBatchApplied { request_id, results } => {
            head(out, tag::SUBSCRIBE_BATCH_APPLIED, *request_id);
            put::list(out, results, |out, result| {
                put::u32(out, result.query_set_id.0);
                put_rows_or_error(out, &result.outcome)
            })
        }
    }
}

fn head(out: &mut Vec<u8>, tag: u8, request_id: RequestId) {
    out.push(tag);
    put::u32(out, request_id.0);
}

fn put_option<T>(
    out: &mut Vec<u8>,
    value: Option<T>,
    some: impl FnOnce(&mut Vec<u8>, T) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    match value {
        Some(value) => {
            out.push(SOME);
            some(out, value)
        }
        None => {
            out.push(NONE);
            Ok(())
        }
    }
}

fn put_rows_or_error(
    out: &mut Vec<u8>,
    result: &Result<QueryRows, Text>,
) -> Result<(), EncodeError> {
    match result {
        Ok(rows) => {
            out.push(OK);
            rows.put(out)
        }
        Err(error) => {
            out.push(ERR);
            put::bytes(out, error.as_bytes())
        }
    }
}

fn put_outcome(out: &mut Vec<u8>, outcome: &ReducerOutcome) -> Result<(), EncodeError> {
    match outcome {
        ReducerOutcome::Ok { ret_value, update } => {
            out.push(OUTCOME_OK);
            put::bytes(out, ret_value)?;
            update.put(out)
        }
        ReducerOutcome::OkEmpty => {
            out.push(OUTCOME_OK_EMPTY);
            Ok(())
        }
        ReducerOutcome::Err(error) => {
            out.push(OUTCOME_ERR);
            put::bytes(out, error)
        }
        ReducerOutcome::InternalError(error) => {
            out.push(OUTCOME_INTERNAL_ERROR);
            put::bytes(out, error.as_bytes())
        }
    }
}

fn put_status(out: &mut Vec<u8>, status: &ProcedureStatus) -> Result<(), EncodeError> {
    match status {
        ProcedureStatus::Returned(value) => {
            out.push(STATUS_RETURNED);
            put::bytes(out, value)
        }
        ProcedureStatus::InternalError(error) => {
            out.push(STATUS_INTERNAL_ERROR);
            put::bytes(out, error.as_bytes())
        }
    }
}
