//! Input and output of the machine: ids of commands, actions for the driver, events for the application.

use std::fmt;

use bytes::Bytes;

use super::apply::receiving::Receiving;
use super::lifecycle::state::{ConnectionState, Lost};
use super::persistence::{Restored, SyncState};
use super::telemetry::slow::SlowConsumer;
use super::telemetry::times::CallTimes;
use super::{Verification, VerificationId};
use crate::bsatn;
use crate::cache::{AnyId, SetFailure, Transaction};
use crate::calls::CallId;
use crate::guard::Panic;
use crate::journal::QueuedCall;
use crate::schema::Reducer;
use crate::subs::SubscriptionId;
use crate::types::{ConnectionId, Identity, TimeDuration, Timestamp};
use crate::wire::Text;

/// Something for the driver to do.
#[derive(Debug)]
#[must_use]
pub enum Action {
    /// Open a socket, then say [`handle_opened`](super::Connection::handle_opened) or
    /// [`handle_lost`](super::Connection::handle_lost).
    Dial(Dial),
    /// Send one binary message.
    Send(Bytes),
    /// Send a ping.
    Ping,
    /// Send a close frame with code 1000 and hang up when the server answers it; say `handle_lost` then.
    Close,
    /// Let go of the socket at once. Nothing more of it may be handed in.
    Abandon,
}

/// Parameters of an attempt to open a socket.
#[derive(Clone)]
pub struct Dial {
    /// The token to present; without one, the server makes a new identity.
    pub token: Option<Box<str>>,
    /// Names the client over its reconnects, so that the server can tell its old socket from a second client.
    pub session_id: u128,
    /// Number of this attempt since the connection was last stable, or since the beginning: the first is 1.
    pub attempt: u32,
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token is a secret.
        f.debug_struct("Dial").finish_non_exhaustive()
    }
}

/// Something that happened, in the order in which the application is to hear of it.
#[derive(Debug)]
pub enum Event {
    /// The connection's state is another.
    State(ConnectionState),
    /// The server has greeted.
    Connected(Greeting),
    /// One message was applied; its changes are visible.
    Transaction(TransactionEvent),
    /// The initial rows of a query set are in the cache.
    Applied(SubscriptionId),
    /// A call that waits has other arguments now: with the server's ids in the places of temporary ones.
    ArgumentsChanged {
        /// The call.
        call: CallId,
        /// The BSATN of its arguments.
        args: Bytes,
    },
    /// A query set could not be resynced. It keeps the rows that it had when the connection was lost; where everything is
    /// [loaded anew](super::Stats::reloads), it has none until the server answers.
    Stale {
        /// Query set.
        set: SubscriptionId,
        /// Reason.
        reason: StaleReason,
    },
    /// The connection has been lost for [`Reconnect::grace`](super::Reconnect::grace). Told once an outage.
    LostForLong,
    /// The client [is another user](super::Connection::switch_user): every query set is as if it had just been made.
    UserChanged,
    /// A query set is over. Its rows are gone, unless the connection is [closed](SetEnd::Closed): then all rows stay
    /// readable as they are.
    Ended {
        /// Query set.
        set: SubscriptionId,
        /// Reason.
        reason: SetEnd,
    },
    /// A call or a query is answered. Each is, exactly once.
    Answered {
        /// Call.
        call: CallId,
        /// The answer.
        reply: Reply,
        /// Times of its phases.
        times: CallTimes,
    },
    /// A call is on its way, or kept: told of those that [ask](super::CallOptions::tell_accepted).
    Accepted {
        /// Call.
        call: CallId,
        /// Place where it is.
        accepted: Accepted,
    },
    /// The connection is ready, and these calls were made without it: nothing is sent before
    /// [`replay`](super::Connection::replay) says what becomes of each. Told if
    /// [asked for](super::OfflineConfig::asks_before_replay).
    BeforeReplay(Vec<QueuedCall>),
    /// A call of an earlier run was found after [`open_journal`](super::Connection::open_journal) had returned: the server
    /// has said who we are, and this user was here before under another token. Told before anything else of the call.
    Restored(Box<Restored>),
    /// The connection is ready, and kept calls wait for the server's schema: they go when
    /// [`handle_schema`](super::Connection::handle_schema) is told it. Told if
    /// [asked for](super::Connection::await_schema), once a connection.
    SchemaWanted,
    /// Changed state of the journal. Reported if there is a journal.
    Sync(SyncState),
    /// More of a message has arrived, or the rest of it. Told of messages that take a while, every 100 ms at most; what was
    /// not delivered yet is replaced by the next.
    Receiving(Receiving),
    /// The application does not keep up. Told once for each time that it falls behind.
    Slow(SlowConsumer),
    /// A [verification](super::Connection::verify) is done; without an outcome if there is no connection.
    Verified {
        /// Verification.
        id: VerificationId,
        /// Result.
        outcome: Option<Verification>,
    },
    /// The moment of an [alarm](super::Connection::set_alarm) has come.
    Alarm(AlarmId),
    /// Code of the application panicked where the client runs it. What follows from that is told by other events.
    Panicked(Panic),
}

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

/// One alarm: as long as the machine lives, no two have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AlarmId(pub u64);

/// First message of the server on a connection.
#[derive(Clone)]
pub struct Greeting {
    /// Identity that the server gives us.
    pub identity: Identity,
    /// This connection.
    pub connection_id: ConnectionId,
    /// The token to present next time.
    pub token: Box<str>,
}

impl fmt::Debug for Greeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Greeting")
            .field("identity", &self.identity)
            .field("connection_id", &self.connection_id)
            .finish_non_exhaustive()
    }
}

/// A transaction and where it came from.
#[derive(Debug)]
pub struct TransactionEvent {
    /// Changes.
    pub transaction: Transaction,
    /// Cause.
    pub cause: Cause,
}

/// Cause of row changes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// A query set's initial rows came.
    Applied(SubscriptionId),
    /// The connection came back: the difference between what was here and what is true.
    Resync,
    /// The application ended a query set.
    Unsubscribed(SubscriptionId),
    /// The server could not keep a query set up.
    Failed(SubscriptionId),
    /// A call of a reducer by this client was committed.
    Call {
        /// Call.
        call: CallId,
        /// The reducer's name.
        reducer: Text,
        /// Time at which the server ran it.
        timestamp: Timestamp,
        /// The BSATN of its arguments, one after the other.
        args: Bytes,
    },
    /// A call of this client's is expected to do this: it was made with a mutation, and is not answered.
    Optimistic(CallId),
    /// The client [is another user](super::Connection::switch_user): what was here was the user's before.
    UserChanged,
    /// Calls of this client's ended without a commit that is known of: what was expected of them is taken back.
    Reverted(Box<[CallId]>),
    /// Anything else: another client's call, a schedule, a procedure, SQL.
    Other,
}

impl Cause {
    /// Returns `true` if the server said something that made the change, rather than the application or the loss of a socket.
    pub(super) fn is_servers(&self) -> bool {
        match self {
            Self::Applied(_) | Self::Resync | Self::Call { .. } | Self::Other => true,
            Self::Unsubscribed(_)
            | Self::Failed(_)
            | Self::Optimistic(_)
            | Self::Reverted(_)
            | Self::UserChanged => false,
        }
    }

    /// The arguments of the call of the reducer `R` that made the change; `None` if it was another reducer's, or no call
    /// of this client's.
    pub fn call<R: Reducer>(&self) -> Option<R> {
        match self {
            Self::Call { reducer, args, .. } if reducer.as_str() == R::DEF.name => {
                bsatn::from_slice(args).ok()
            }
            _ => None,
        }
    }
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
    /// As many calls are kept as may be.
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
