//! Observation of a client: counters, a notice when the application is too slow, and events for `tracing`.

pub(crate) mod panics;
pub(crate) mod spans;

use lightlike_core::bsatn::EncodeError;
use lightlike_core::conn::{self, CallTimes, ConnectionState, Reply, SetEnd, SlowConsumer, Stats};
use lightlike_core::guard::{self, TRACING};

use crate::calls::outcome::Latency;
use crate::client::Client;
use crate::events::callbacks::CallbackId;
use crate::events::changes::Changes;
use crate::events::listeners::kind_of;
use crate::observe::panics::log;
use crate::observe::spans::Origin;

impl Client {
    /// Counters of this client, done and pending: traffic, rows, calls and their round trips, sockets, queues. It takes
    /// about a microsecond.
    ///
    /// ```no_run
    /// # fn example(db: &lightlike::Client) {
    /// let stats = db.stats();
    /// println!(
    ///     "{} bytes in, {} out; {} calls, 99 % within {:?}; {} reconnects",
    ///     stats.bytes_received,
    ///     stats.bytes_sent,
    ///     stats.calls_answered,
    ///     stats.round_trips.percentile(99.0),
    ///     stats.reconnects(),
    /// );
    /// # }
    /// ```
    pub fn stats(&self) -> Stats {
        self.hub().shared.read(conn::Connection::stats)
    }

    /// Runs `callback` when the application does not keep up with the server: messages wait, callbacks take long, or held
    /// views stop applying, for [`slow_after`](crate::ClientBuilder::slow_after) or more. Once for each time that it falls
    /// behind; the log is told in any case.
    pub fn on_slow_consumer(
        &self,
        callback: impl FnMut(&Self, &SlowConsumer) + Send + 'static,
    ) -> CallbackId {
        self.hub().observers.on_slow(Box::new(callback))
    }
}

/// The connection's state is another.
pub(crate) fn state(origin: &Origin, stored: Option<&str>, state: &ConnectionState) {
    guard::quietly(TRACING, || log_state(origin, stored, state));
}

fn log_state(origin: &Origin, stored: Option<&str>, state: &ConnectionState) {
    let database = origin.database();
    match state {
        ConnectionState::Reconnecting { attempt, reason, .. } => tracing::info!(
            name: "lightlike.state",
            database,
            state = "Reconnecting",
            attempt,
            %reason,
            "the connection is lost"
        ),
        ConnectionState::NeedsAuth(reason) => tracing::warn!(
            name: "lightlike.state",
            database,
            state = "NeedsAuth",
            %reason,
            stored,
            "the token is not accepted"
        ),
        ConnectionState::Closed(reason) => tracing::info!(
            name: "lightlike.state",
            database,
            state = "Closed",
            %reason,
            "the connection is closed"
        ),
        state => {
            tracing::info!(name: "lightlike.state", database, ?state, "the connection's state is another");
        }
    }
}

/// A transaction is about to be told.
pub(crate) fn transaction(changes: &Changes) {
    guard::quietly(TRACING, || log_transaction(changes));
}

fn log_transaction(changes: &Changes) {
    if tracing::enabled!(tracing::Level::DEBUG) {
        let rows: usize = changes.diffs().iter().map(lightlike_core::cache::TableDiff::len).sum();
        let tables = changes.diffs().len();
        let cause = cause(changes.cause());
        tracing::debug!(name: "lightlike.transaction", cause, tables, rows, "rows changed");
    }
}

/// Name of a cause, without what it carries: arguments may be secret.
pub(crate) fn cause(cause: &conn::Cause) -> &'static str {
    use conn::Cause;
    match cause {
        Cause::Applied(_) => "applied",
        Cause::Resync => "resync",
        Cause::Unsubscribed(_) => "unsubscribed",
        Cause::Failed(_) => "failed",
        Cause::Call { .. } => "call",
        Cause::Optimistic(_) => "optimistic",
        Cause::Reverted(_) => "reverted",
        Cause::UserChanged => "user changed",
        Cause::Other => "other",
        _ => "unknown",
    }
}

/// A query set is over.
pub(crate) fn set_ended(set: conn::SubscriptionId, reason: &SetEnd) {
    guard::quietly(TRACING, || log_set_ended(set, reason));
}

fn log_set_ended(set: conn::SubscriptionId, reason: &SetEnd) {
    let set = set.0;
    match reason {
        SetEnd::Unsubscribed | SetEnd::Closed => {
            tracing::debug!(name: "lightlike.set.ended", set, %reason, "a query set is over");
        }
        reason => {
            tracing::warn!(name: "lightlike.set.ended", set, %reason, "a query set has failed");
        }
    }
}

/// A call or a query is answered, or will not be.
pub(crate) fn answered(function: Option<&str>, reply: &Reply, times: CallTimes) {
    guard::quietly(TRACING, || log_answered(function, reply, times));
}

fn log_answered(function: Option<&str>, reply: &Reply, times: CallTimes) {
    if tracing::enabled!(tracing::Level::DEBUG) {
        let Latency { queued, round_trip, applying, .. } = Latency::new(reply, times);
        let outcome = kind_of(reply);
        tracing::debug!(
            name: "lightlike.call",
            function,
            outcome,
            ?queued,
            ?round_trip,
            ?applying,
            "a call is answered"
        );
    }
}

/// A call whose arguments have no encoding was not made, and nobody waits for it.
pub(crate) fn unencodable(function: &str, error: &EncodeError) {
    let message = error.to_string();
    log!(warn, name: "lightlike.call.unhandled", function, message, "a call was not made");
}
