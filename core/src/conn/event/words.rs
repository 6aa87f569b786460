//! Texts of events, states and reasons: each says on one line what happened, what it happened to, and what the peer or the
//! system said of it.

use std::fmt::{Display, Formatter, Result};

use crate::bsatn::Refusal;
use crate::conn::apply::receiving::{PartialMessage, Receiving};
use crate::conn::event::{Accepted, Cause, Reply, SetEnd, Storage, SyncState};
use crate::conn::lifecycle::state::AnswerOrigin;
use crate::conn::subscriptions::verify::Verification;
use crate::conn::telemetry::slow::{SlowConsumer, SlowReason};

impl Display for Accepted {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Sent => "it is on its way to the server",
            Self::Queued => "it is kept in the offline store until it can be sent",
            Self::Waiting => "it waits in memory until it can be sent",
        })
    }
}

/// In words, such as ``the call of `add_note` ``.
impl Display for Cause {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Applied(set) => write!(f, "the first rows of query set {} came", set.0),
            Self::Resync => f.write_str("the connection came back"),
            Self::Unsubscribed(set) => write!(f, "the application ended query set {}", set.0),
            Self::Failed(set) => write!(f, "query set {} failed", set.0),
            Self::Call { reducer, .. } => write!(f, "the call of `{}`", reducer.as_str()),
            Self::Optimistic(call) => write!(f, "what is expected of call {}", call.0),
            Self::UserChanged => f.write_str("the client became another user"),
            Self::Reverted(calls) => {
                f.write_str("what was expected is taken back, for want of a commit, of call ")?;
                separated(f, calls.iter().map(|call| call.0))
            }
            Self::Other => f.write_str("another client, a schedule, a procedure or SQL"),
        }
    }
}

/// Numbers, with commas between them.
fn separated(f: &mut Formatter<'_>, numbers: impl Iterator<Item = u64>) -> Result {
    numbers.enumerate().try_for_each(|(at, number)| {
        let comma = if at == 0 { "" } else { ", " };
        write!(f, "{comma}{number}")
    })
}

/// In words, with the server's where it said some.
impl Display for SetEnd {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Unsubscribed => f.write_str("the application ended it"),
            Self::Refused(why) => write!(f, "the server refused it: {why}"),
            Self::NotSent(why) => write!(f, "it was not sent: {why}"),
            Self::Undecodable(failure) | Self::Panicked(failure) => failure.fmt(f),
            Self::Closed => f.write_str("the connection is closed"),
        }
    }
}

/// In words, with the module's where it refused with a text; values are not shown, because their types are not known here.
impl Display for Reply {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Committed { .. } => f.write_str("committed"),
            Self::Rejected { error, .. } => Refusal(error).fmt(f),
            Self::Failed(why) => write!(f, "the server could not run it: {why}"),
            Self::Returned { duration, .. } => write!(f, "returned after {duration}"),
            Self::Rows(rows) => write!(f, "rows of {} tables", rows.tables.len()),
            Self::QueryRefused(why) => write!(f, "the server refused the query: {why}"),
            Self::Unknown => {
                f.write_str("the connection was lost before the answer; it may have run, or not")
            }
            Self::Abandoned { sent, reason } => write!(
                f,
                "it was sent {sent} times, and each time the connection ended before the answer; it may have run, or not: {reason}"
            ),
            Self::Dropped => f.write_str(
                "it was not sent: it was dropped, for want of a connection or of room in the queue, or by `before_replay`",
            ),
            Self::Expired => f.write_str("it was not sent: it became too old before it could be"),
            Self::Cancelled => f.write_str("it was not sent: it was taken back"),
            Self::Kept => {
                f.write_str("it is kept in the offline store for the next run of the program")
            }
            Self::NotSent(why) => write!(f, "it was not sent: {why}"),
            Self::TimedOut { sent: true } => {
                f.write_str("no answer came in time; it was sent, so it may have run, or may yet")
            }
            Self::TimedOut { sent: false } => {
                f.write_str("no answer came in time; it was not sent")
            }
        }
    }
}

impl Display for AnswerOrigin {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Server => "SpacetimeDB",
            Self::Elsewhere => "not SpacetimeDB but something on the way to it",
            Self::Unknown => "the server",
        })
    }
}

impl Display for SlowReason {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Applying => "messages come faster than they are applied",
            Self::Callbacks => "callbacks take long",
            Self::Views => {
                "views are held for long, and dead rows have reached `max_dead_rows` or `max_dead_bytes`"
            }
        })
    }
}

impl Display for SlowConsumer {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { reason, behind, bytes_waiting } = self;
        write!(f, "the application is {behind:?} behind: {reason}; {bytes_waiting} bytes wait")
    }
}

impl Display for Storage {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::None => f.write_str("there is no offline store"),
            Self::Good => f.write_str("the offline store works"),
            Self::Degraded(why) => write!(
                f,
                "the offline store failed: {why}; nothing more is kept until the program is started again"
            ),
        }
    }
}

impl Display for SyncState {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { pending, held, failed, dead_letters, next_retry: _, storage, put_aside } = self;
        write!(
            f,
            "{pending} kept calls are not answered, {held} of them held; {failed} failed, {dead_letters} of them kept to be \
             looked at; {storage}"
        )?;
        match put_aside {
            Some(path) => write!(f, "; a damaged one was put aside at {}", path.display()),
            None => Ok(()),
        }
    }
}

impl Display for Verification {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { sets, rows, drifts } = self;
        write!(f, "{rows} rows of {sets} query sets compared: ")?;
        if drifts.is_empty() {
            return f.write_str("no difference");
        }
        drifts.iter().enumerate().try_for_each(|(at, (set, drift))| {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}query set {}: {drift}", set.0)
        })
    }
}

impl Display for Receiving {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.message {
            Some(message) => message.fmt(f),
            None => write!(f, "nothing is arriving; {} bytes have", self.bytes),
        }
    }
}

impl Display for PartialMessage {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.length {
            Some(length) => write!(f, "{} of {length} bytes of a message", self.received),
            None => write!(f, "{} bytes of a message", self.received),
        }
    }
}
