//! What a journal is kept by.

use std::time::{Duration, Instant};

use crate::journal::Delivery;
use crate::types::Uuid;
use crate::wire::Text;

use crate::conn::WhileDisconnected;

/// How calls and rows are kept. Every number has its default and its reason here.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OfflineConfig {
    /// How many calls may be kept that are not answered. 10,000: a busy day without a network, and a second to send.
    pub max_queued: usize,
    /// What happens when there are so many.
    pub overflow: Overflow,
    /// How old a call may become before it was sent; then it ends as [`Expired`](crate::conn::Reply::Expired). None by
    /// default. A call may have a shorter time of its own. Zero: a call that cannot be sent at once ends.
    pub max_age: Option<Duration>,
    /// How many calls that failed are kept to be looked at; older ones are forgotten. 100: more than a person looks at.
    pub max_dead_letters: usize,
    /// How many calls are noted as sent in one write, before they are. 64: a write takes a disk about as long as a
    /// server takes for these.
    pub sent_window: usize,
    /// Whether the rows of query sets are kept too, to be there at the next start before any network. Yes.
    pub keeps_rows: bool,
    /// How long rows of the last run stay that nobody subscribed to again, once the connection is ready. 30 s.
    /// Zero: they go when it is. One that never ends: they stay.
    pub unclaimed_after: Duration,
    /// Whether the application is asked before calls are sent that were made without a connection. No.
    pub asks_before_replay: bool,
}

/// What happens when as many calls are kept as may be.
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
            sent_window: 64,
            keeps_rows: true,
            unclaimed_after: Duration::from_secs(30),
            asks_before_replay: false,
        }
    }
}

/// How one call is made.
#[derive(Debug, Clone, Default)]
pub struct CallOptions {
    /// When it ends as [`TimedOut`](crate::conn::Reply::TimedOut), if it is not answered by then. A moment that is over
    /// counts as now.
    pub deadline: Option<Instant>,
    /// What becomes of it if its answer is lost.
    pub delivery: Delivery,
    /// What becomes of it if there is no connection, if not what the [configuration](crate::conn::Config) says.
    pub while_disconnected: Option<WhileDisconnected>,
    /// How old it may become before it is sent. Zero: it ends as expired unless it can be sent at once.
    pub ttl: Option<Duration>,
    /// Its name, if it is to have a certain one.
    pub id: Option<Uuid>,
    /// The [fingerprint](crate::schema::fingerprint::arguments) of its arguments.
    pub fingerprint: u64,
    /// The name of the mutator that shows what it will come to.
    pub optimistic: Option<Text>,
    /// Whether [`Event::Accepted`](crate::conn::Event::Accepted) is to say where it is.
    pub tell_accepted: bool,
}

/// What becomes of a call that was made without a connection: the application's word, asked
/// [before the replay](crate::conn::Event::BeforeReplay).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replay {
    /// It is sent.
    Send,
    /// It ends as [`Dropped`](crate::conn::Reply::Dropped).
    Drop,
}
