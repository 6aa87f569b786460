//! Progress of the journal towards the server, and calls of an earlier run.

use std::path::PathBuf;
use std::time::Instant;

use bytes::Bytes;

use crate::conn::calls::CallId;
use crate::named_ids::NamedId;
use crate::types::Uuid;
use crate::wire::Text;

/// Progress of the calls in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SyncState {
    /// Number of persisted calls that are not answered.
    pub pending: usize,
    /// Number of those that are held, because the reducer takes other arguments now, in the program or on the server.
    pub held: usize,
    /// Number of calls that failed and were neither made again nor discarded by the application: [`dead_letters`], and those
    /// that were forgotten since the program was started because there were more than
    /// [`max_dead_letters`](crate::conn::OfflineConfig::max_dead_letters), or they took more than
    /// [`max_dead_letter_bytes`](crate::conn::OfflineConfig::max_dead_letter_bytes).
    ///
    /// [`dead_letters`]: Self::dead_letters
    pub failed: usize,
    /// Number of calls that failed and are there to be looked at.
    pub dead_letters: usize,
    /// Time of the next attempt to connect, if one is waited for.
    pub next_retry: Option<Instant>,
    /// State of the store.
    pub storage: Storage,
    /// Path of the damaged store, if it was found damaged when it was opened: what could be read of it is in use.
    pub put_aside: Option<PathBuf>,
}

/// State of a store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Storage {
    /// There is none.
    #[default]
    None,
    /// It works.
    Good,
    /// It failed, with these words: nothing more is persisted until the program is started again. Calls that can be sent
    /// are.
    Degraded(Box<str>),
}

/// A call that an earlier run of the program made, made again: under a new number, in its old place.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Restored {
    /// Its number in this run.
    pub call: CallId,
    /// Its idempotency key, for good.
    pub id: Uuid,
    /// The reducer's name.
    pub reducer: Text,
    /// The BSATN of its arguments.
    pub args: Bytes,
    /// The name of the mutator that shows what it will come to.
    pub optimistic: Option<Text>,
    /// The places in the arguments with temporary ids of calls that are not answered.
    pub names: Vec<NamedId>,
}
