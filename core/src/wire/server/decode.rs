//! Reading a server's messages.

use super::{
    BatchResult, ERR, NONE, OK, OUTCOME_ERR, OUTCOME_INTERNAL_ERROR, OUTCOME_OK, OUTCOME_OK_EMPTY,
    ProcedureStatus, ReducerOutcome, SOME, STATUS_INTERNAL_ERROR, STATUS_RETURNED, ServerMessage,
    tag,
};
use crate::wire::WireError;
use crate::wire::cursor::Cursor;
use crate::wire::text::Text;
use crate::wire::update::{QueryRows, TransactionUpdate};

impl ServerMessage {
    /// Reads the message at the cursor.
    pub(in crate::wire) fn decode(cursor: &mut Cursor<'_>) -> Result<Self, WireError> {
        match cursor.u8("tag")? {
            tag::INITIAL_CONNECTION => initial_connection(cursor),
            tag::SUBSCRIBE_APPLIED => subscribe_applied(cursor),
            tag::UNSUBSCRIBE_APPLIED => unsubscribe_applied(cursor),
            tag::SUBSCRIPTION_ERROR => subscription_error(cursor),
            tag::TRANSACTION_UPDATE => {
                cursor.enter("TransactionUpdate");
                TransactionUpdate::decode(cursor).map(Self::TransactionUpdate)
            }
            tag::ONE_OFF_QUERY_RESULT => one_off_query_result(cursor),
            tag::REDUCER_RESULT => reducer_result(cursor),
            tag::PROCEDURE_RESULT => procedure_result(cursor),
            tag::SUBSCRIBE_BATCH_APPLIED => subscribe_batch_applied(cursor),
            tag => Err(cursor.unknown_tag(tag, "tag")),
        }
    }
}

fn initial_connection(cursor: &mut Cursor<'_>) -> Result<ServerMessage, WireError> {
    cursor.enter("InitialConnection");
    Ok(ServerMessage::InitialConnection {
        identity: cursor.identity("identity")?,
        connection_id: cursor.connection_id("connection_id")?,
        token: cursor.text("token")?,
    })
}

fn subscribe_applied(cursor: &mut Cursor<'_>) -> Result<ServerMessage, WireError> {
    cursor.enter("SubscribeApplied");
    Ok(ServerMessage::SubscribeApplied {
        request_id: cursor.request_id()?,
        query_set_id: cursor.query_set_id()?,
        rows: QueryRows::decode(cursor)?,
    })
}

fn unsubscribe_applied(cursor: &mut Cursor<'_>) -> Result<ServerMessage, WireError> {
    cursor.enter("UnsubscribeApplied");
    Ok(ServerMessage::UnsubscribeApplied {
        request_id: cursor.request_id()?,
        query_set_id: cursor.query_set_id()?,
        rows: option(cursor, "rows", QueryRows::decode)?,
    })
}

fn subscription_error(cursor: &mut Cursor<'_>) -> Result<ServerMessage, WireError> {
    cursor.enter("SubscriptionError");
    Ok(ServerMessage::SubscriptionError {
        request_id: option(cursor, "request_id", Cursor::request_id)?,
        query_set_id: cursor.query_set_id()?,
        error: cursor.text("error")?,
    })
}

fn one_off_query_result(cursor: &mut Cursor<'_>) -> Result<ServerMessage, WireError> {
    cursor.enter("OneOffQueryResult");
    Ok(ServerMessage::OneOffQueryResult {
        request_id: cursor.request_id()?,
        result: rows_or_error(cursor, "result")?,
    })
}

fn reducer_result(cursor: &mut Cursor<'_>) -> Result<ServerMessage, WireError> {
    cursor.enter("ReducerResult");
    Ok(ServerMessage::ReducerResult {
        request_id: cursor.request_id()?,
        timestamp: cursor.timestamp("timestamp")?,
        outcome: match cursor.u8("outcome")? {
            OUTCOME_OK => ReducerOutcome::Ok {
                ret_value: cursor.bytes("ret_value")?,
                update: TransactionUpdate::decode(cursor)?,
            },
            OUTCOME_OK_EMPTY => ReducerOutcome::OkEmpty,
            OUTCOME_ERR => ReducerOutcome::Err(cursor.bytes("outcome")?),
            OUTCOME_INTERNAL_ERROR => ReducerOutcome::InternalError(cursor.text("outcome")?),
            tag => return Err(cursor.unknown_tag(tag, "outcome")),
        },
    })
}

fn procedure_result(cursor: &mut Cursor<'_>) -> Result<ServerMessage, WireError> {
    cursor.enter("ProcedureResult");
    Ok(ServerMessage::ProcedureResult {
        status: match cursor.u8("status")? {
            STATUS_RETURNED => ProcedureStatus::Returned(cursor.bytes("status")?),
            STATUS_INTERNAL_ERROR => ProcedureStatus::InternalError(cursor.text("status")?),
            tag => return Err(cursor.unknown_tag(tag, "status")),
        },
        timestamp: cursor.timestamp("timestamp")?,
        duration: cursor.time_duration("duration")?,
        request_id: cursor.request_id()?,
    })
}

fn subscribe_batch_applied(cursor: &mut Cursor<'_>) -> Result<ServerMessage, WireError> {
    cursor.enter("SubscribeBatchApplied");
    let request_id = cursor.request_id()?;
    // A result is its set's id, the outcome's tag, and the length of a list or of a string.
    let results = cursor.list("results", 4 + 1 + 4, |cursor| {
        Ok(BatchResult {
            query_set_id: cursor.query_set_id()?,
            outcome: rows_or_error(cursor, "outcome")?,
        })
    })?;
    Ok(ServerMessage::SubscribeBatchApplied { request_id, results })
}

fn option<'a, T>(
    cursor: &mut Cursor<'a>,
    field: &'static str,
    some: impl FnOnce(&mut Cursor<'a>) -> Result<T, WireError>,
) -> Result<Option<T>, WireError> {
    match cursor.u8(field)? {
        SOME => some(cursor).map(Some),
        NONE => Ok(None),
        tag => Err(cursor.unknown_tag(tag, field)),
    }
}

fn rows_or_error(
    cursor: &mut Cursor<'_>,
    field: &'static str,
) -> Result<Result<QueryRows, Text>, WireError> {
    match cursor.u8(field)? {
        OK => QueryRows::decode(cursor).map(Ok),
        ERR => cursor.text(field).map(Err),
        tag => Err(cursor.unknown_tag(tag, field)),
    }
}
