//! Messages of a client.

use bytes::Bytes;

use super::cursor::Cursor;
use super::put;
use super::text::Text;
use super::{QuerySetId, RequestId, WireError};
use crate::bsatn::{EncodeError, Writer};

/// A message of a client's.
///
/// Each is answered once, in the order in which they were sent. Between an answer and the next, a
/// [`TransactionUpdate`](super::ServerMessage::TransactionUpdate) may come at any time.
///
/// # Source
///
/// `spacetimedb-client-api-messages` 2.14.0, `websocket/v2.rs`, `ClientMessage`; tags 0 to 5 in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientMessage {
    /// Adds a query set. Answered by [`SubscribeApplied`](super::ServerMessage::SubscribeApplied) with the rows that
    /// its queries have, or by [`SubscriptionError`](super::ServerMessage::SubscriptionError); from then on its
    /// changes come in transaction updates.
    Subscribe {
        /// Chosen by the client.
        request_id: RequestId,
        /// Chosen by the client, not in use by another query set of the connection.
        query_set_id: QuerySetId,
        /// SQL.
        queries: Vec<Text>,
    },

    /// Drops a query set. Answered by [`UnsubscribeApplied`](super::ServerMessage::UnsubscribeApplied), or by
    /// [`SubscriptionError`](super::ServerMessage::SubscriptionError) where there is no such set. Its changes may
    /// come until then.
    Unsubscribe {
        /// Chosen by the client.
        request_id: RequestId,
        /// The query set.
        query_set_id: QuerySetId,
        /// Asks for the rows that the set held in the answer.
        send_dropped_rows: bool,
    },

    /// Asks for the rows of a query, once. Answered by
    /// [`OneOffQueryResult`](super::ServerMessage::OneOffQueryResult).
    OneOffQuery {
        /// Chosen by the client.
        request_id: RequestId,
        /// SQL.
        query: Text,
    },

    /// Calls a reducer. Answered by [`ReducerResult`](super::ServerMessage::ReducerResult), which has the changes
    /// that the call made to the caller's query sets.
    CallReducer {
        /// Chosen by the client.
        request_id: RequestId,
        /// The reducer's name.
        reducer: Text,
        /// The BSATN of the parameters, one after the other.
        args: Bytes,
    },

    /// Calls a procedure. Answered by [`ProcedureResult`](super::ServerMessage::ProcedureResult); the changes of the
    /// transactions that it made come before, as transaction updates.
    CallProcedure {
        /// Chosen by the client.
        request_id: RequestId,
        /// The procedure's name.
        procedure: Text,
        /// The BSATN of the parameters, one after the other.
        args: Bytes,
    },

    /// Adds several query sets at one point of the database's history. Answered by
    /// [`SubscribeBatchApplied`](super::ServerMessage::SubscribeBatchApplied).
    ///
    /// Servers understand it from about 2.12, on v3. An older one closes the connection with code 1011.
    SubscribeBatch {
        /// Chosen by the client.
        request_id: RequestId,
        /// The query sets.
        sets: Vec<BatchSet>,
    },
}

/// One query set of a [`ClientMessage::SubscribeBatch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchSet {
    /// Chosen by the client, not in use by another query set of the connection.
    pub query_set_id: QuerySetId,
    /// SQL.
    pub queries: Vec<Text>,
}

/// Tags of [`ClientMessage`].
mod tag {
    pub(super) const SUBSCRIBE: u8 = 0;
    pub(super) const UNSUBSCRIBE: u8 = 1;
    pub(super) const ONE_OFF_QUERY: u8 = 2;
    pub(super) const CALL_REDUCER: u8 = 3;
    pub(super) const CALL_PROCEDURE: u8 = 4;
    pub(super) const SUBSCRIBE_BATCH: u8 = 5;
}

/// What messages start with: the tag and the request's number.
const HEAD_BYTES: usize = 1 + 4;
/// The number of a query set.
const SET_BYTES: usize = 4;
const FLAGS_BYTES: usize = 1;
/// What strings and lists start with.
const LEN_BYTES: usize = 4;

/// The size of a call's message.
pub(crate) fn call_len(name: &[u8], args: &[u8]) -> usize {
    HEAD_BYTES + FLAGS_BYTES + LEN_BYTES + name.len() + LEN_BYTES + args.len()
}

/// The size of a query's message.
pub(crate) fn query_len(query: &[u8]) -> usize {
    HEAD_BYTES + LEN_BYTES + query.len()
}

/// The size of the message that asks for a query set.
pub(crate) fn subscribe_len(queries: &[impl AsRef<str>]) -> usize {
    HEAD_BYTES + queries_len(queries)
}

/// The size of the message that asks for several query sets.
pub(crate) fn subscribe_batch_len<'a, Q: AsRef<str> + 'a>(
    sets: impl Iterator<Item = &'a [Q]>,
) -> usize {
    HEAD_BYTES + LEN_BYTES + sets.map(queries_len).sum::<usize>()
}

fn queries_len(queries: &[impl AsRef<str>]) -> usize {
    let texts = queries.iter().map(|query| LEN_BYTES + query.as_ref().len());
    SET_BYTES + LEN_BYTES + texts.sum::<usize>()
}

/// The one flag that calls have: none. A server closes the connection on another.
const NO_FLAGS: u8 = 0;

/// Flags of an [`ClientMessage::Unsubscribe`] about the rows of the set.
const KEEP_DROPPED_ROWS: u8 = 0;
const SEND_DROPPED_ROWS: u8 = 1;

impl ClientMessage {
    /// The number that the answer will carry.
    pub fn request_id(&self) -> RequestId {
        match self {
            Self::Subscribe { request_id, .. }
            | Self::Unsubscribe { request_id, .. }
            | Self::OneOffQuery { request_id, .. }
            | Self::CallReducer { request_id, .. }
            | Self::CallProcedure { request_id, .. }
            | Self::SubscribeBatch { request_id, .. } => *request_id,
        }
    }

    /// The size of the encoding in bytes: what [`encode_client`] appends.
    pub fn encoded_len(&self) -> usize {
        match self {
            Self::Subscribe { queries, .. } => subscribe_len(queries),
            Self::Unsubscribe { .. } => HEAD_BYTES + SET_BYTES + FLAGS_BYTES,
            Self::OneOffQuery { query, .. } => query_len(query.as_bytes()),
            Self::CallReducer { reducer: name, args, .. }
            | Self::CallProcedure { procedure: name, args, .. } => call_len(name.as_bytes(), args),
            Self::SubscribeBatch { sets, .. } => {
                subscribe_batch_len(sets.iter().map(|set| &*set.queries))
            }
        }
    }

    /// The message's name, for logs and errors.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Subscribe { .. } => "Subscribe",
            Self::Unsubscribe { .. } => "Unsubscribe",
            Self::OneOffQuery { .. } => "OneOffQuery",
            Self::CallReducer { .. } => "CallReducer",
            Self::CallProcedure { .. } => "CallProcedure",
            Self::SubscribeBatch { .. } => "SubscribeBatch",
        }
    }

    /// Reads the message at the cursor.
    pub(super) fn decode(cursor: &mut Cursor<'_>) -> Result<Self, WireError> {
        match cursor.u8("tag")? {
            tag::SUBSCRIBE => subscribe(cursor),
            tag::UNSUBSCRIBE => unsubscribe(cursor),
            tag::ONE_OFF_QUERY => one_off_query(cursor),
            tag::CALL_REDUCER => call_reducer(cursor),
            tag::CALL_PROCEDURE => call_procedure(cursor),
            tag::SUBSCRIBE_BATCH => subscribe_batch(cursor),
            tag => Err(cursor.unknown_tag(tag, "tag")),
        }
    }
}

fn subscribe(cursor: &mut Cursor<'_>) -> Result<ClientMessage, WireError> {
    cursor.enter("Subscribe");
    Ok(ClientMessage::Subscribe {
        request_id: cursor.request_id()?,
        query_set_id: cursor.query_set_id()?,
        queries: queries(cursor)?,
    })
}

fn unsubscribe(cursor: &mut Cursor<'_>) -> Result<ClientMessage, WireError> {
    cursor.enter("Unsubscribe");
    Ok(ClientMessage::Unsubscribe {
        request_id: cursor.request_id()?,
        query_set_id: cursor.query_set_id()?,
        send_dropped_rows: match cursor.u8("flags")? {
            KEEP_DROPPED_ROWS => false,
            SEND_DROPPED_ROWS => true,
            flags => return Err(cursor.unknown_tag(flags, "flags")),
        },
    })
}

fn one_off_query(cursor: &mut Cursor<'_>) -> Result<ClientMessage, WireError> {
    cursor.enter("OneOffQuery");
    Ok(ClientMessage::OneOffQuery {
        request_id: cursor.request_id()?,
        query: cursor.text("query")?,
    })
}

fn call_reducer(cursor: &mut Cursor<'_>) -> Result<ClientMessage, WireError> {
    cursor.enter("CallReducer");
    let request_id = cursor.request_id()?;
    no_flags(cursor)?;
    Ok(ClientMessage::CallReducer {
        request_id,
        reducer: cursor.text("reducer")?,
        args: cursor.bytes("args")?,
    })
}

fn call_procedure(cursor: &mut Cursor<'_>) -> Result<ClientMessage, WireError> {
    cursor.enter("CallProcedure");
    let request_id = cursor.request_id()?;
    no_flags(cursor)?;
    Ok(ClientMessage::CallProcedure {
        request_id,
        procedure: cursor.text("procedure")?,
        args: cursor.bytes("args")?,
    })
}

fn subscribe_batch(cursor: &mut Cursor<'_>) -> Result<ClientMessage, WireError> {
    cursor.enter("SubscribeBatch");
    let request_id = cursor.request_id()?;
    // A set is its id and the number of its queries.
    let sets = cursor.list("sets", 4 + 4, |cursor| {
        Ok(BatchSet { query_set_id: cursor.query_set_id()?, queries: queries(cursor)? })
    })?;
    Ok(ClientMessage::SubscribeBatch { request_id, sets })
}

fn no_flags(cursor: &mut Cursor<'_>) -> Result<(), WireError> {
    match cursor.u8("flags")? {
        NO_FLAGS => Ok(()),
        flags => Err(cursor.unknown_tag(flags, "flags")),
    }
}

fn queries(cursor: &mut Cursor<'_>) -> Result<Vec<Text>, WireError> {
    // A query is at least its length.
    cursor.list("queries", 4, |cursor| cursor.text("queries"))
}

/// Writes a message behind what `out` holds.
///
/// On v2 a frame has one, on v3 any number but none.
///
/// # Errors
///
/// [`EncodeError`] if something in the message has more than `u32::MAX` bytes or elements; `out` is then as before.
pub fn encode_client(message: &ClientMessage, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    put::whole(out, |out| put_message(message, out))
}

fn put_message(message: &ClientMessage, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    match message {
        ClientMessage::Subscribe { request_id, query_set_id, queries } => {
            head(out, tag::SUBSCRIBE, *request_id);
            put_queries(out, *query_set_id, queries)
        }
        ClientMessage::Unsubscribe { request_id, query_set_id, send_dropped_rows } => {
            head(out, tag::UNSUBSCRIBE, *request_id);
            put::u32(out, query_set_id.0);
            out.push(if *send_dropped_rows { SEND_DROPPED_ROWS } else { KEEP_DROPPED_ROWS });
            Ok(())
        }
        ClientMessage::OneOffQuery { request_id, query } => {
            head(out, tag::ONE_OFF_QUERY, *request_id);
            put::bytes(out, query.as_bytes())
        }
        ClientMessage::CallReducer { request_id, reducer, args } => {
            call_head(out, tag::CALL_REDUCER, *request_id, reducer.as_bytes())?;
            put::bytes(out, args)
        }
        ClientMessage::CallProcedure { request_id, procedure, args } => {
            call_head(out, tag::CALL_PROCEDURE, *request_id, procedure.as_bytes())?;
            put::bytes(out, args)
        }
        ClientMessage::SubscribeBatch { request_id, sets } => {
            head(out, tag::SUBSCRIBE_BATCH, *request_id);
            put::list(out, sets, |out, set| put_queries(out, set.query_set_id, &set.queries))
        }
    }
}

/// Writes the call of a reducer as [`encode_client`] does, with arguments that `args` encodes in place.
///
/// # Errors
///
/// [`EncodeError`] if something in the call has more than `u32::MAX` bytes or elements; `out` is then as before.
pub fn encode_reducer_call(
    request_id: RequestId,
    reducer: &str,
    args: impl FnOnce(&mut Writer),
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    put::whole(out, |out| {
        call_head(out, tag::CALL_REDUCER, request_id, reducer.as_bytes())?;
        put::measured(out, args)
    })
}

/// Writes the call of a procedure as [`encode_client`] does, with arguments that `args` encodes in place.
///
/// # Errors
///
/// [`EncodeError`] if something in the call has more than `u32::MAX` bytes or elements; `out` is then as before.
pub fn encode_procedure_call(
    request_id: RequestId,
    procedure: &str,
    args: impl FnOnce(&mut Writer),
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    put::whole(out, |out| {
        call_head(out, tag::CALL_PROCEDURE, request_id, procedure.as_bytes())?;
        put::measured(out, args)
    })
}

fn head(out: &mut Vec<u8>, tag: u8, request_id: RequestId) {
    out.push(tag);
    put::u32(out, request_id.0);
}

fn call_head(
    out: &mut Vec<u8>,
    tag: u8,
    request_id: RequestId,
    name: &[u8],
) -> Result<(), EncodeError> {
    head(out, tag, request_id);
    out.push(NO_FLAGS);
    put::bytes(out, name)
}

fn put_queries(
    out: &mut Vec<u8>,
    query_set_id: QuerySetId,
    queries: &[Text],
) -> Result<(), EncodeError> {
    put::u32(out, query_set_id.0);
    put::list(out, queries, |out, query| put::bytes(out, query.as_bytes()))
}
