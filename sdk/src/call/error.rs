//! Errors of calls.

use bytes::Bytes;
use lightlike_core::bsatn::{self, DecodeError, EncodeError};
use lightlike_core::conn::{Lost, NotSent, Reply};
use lightlike_core::schema::{Procedure, Reducer};

/// Error of a call that did not commit, or may not have. `E` is the reducer's own error type.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError<E> {
    /// The reducer refused: its own error. Nothing was changed.
    #[error("the reducer refused")]
    Rejected(E),
    /// It panicked, does not exist, or could not be run, in the server's words. Nothing was changed by a reducer; a
    /// procedure may have committed transactions before.
    #[error("the server could not run it: {0}")]
    Failed(Box<str>),
    /// It was sent, and the connection was lost before the answer: it may have run, or not.
    #[error("the connection was lost before the answer; it may have run, or not")]
    Unknown,
    /// It is of a reducer that is called again when its answer is lost, and each time the connection ended before the
    /// answer, as often as [`max_call_losses`](crate::Limits::max_call_losses) allows: the server hangs up on it. It may
    /// have run, or not.
    #[error(
        "it was sent {sent} times, and each time the connection ended before the answer, so it is given up; \
         it may have run, or not"
    )]
    Abandoned {
        /// Number of times that it was sent.
        sent: u32,
        /// End of the last connection.
        #[source]
        reason: Lost,
    },
    /// No answer came within the call's timeout.
    #[error("no answer came in time")]
    TimedOut {
        /// `true` if it was sent. Then it may have run, or may yet; its changes will still be applied.
        sent: bool,
    },
    /// It was not sent: it was to be dropped without a connection, or a full queue or a veto dropped it.
    #[error("it was dropped before it was sent")]
    Dropped,
    /// It was not sent: it became older than its time to live, or than
    /// [`max_age`](crate::OfflineConfig::max_age).
    #[error("it was not sent in time")]
    Expired,
    /// It was not sent: it was taken back.
    #[error("it was taken back before it was sent")]
    Cancelled,
    /// It is not over: the connection is closed, the offline store has the call, and the next run of the program goes on
    /// with it.
    #[error("it is kept in the offline store for the next run of the program")]
    Kept,
    /// It was not sent.
    #[error("it was not sent")]
    NotSent(#[source] NotSent),
    /// Its arguments have no encoding. It was not sent.
    #[error("its arguments cannot be encoded")]
    Arguments(#[source] EncodeError),
    /// The answer came and does not decode as the Rust type that was declared. `committed` says which answer it was.
    #[error("the answer does not decode as the declared type")]
    Undecodable {
        /// `true` if the reducer has committed, or the procedure returned; it has refused otherwise.
        committed: bool,
        /// Error of decoding it.
        #[source]
        source: DecodeError,
    },
}

/// [`CallError`] without what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "see `CallError`")]
pub enum CallErrorKind {
    Rejected,
    Failed,
    Unknown,
    Abandoned,
    TimedOut,
    Dropped,
    Expired,
    Cancelled,
    Kept,
    NotSent,
    Arguments,
    Undecodable,
}

impl<E> CallError<E> {
    /// Variant without its fields.
    pub fn kind(&self) -> CallErrorKind {
        match self {
            Self::Rejected(_) => CallErrorKind::Rejected,
            Self::Failed(_) => CallErrorKind::Failed,
            Self::Unknown => CallErrorKind::Unknown,
            Self::Abandoned { .. } => CallErrorKind::Abandoned,
            Self::TimedOut { .. } => CallErrorKind::TimedOut,
            Self::Dropped => CallErrorKind::Dropped,
            Self::Expired => CallErrorKind::Expired,
            Self::Cancelled => CallErrorKind::Cancelled,
            Self::Kept => CallErrorKind::Kept,
            Self::NotSent(_) => CallErrorKind::NotSent,
            Self::Arguments(_) => CallErrorKind::Arguments,
            Self::Undecodable { .. } => CallErrorKind::Undecodable,
        }
    }
}

/// Reason for which a query got no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unanswered {
    /// The connection was lost before the answer.
    #[error("the connection was lost before the answer")]
    Lost,
    /// It was not sent.
    #[error("it was not sent")]
    NotSent(#[source] NotSent),
}

/// Outcome of a call of the reducer `R`.
pub(crate) fn reducer_outcome<R: Reducer>(reply: &Reply) -> Result<R::Ok, CallError<R::Error>> {
    match reply {
        Reply::Committed { returned, .. } => decode_returned(returned),
        Reply::Rejected { error, .. } => match bsatn::from_slice(error) {
            Ok(error) => Err(CallError::Rejected(error)),
            Err(source) => Err(CallError::Undecodable { committed: false, source }),
        },
        other => Err(failure(other)),
    }
}

/// Outcome of a call of the procedure `P`.
pub(crate) fn procedure_outcome<P: Procedure>(
    reply: &Reply,
) -> Result<P::Output, CallError<std::convert::Infallible>> {
    match reply {
        Reply::Returned { value, .. } => decode_returned(value),
        other => Err(failure(other)),
    }
}

/// Decodes what a function returned.
fn decode_returned<T: bsatn::Bsatn, E>(bytes: &Bytes) -> Result<T, CallError<E>> {
    bsatn::from_slice(bytes).map_err(|source| CallError::Undecodable { committed: true, source })
}

/// Error of a call that has no answer of its own kind.
pub(crate) fn failure<E>(reply: &Reply) -> CallError<E> {
    match reply {
        Reply::Failed(why) | Reply::QueryRefused(why) => CallError::Failed(why.clone()),
        Reply::NotSent(why) => CallError::NotSent(why.clone()),
        Reply::TimedOut { sent } => CallError::TimedOut { sent: *sent },
        Reply::Abandoned { sent, reason } => {
            CallError::Abandoned { sent: *sent, reason: reason.clone() }
        }
        Reply::Dropped => CallError::Dropped,
        Reply::Expired => CallError::Expired,
        Reply::Cancelled => CallError::Cancelled,
        Reply::Kept => CallError::Kept,
        _ => CallError::Unknown,
    }
}
