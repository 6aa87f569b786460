//! Errors of calls.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use lightlike_core::bsatn::{self, DecodeError, EncodeError, Readable};
use lightlike_core::conn::{Lost, NotSent, Reply};
use lightlike_core::schema::{Procedure, Reducer};

use crate::untyped::UntypedValue;

/// Error of a call that did not commit, or may not have. `E` is the reducer's own error type.
///
/// Its text says all: what the reducer refused with, what the server said, why something was not sent. A refusal that is a text
/// is shown as it is, one of another type by its `Debug`.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError<E> {
    /// The reducer refused: its own error. Nothing was changed.
    Rejected(E),
    /// It panicked, does not exist, or could not be run, in the server's words. Nothing was changed by a reducer; a
    /// procedure may have committed transactions before.
    Failed(Box<str>),
    /// It was sent, and the connection was lost before the answer: it may have run, or not.
    Unknown,
    /// It is of a reducer that is called again when its answer is lost, and each time the connection ended before the
    /// answer, as often as [`max_call_losses`](crate::connection::Limits::max_call_losses) allows: the server hangs up on it. It may
    /// have run, or not.
    Abandoned {
        /// Number of times that it was sent.
        sent: u32,
        /// End of the last connection.
        reason: Lost,
    },
    /// No answer came within the call's timeout.
    TimedOut {
        /// `true` if it was sent. Then it may have run, or may yet; its changes will still be applied.
        sent: bool,
    },
    /// It was not sent: it was to be dropped without a connection, or a full queue or a veto dropped it.
    Dropped,
    /// It was not sent: it became older than its time to live, or than
    /// [`max_age`](crate::offline::OfflineConfig::max_age).
    Expired,
    /// It was not sent: it was taken back.
    Cancelled,
    /// It is not over: the connection is closed, the offline store has the call, and the next run of the program goes on
    /// with it.
    Kept,
    /// It was not sent.
    NotSent(NotSent),
    /// Its arguments have no encoding. It was not sent.
    Arguments(EncodeError),
    /// The answer came and does not decode as the Rust type that was declared. `committed` says which answer it was.
    Undecodable {
        /// `true` if the reducer has committed, or the procedure returned; it has refused otherwise.
        committed: bool,
        /// Error of decoding it.
        source: DecodeError,
    },
}

impl<E: fmt::Debug + 'static> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(why) => match words(why) {
                Some(words) => write!(f, "the reducer refused: {words}"),
                None => f.write_str("the reducer refused"),
            },
            Self::Failed(why) => write!(f, "the server could not run it: {why}"),
            Self::Unknown => write!(f, "{}", Reply::Unknown),
            Self::Abandoned { sent, reason } => {
                write!(f, "{}", Reply::Abandoned { sent: *sent, reason: reason.clone() })
            }
            Self::TimedOut { sent } => write!(f, "{}", Reply::TimedOut { sent: *sent }),
            Self::Dropped => write!(f, "{}", Reply::Dropped),
            Self::Expired => write!(f, "{}", Reply::Expired),
            Self::Cancelled => write!(f, "{}", Reply::Cancelled),
            Self::Kept => write!(f, "{}", Reply::Kept),
            Self::NotSent(why) => write!(f, "it was not sent: {why}"),
            Self::Arguments(why) => write!(f, "it was not sent: {why}"),
            Self::Undecodable { committed, source } => {
                let what = if *committed { "what it returned" } else { "what it was refused with" };
                write!(f, "{what} is of another type than was declared: {source}")
            }
        }
    }
}

impl<E: fmt::Debug + 'static> std::error::Error for CallError<E> {}

/// What a reducer refused with, in words; none if that has no type.
pub(crate) fn words<E: fmt::Debug + 'static>(error: &E) -> Option<String> {
    let any: &dyn Any = error;
    let text = |text: &str| Some(text.to_owned());
    if any.is::<()>() {
        None
    } else if let Some(error) = any.downcast_ref::<String>() {
        text(error)
    } else if let Some(error) = any.downcast_ref::<Box<str>>() {
        text(error)
    } else if let Some(error) = any.downcast_ref::<Arc<str>>() {
        text(error)
    } else if let Some(error) = any.downcast_ref::<UntypedValue>() {
        Some(error.text().unwrap_or_else(|| error.to_string()))
    } else if let Some(error) = any.downcast_ref::<Bytes>() {
        (!error.is_empty()).then(|| Readable(error).to_string())
    } else {
        Some(format!("{error:?}"))
    }
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

impl fmt::Display for CallErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rejected => "refused by the reducer",
            Self::Failed => "not run by the server, or ended by a panic",
            Self::Unknown => "sent and not answered",
            Self::Abandoned => "sent again and again and never answered",
            Self::TimedOut => "not answered in time",
            Self::Dropped => "dropped before it was sent",
            Self::Expired => "too old before it was sent",
            Self::Cancelled => "taken back before it was sent",
            Self::Kept => "kept for the next run of the program",
            Self::NotSent => "not sent",
            Self::Arguments => "not sent, because its arguments have no encoding",
            Self::Undecodable => "answered with another type than was declared",
        })
    }
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
    #[error("it was not sent: {0}")]
    NotSent(NotSent),
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
