//! Output of the machine: actions for the driver, events for the application.

mod action;
mod queue;
mod reply;
mod sync;
mod words;

use std::fmt;

use bytes::Bytes;

use crate::bsatn;
use crate::cache::Transaction;
use crate::conn::apply::receiving::Receiving;
use crate::conn::calls::CallId;
use crate::conn::lifecycle::state::ConnectionState;
use crate::conn::subscriptions::SubscriptionId;
use crate::conn::subscriptions::verify::{Verification, VerificationId};
use crate::conn::telemetry::slow::SlowConsumer;
use crate::conn::telemetry::times::CallTimes;
use crate::guard::Panic;
use crate::journal::QueuedCall;
use crate::schema::Reducer;
use crate::types::{ConnectionId, Identity, Timestamp};
use crate::wire::Text;

pub use self::action::{Action, Dial};
pub(in crate::conn) use self::queue::EventQueue;
pub use self::reply::{Accepted, CannotSwitch, NotSent, Reply, SetEnd, StaleReason};
pub use self::sync::{Restored, Storage, SyncState};

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
    /// [loaded anew](crate::conn::Stats::reloads), it has none until the server answers.
    Stale {
        /// Query set.
        set: SubscriptionId,
        /// Reason.
        reason: StaleReason,
    },
    /// The connection has been lost for [`Reconnect::grace`](crate::conn::Reconnect::grace). Told once an outage.
    LostForLong,
    /// The client [is another user](crate::conn::Connection::switch_user): every query set is as if it had just been made.
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
    /// A call is on its way, or queued: told of those that [ask](crate::conn::CallOptions::tell_accepted).
    Accepted {
        /// Call.
        call: CallId,
        /// Place where it is.
        accepted: Accepted,
    },
    /// The connection is ready, and these calls were made without it: nothing is sent before
    /// [`replay`](crate::conn::Connection::replay) says what becomes of each. Told if
    /// [asked for](crate::conn::OfflineConfig::asks_before_replay).
    BeforeReplay(Vec<QueuedCall>),
    /// A call of an earlier run was found after [`open_journal`](crate::conn::Connection::open_journal) had returned: the server
    /// has said who we are, and this user was here before under another token. Told before anything else of the call.
    Restored(Box<Restored>),
    /// The connection is ready, and persisted calls wait for the server's schema: they go when
    /// [`handle_schema`](crate::conn::Connection::handle_schema) is told it. Told if
    /// [asked for](crate::conn::Connection::await_schema), once a connection.
    SchemaWanted,
    /// Changed state of the journal. Reported if there is a journal.
    Sync(SyncState),
    /// More of a message has arrived, or the rest of it. Told of messages that take a while, every 100 ms at most; what was
    /// not delivered yet is replaced by the next.
    Receiving(Receiving),
    /// The application does not keep up. Told once for each time that it falls behind.
    Slow(SlowConsumer),
    /// A [verification](crate::conn::Connection::verify) is done; without an outcome if there is no connection.
    Verified {
        /// Verification.
        id: VerificationId,
        /// Result.
        outcome: Option<Verification>,
    },
    /// The moment of an [alarm](crate::conn::Connection::set_alarm) has come.
    Alarm(AlarmId),
    /// Code of the application panicked where the client runs it. What follows from that is told by other events.
    Panicked(Panic),
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
    /// The client [is another user](crate::conn::Connection::switch_user): what was here was the user's before.
    UserChanged,
    /// Calls of this client's ended without a commit that is known of: what was expected of them is taken back.
    Reverted(Box<[CallId]>),
    /// Anything else: another client's call, a schedule, a procedure, SQL.
    Other,
}

impl Cause {
    /// Returns `true` if the server said something that made the change, rather than the application or the loss of a socket.
    pub(in crate::conn) fn is_servers(&self) -> bool {
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
