//! Outcomes of calls, for whoever watches all of them.

use std::fmt;

use bytes::Bytes;
use lightlike_core::bsatn;
use lightlike_core::conn::{Lost, NotSent, Reply};
use lightlike_core::schema::Reducer;
use lightlike_core::types::{Timestamp, Uuid};
use lightlike_core::wire::Text;

use crate::calls::CallError;

/// Outcome of one call of a reducer: see [`Client::call_outcomes`](crate::Client::call_outcomes).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CallOutcome {
    /// The call's name, the same after a restart. None where nothing is kept.
    pub id: Option<Uuid>,
    /// The reducer's name.
    pub reducer: Text,
    /// The BSATN of the call's arguments, one after the other: see [`decode`](Self::decode).
    pub args: Bytes,
    /// `true` if an earlier run of the program made the call.
    pub restored: bool,
    /// Outcome.
    pub end: CallEnd,
}

impl CallOutcome {
    /// The call's arguments, if it is one of the reducer `R` and was made with arguments of these types.
    ///
    /// ```
    /// use lightlike::offline::CallOutcome;
    /// use lightlike::prelude::*;
    ///
    /// #[reducer]
    /// #[derive(Debug)]
    /// fn add_note(title: String) -> Result<(), String>;
    ///
    /// fn log(outcome: &CallOutcome) {
    ///     match outcome.decode::<AddNote>() {
    ///         Some(call) => println!("{outcome}; it was {call:?}"),
    ///         None => println!("{outcome}"),
    ///     }
    /// }
    /// # let _ = (log, add_note);
    /// ```
    pub fn decode<R: Reducer>(&self) -> Option<R> {
        self.is_of::<R>().then(|| bsatn::from_slice(&self.args).ok()).flatten()
    }

    /// What the reducer `R` refused the call with; none if it is another's, or did not refuse.
    pub fn rejection<R: Reducer>(&self) -> Option<R::Error> {
        match &self.end {
            CallEnd::Rejected(error) if self.is_of::<R>() => bsatn::from_slice(error).ok(),
            _ => None,
        }
    }

    fn is_of<R: Reducer>(&self) -> bool {
        self.reducer.as_str() == R::DEF.name
    }
}

/// The reducer, and how the call ended.
impl fmt::Display for CallOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.reducer.as_str(), self.end)
    }
}

/// Outcome of a call.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CallEnd {
    /// It has run; its rows are here.
    Committed {
        /// Time at which the server ran it. Not known of a call of which only its probe says that it has run.
        timestamp: Timestamp,
    },
    /// The reducer refused: the BSATN of its error.
    Rejected(Bytes),
    /// It panicked, does not exist, or could not be run, in the server's words.
    Failed(Box<str>),
    /// Its answer was lost: it may have run, or not.
    Unknown,
    /// The connection ended each time before its answer, as often as
    /// [`max_call_losses`](crate::connection::Limits::max_call_losses) allows: it may have run, or not.
    Abandoned {
        /// Number of times that it was sent.
        sent: u32,
        /// End of the last connection.
        reason: Lost,
    },
    /// No answer came within its timeout.
    TimedOut {
        /// `true` if it was sent.
        sent: bool,
    },
    /// It was dropped unsent.
    Dropped,
    /// It became too old before it was sent.
    Expired,
    /// It was taken back unsent.
    Cancelled,
    /// It could not be sent.
    NotSent(NotSent),
}

impl CallOutcome {
    /// Bytes that it takes beside its own size.
    pub(super) fn bytes(&self) -> usize {
        let end = match &self.end {
            CallEnd::Rejected(error) => error.len(),
            CallEnd::Failed(why) => why.len(),
            _ => 0,
        };
        self.reducer.as_bytes().len() + self.args.len() + end
    }
}

/// In words, with the reducer's where it refused with a text.
impl fmt::Display for CallEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error: CallError<Bytes> = match self {
            Self::Committed { .. } => return f.write_str("committed"),
            Self::Rejected(error) => CallError::Rejected(error.clone()),
            Self::Failed(why) => CallError::Failed(why.clone()),
            Self::Unknown => CallError::Unknown,
            Self::Abandoned { sent, reason } => {
                CallError::Abandoned { sent: *sent, reason: reason.clone() }
            }
            Self::TimedOut { sent } => CallError::TimedOut { sent: *sent },
            Self::Dropped => CallError::Dropped,
            Self::Expired => CallError::Expired,
            Self::Cancelled => CallError::Cancelled,
            Self::NotSent(why) => CallError::NotSent(why.clone()),
        };
        error.fmt(f)
    }
}

impl CallEnd {
    /// Returns `true` if it has run, and not been refused.
    pub fn is_committed(&self) -> bool {
        matches!(self, Self::Committed { .. })
    }

    /// The outcome that an answer is; none if the call is not over.
    pub(super) fn of(reply: &Reply) -> Option<Self> {
        Some(match reply {
            Reply::Committed { timestamp, .. } => Self::Committed { timestamp: *timestamp },
            // A copy, because the answer keeps the whole message.
            Reply::Rejected { error, .. } => Self::Rejected(Bytes::copy_from_slice(error)),
            Reply::Failed(why) => Self::Failed(why.clone()),
            Reply::Unknown => Self::Unknown,
            Reply::Abandoned { sent, reason } => {
                Self::Abandoned { sent: *sent, reason: reason.clone() }
            }
            Reply::TimedOut { sent } => Self::TimedOut { sent: *sent },
            Reply::Dropped => Self::Dropped,
            Reply::Expired => Self::Expired,
            Reply::Cancelled => Self::Cancelled,
            Reply::NotSent(why) => Self::NotSent(why.clone()),
            _ => return None,
        })
    }
}
