//! Outcomes of calls, for whoever watches all of them.

use bytes::Bytes;
use lightlike_core::conn::{Lost, NotSent, Reply};
use lightlike_core::types::{Timestamp, Uuid};
use lightlike_core::wire::Text;

/// Outcome of one call of a reducer: see [`Client::call_outcomes`](crate::Client::call_outcomes).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CallOutcome {
    /// The call's name, the same after a restart. None where nothing is kept.
    pub id: Option<Uuid>,
    /// The reducer's name.
    pub reducer: Text,
    /// `true` if an earlier run of the program made the call.
    pub restored: bool,
    /// Outcome.
    pub end: CallEnd,
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
    /// [`max_call_losses`](crate::Limits::max_call_losses) allows: it may have run, or not.
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
        self.reducer.as_bytes().len() + end
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
