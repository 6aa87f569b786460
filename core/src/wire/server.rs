//! What a server says.

use bytes::Bytes;

use super::cursor::Cursor;
use super::put;
use super::text::Text;
use super::update::{QueryRows, TransactionUpdate};
use super::{QuerySetId, RequestId, WireError};
use crate::bsatn::EncodeError;
use crate::types::{ConnectionId, Identity, TimeDuration, Timestamp};

/// A message of a server's.
///
/// Answers come in the order of the requests. All messages are one stream: what a message says holds after all that
/// came before it.
///
/// # Source
///
/// `spacetimedb-client-api-messages` 2.14.0, `websocket/v2.rs`, `ServerMessage`; tags 0 to 8 in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerMessage {
    /// The first message of a connection, and only that: who the client is.
    InitialConnection {
        /// Who the client is to the database.
        identity: Identity,
        /// This connection.
        connection_id: ConnectionId,
        /// A token with which the client will be this identity again.
        token: Text,
    },

    /// Answers [`Subscribe`](super::ClientMessage::Subscribe): the set is applied, these are its rows. Its changes
    /// follow in transaction updates.
    SubscribeApplied {
        /// The request's.
        request_id: RequestId,
        /// The query set.
        query_set_id: QuerySetId,
        /// All rows that its queries have.
        rows: QueryRows,
    },

    /// Answers [`Unsubscribe`](super::ClientMessage::Unsubscribe): the set is gone, and nothing more comes for it.
    UnsubscribeApplied {
        /// The request's.
        request_id: RequestId,
        /// The query set.
        query_set_id: QuerySetId,
        /// All rows that it held, if the request asked for them.
        rows: Option<QueryRows>,
    },

    /// A query set failed: nothing comes for it, and rows that it had are to go. The connection lives on.
    SubscriptionError {
        /// The request that this answers, [`Subscribe`](super::ClientMessage::Subscribe) or
        /// [`Unsubscribe`](super::ClientMessage::Unsubscribe). None: a set that was applied failed later.
        request_id: Option<RequestId>,
        /// The query set.
        query_set_id: QuerySetId,
        /// Why, for people.
        error: Text,
    },

    /// Answers nothing: somebody's transaction changed rows of this connection's query sets. The client's own
    /// reducers' changes come in [`ReducerResult`](Self::ReducerResult) instead.
    TransactionUpdate(TransactionUpdate),

    /// Answers [`OneOffQuery`](super::ClientMessage::OneOffQuery).
    OneOffQueryResult {
        /// The request's.
        request_id: RequestId,
        /// The rows, or why the query failed, for people.
        result: Result<QueryRows, Text>,
    },

    /// Answers [`CallReducer`](super::ClientMessage::CallReducer).
    ReducerResult {
        /// The request's.
        request_id: RequestId,
        /// When the reducer ran, by the server's clock.
        timestamp: Timestamp,
        /// How it ended.
        outcome: ReducerOutcome,
    },

    /// Answers [`CallProcedure`](super::ClientMessage::CallProcedure). The changes that it made came before.
    ProcedureResult {
        /// How it ended.
        status: ProcedureStatus,
        /// When the procedure was started, by the server's clock.
        timestamp: Timestamp,
        /// How long it took on the server.
        duration: TimeDuration,
        /// The request's.
        request_id: RequestId,
    },

    /// Answers [`SubscribeBatch`](super::ClientMessage::SubscribeBatch): each set is applied, at one point of the
    /// database's history, or failed.
    SubscribeBatchApplied {
        /// The request's.
        request_id: RequestId,
        /// One result a set.
        results: Vec<BatchResult>,
    },
}

/// What became of one query set of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchResult {
    /// The query set.
    pub query_set_id: QuerySetId,
    /// All rows that its queries have, or why it failed, for people.
    pub outcome: Result<QueryRows, Text>,
}

/// How the call of a reducer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReducerOutcome {
    /// It committed.
    Ok {
        /// The BSATN of what it returned.
        ret_value: Bytes,
        /// What it changed in the caller's query sets.
        update: TransactionUpdate,
    },
    /// It committed, returned nothing and changed nothing that the caller sees.
    OkEmpty,
    /// It rejected the call: the BSATN of its error. Nothing was changed.
    Err(Bytes),
    /// It failed, or there is none with this name or these arguments: why, for people. Nothing was changed.
    InternalError(Text),
}

/// How the call of a procedure ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcedureStatus {
    /// The BSATN of what it returned.
    Returned(Bytes),
    /// It failed, or there is none with this name or these arguments: why, for people. Transactions that it committed
    /// before stand.
    InternalError(Text),
}

/// Tags of [`ServerMessage`].
mod tag {
    pub(super) const INITIAL_CONNECTION: u8 = 0;
    pub(super) const SUBSCRIBE_APPLIED: u8 = 1;
    pub(super) const UNSUBSCRIBE_APPLIED: u8 = 2;
    pub(super) const SUBSCRIPTION_ERROR: u8 = 3;
    pub(super) const TRANSACTION_UPDATE: u8 = 4;
    pub(super) const ONE_OFF_QUERY_RESULT: u8 = 5;
    pub(super) const REDUCER_RESULT: u8 = 6;
    pub(super) const PROCEDURE_RESULT: u8 = 7;
    pub(super) const SUBSCRIBE_BATCH_APPLIED: u8 = 8;
}

/// Tags of an option, of a result, of an outcome and of a status.
const SOME: u8 = 0;
const NONE: u8 = 1;
const OK: u8 = 0;
const ERR: u8 = 1;
const OUTCOME_OK: u8 = 0;
const OUTCOME_OK_EMPTY: u8 = 1;
const OUTCOME_ERR: u8 = 2;
const OUTCOME_INTERNAL_ERROR: u8 = 3;
const STATUS_RETURNED: u8 = 0;
const STATUS_INTERNAL_ERROR: u8 = 1;

impl ServerMessage {
    /// The request that this answers, if it answers one.
    pub fn request_id(&self) -> Option<RequestId> {
        match self {
            Self::InitialConnection { .. } | Self::TransactionUpdate(_) => None,
            Self::SubscriptionError { request_id, .. } => *request_id,
            Self::SubscribeApplied { request_id, .. }
            | Self::UnsubscribeApplied { request_id, .. }
            | Self::OneOffQueryResult { request_id, .. }
            | Self::ReducerResult { request_id, .. }
            | Self::ProcedureResult { request_id, .. }
            | Self::SubscribeBatchApplied { request_id, .. } => Some(*request_id),
        }
    }

    /// The message's name, for logs and errors.
    pub fn name(&self) -> &'static str {
        match self {
            Self::InitialConnection { .. } => "InitialConnection",
            Self::SubscribeApplied { .. } => "SubscribeApplied",
            Self::UnsubscribeApplied { .. } => "UnsubscribeApplied",
            Self::SubscriptionError { .. } => "SubscriptionError",
            Self::TransactionUpdate(_) => "TransactionUpdate",
            Self::OneOffQueryResult { .. } => "OneOffQueryResult",
            Self::ReducerResult { .. } => "ReducerResult",
            Self::ProcedureResult { .. } => "ProcedureResult",
            Self::SubscribeBatchApplied { .. } => "SubscribeBatchApplied",
        }
    }

    /// Reads the message at the cursor.
    pub(super) fn decode(cursor: &mut Cursor<'_>) -> Result<Self, WireError> {
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
