//! Messages of a server.

mod debug;
mod decode;
mod encode;

pub use encode::encode_server;

use bytes::Bytes;

use super::text::Text;
use super::update::{QueryRows, TransactionUpdate};
use super::{QuerySetId, RequestId};
use crate::types::{ConnectionId, Identity, TimeDuration, Timestamp};

/// A message of a server's.
///
/// Answers come in the order of the requests, but for those of procedures, which run beside everything else: one that
/// sleeps is answered behind later requests. All messages are one stream: what a message says holds after all that came
/// before it.
///
/// # Source
///
/// `spacetimedb-client-api-messages` 2.14.0, `websocket/v2.rs`, `ServerMessage`; tags 0 to 8 in this order.
#[derive(Clone, PartialEq, Eq)]
pub enum ServerMessage {
    /// The first message of a connection, and only that: who the client is.
    InitialConnection {
        /// Identity of the client to the database.
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
        /// Reason, for people.
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
        /// Time at which the reducer ran, by the server's clock.
        timestamp: Timestamp,
        /// Outcome.
        outcome: ReducerOutcome,
    },

    /// Answers [`CallProcedure`](super::ClientMessage::CallProcedure). The changes that it made came before.
    ProcedureResult {
        /// Outcome.
        status: ProcedureStatus,
        /// Time at which the procedure was started, by the server's clock.
        timestamp: Timestamp,
        /// Duration of its run on the server.
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

/// Result of one query set of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchResult {
    /// The query set.
    pub query_set_id: QuerySetId,
    /// All rows that its queries have, or why it failed, for people.
    pub outcome: Result<QueryRows, Text>,
}

/// Outcome of a reducer's call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReducerOutcome {
    /// It committed.
    Ok {
        /// The BSATN of what it returned.
        ret_value: Bytes,
        /// Changes to the caller's query sets.
        update: TransactionUpdate,
    },
    /// It committed, returned nothing and changed nothing that the caller sees.
    OkEmpty,
    /// It rejected the call: the BSATN of its error. Nothing was changed.
    Err(Bytes),
    /// It failed, or there is none with this name or these arguments: why, for people. Nothing was changed.
    InternalError(Text),
}

/// Outcome of a procedure's call.
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
    /// Returns `true` if it answers a call of a reducer that changed nothing.
    pub(crate) fn is_refusal(&self) -> bool {
        use ReducerOutcome::{Err, InternalError};
        matches!(self, Self::ReducerResult { outcome: Err(_) | InternalError(_), .. })
    }

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
}
