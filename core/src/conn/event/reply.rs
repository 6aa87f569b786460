//! Answers: what became of a call, a query or a query set.

use bytes::Bytes;

use crate::cache::{AnyId, SetFailure};
use crate::conn::lifecycle::state::Lost;
use crate::guard::Panic;
use crate::types::{TimeDuration, Timestamp};

/// Place of a call that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Accepted {
    /// It is on its way to the server. One that is to be sent again if its answer is lost is on disk too, if there is a
    /// journal.
    Sent,
    /// It is on disk, and is sent when that is possible, by this run of the program or by the next one.
    Queued,
    /// It waits in memory, and is lost if the program ends before it is sent.
    Waiting,
}

/// Reason for which a query set could not be resynced.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StaleReason {
    /// The server refused it with this text.
    #[error("the server refused to resync it: {0}")]
    Refused(Box<str>),
    /// The server did not answer in time.
    #[error("the server did not resync it within `resync_timeout`")]
    NotAnswered,
    /// More came of other sets, before this one was answered, than is kept. It is in step again when it is answered.
    #[error("the server sent more than `max_resync_bytes` ({limit}) before it resynced this one")]
    NotGathered {
        /// The limit.
        limit: usize,
    },
}

/// Reason for which a query set is over.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SetEnd {
    /// The application ended it.
    Unsubscribed,
    /// The server refused it, or ended it later, with this text.
    Refused(Box<str>),
    /// It was not sent to the server.
    NotSent(NotSent),
    /// Rows did not decode as their Rust type.
    Undecodable(SetFailure),
    /// Code of a row type panicked: decoding, comparing, hashing or dropping a row.
    Panicked(SetFailure),
    /// The connection is closed.
    Closed,
}

/// The answer to a call or a query.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Reply {
    /// The reducer has committed; its changes are in the cache.
    Committed {
        /// The BSATN of what it returned; empty for most.
        returned: Bytes,
        /// Time at which the server ran it.
        timestamp: Timestamp,
    },
    /// The reducer refused: the BSATN of its error.
    Rejected {
        /// The encoded error.
        error: Bytes,
        /// Time at which the server ran it.
        timestamp: Timestamp,
    },
    /// The reducer or the procedure panicked, does not exist, or could not be run: the server's text.
    Failed(Box<str>),
    /// The procedure has returned.
    Returned {
        /// The BSATN of what it returned.
        value: Bytes,
        /// Time at which the server started it.
        timestamp: Timestamp,
        /// Duration of its run.
        duration: TimeDuration,
    },
    /// The query's rows, a list a table.
    Rows(crate::wire::QueryRows),
    /// The server refused the query with this text.
    QueryRefused(Box<str>),
    /// It was sent, and the socket was lost before the answer: it may have run, or not.
    Unknown,
    /// It was sent again and again, and each time the connection ended before the answer, as often as
    /// [`max_call_losses`](crate::limits::Limits::max_call_losses) allows: it may have run, or not, and is not sent any
    /// more.
    Abandoned {
        /// Number of times that it was sent.
        sent: u32,
        /// End of the last connection.
        reason: Lost,
    },
    /// It was not sent: it was to be dropped if there is no connection, or a full queue or a veto dropped it.
    Dropped,
    /// It was not sent: it became older than it was allowed to.
    Expired,
    /// It was not sent: the application took it back.
    Cancelled,
    /// It is not answered, and the connection is closed: the journal has it, and the next run of the program goes on
    /// with it.
    Kept,
    /// It was not sent: the connection is closed or could not be made.
    NotSent(NotSent),
    /// No answer came in the time given.
    TimedOut {
        /// `true` if it was sent. Then it may have run, or may yet: its changes will still be applied.
        sent: bool,
    },
}

/// Reason for which something was not sent.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum NotSent {
    /// The application closed the connection, or never opened it.
    #[error("the connection is closed")]
    Closed,
    /// The connection was lost or could not be made.
    #[error("there is no connection: {0}")]
    Lost(Lost),
    /// The client became another user first.
    #[error("the client became another user before it was sent")]
    UserChanged,
    /// Code of the application panicked where the client could not go on without it.
    #[error("the connection is closed, because {0}")]
    Panicked(Panic),
    /// Too many calls wait for their answer.
    #[error("{waiting} calls wait for their answers, as many as `max_calls` ({limit}) allows")]
    TooMany {
        /// Number of those that wait.
        waiting: usize,
        /// Number that is allowed.
        limit: usize,
    },
    /// Calls that wait for their answers take too much memory.
    #[error(
        "calls that wait for their answers take {waiting} bytes, of which `max_call_bytes` allows {limit}: make this one \
         when some of them are answered"
    )]
    TooManyBytes {
        /// Bytes that they take.
        waiting: usize,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// Query sets that are not over take too much memory.
    #[error(
        "the query sets that are not over take {bytes} bytes, of which `max_query_set_bytes` allows {limit}: end some of \
         them, and wait until the server has"
    )]
    TooManySets {
        /// Bytes that they take.
        bytes: usize,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// It names a temporary id in whose place the server's did not become known: the call that the id is of failed, or
    /// which row that one inserted could not be told. See [`LocalTx::temp_id`](crate::cache::LocalTx::temp_id).
    #[error(
        "it names the temporary id {id}, and the server's id in its place is not known: the call that it is of failed, \
         or which row that one inserted could not be told"
    )]
    TempId {
        /// The temporary id.
        id: AnyId,
    },
    /// As many calls are persisted as may be.
    #[error("{limit} calls are kept for the server, as many as `max_queued` allows")]
    QueueFull {
        /// Number that is allowed.
        limit: usize,
    },
    /// It is larger than the server takes.
    #[error("it takes {bytes} bytes, more than `max_outgoing_bytes` ({limit})")]
    TooLarge {
        /// Number of bytes that they take.
        bytes: usize,
        /// Number that is allowed.
        limit: usize,
    },
}

/// Reason for which a client cannot become another user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CannotSwitch {
    /// It is closed, or about to be.
    #[error("the connection is closed: make another client")]
    Closed,
    /// It has an offline store, which is one user's.
    #[error(
        "the client has an offline store, which is one user's: close the client, and make another with a store of the other user's"
    )]
    Offline,
}
