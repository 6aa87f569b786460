//! Settings of the journal.

use std::time::{Duration, Instant};

use crate::journal::Delivery;
use crate::named_ids::NamedId;
use crate::types::Uuid;
use crate::wire::Text;

use crate::conn::calls::WhileDisconnected;

/// Settings of the journal. Every number has its default and its reason here.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OfflineConfig {
    /// Maximal number of unanswered calls that are persisted. 10,000: a busy day without a network, and a second to send.
    pub max_queued: usize,
    /// Policy when there are so many.
    pub overflow: Overflow,
    /// Age that a call may reach unsent; then it ends as [`Expired`](crate::conn::Reply::Expired). None by
    /// default. A call may have a shorter time of its own. Zero: a call that cannot be sent at once ends.
    pub max_age: Option<Duration>,
    /// Maximal number of dead letters; older ones are forgotten. 100: more than a person
    /// looks at.
    pub max_dead_letters: usize,
    /// Bytes of dead letters: 512 for each, with its name, its arguments and its error. Older ones are
    /// forgotten above it, but for the newest. 64 MiB.
    pub max_dead_letter_bytes: usize,
    /// Number of calls that are noted as sent in one write, before they are. 64: a write takes a disk about as long as
    /// a server takes for these.
    pub sent_window: usize,
    /// Keeps the rows of query sets too, to be there at the next start before any network. Yes by default.
    pub keeps_rows: bool,
    /// Time for which rows of an earlier run stay that nobody has subscribed to again, counted over all runs from the first that
    /// was ready without them. 30 s.
    /// Zero: they go when the connection is ready. One that never ends: they stay, and the store grows with every new set.
    pub unclaimed_after: Duration,
    /// Asks the application before calls are sent that were made without a connection. No by default.
    pub asks_before_replay: bool,
}

/// Policy when as many calls are persisted as may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Overflow {
    /// The new call ends as [`NotSent`](crate::conn::Reply::NotSent).
    #[default]
    RejectNew,
    /// The oldest call that was not sent ends as [`Dropped`](crate::conn::Reply::Dropped).
    DropOldest,
}

impl Default for OfflineConfig {
    fn default() -> Self {
        Self {
            max_queued: 10_000,
            overflow: Overflow::RejectNew,
            max_age: None,
            max_dead_letters: 100,
            max_dead_letter_bytes: 64 << 20,
            sent_window: 64,
            keeps_rows: true,
            unclaimed_after: Duration::from_secs(30),
            asks_before_replay: false,
        }
    }
}

/// Options of one call.
#[derive(Debug, Clone, Default)]
pub struct CallOptions {
    /// Moment at which it ends as [`TimedOut`](crate::conn::Reply::TimedOut), if it is not answered by then. A moment that is over
    /// counts as now.
    pub deadline: Option<Instant>,
    /// Delivery if its answer is lost.
    pub delivery: Delivery,
    /// Policy without a connection, if not that of the [configuration](crate::conn::Config).
    pub while_disconnected: Option<WhileDisconnected>,
    /// Age that it may reach unsent. Zero: it ends as expired unless it can be sent at once.
    pub ttl: Option<Duration>,
    /// Its idempotency key, if it is to have a certain one.
    pub id: Option<Uuid>,
    /// The [fingerprint](crate::schema::fingerprint::arguments) of its arguments.
    pub fingerprint: u64,
    /// The name of the mutator that shows what it will come to.
    pub optimistic: Option<Text>,
    /// Places in its arguments with temporary ids of calls that are not answered: see
    /// [`name_ids`](crate::conn::Connection::name_ids).
    pub names: Vec<NamedId>,
    /// Reports with [`Event::Accepted`](crate::conn::Event::Accepted) where the call is.
    pub tell_accepted: bool,
}

/// Decision on a call that was made without a connection, asked [before the replay](crate::conn::Event::BeforeReplay).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replay {
    /// It is sent.
    Send,
    /// It ends as [`Dropped`](crate::conn::Reply::Dropped).
    Drop,
}
