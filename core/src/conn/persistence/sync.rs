//! Progress of the journal towards the server.

use std::path::PathBuf;
use std::time::Instant;

use crate::conn::{Connection, State};

/// Progress of the calls that are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SyncState {
    /// Number of kept calls that are not answered.
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
    /// Number of calls that failed and are kept to be looked at.
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
    /// It failed, with these words: nothing more is kept until the program is started again. Calls that can be sent
    /// are.
    Degraded(Box<str>),
}

impl Connection {
    /// Progress of the journal.
    pub fn sync_state(&self) -> SyncState {
        let Some(offline) = &self.offline else { return SyncState::default() };
        let storage = match &offline.degraded {
            Some(why) => Storage::Degraded(why.clone()),
            None => Storage::Good,
        };
        SyncState {
            pending: offline.queue.len(),
            held: offline.held,
            failed: offline.dead.len() + offline.forgotten,
            dead_letters: offline.dead.len(),
            next_retry: match self.state {
                State::Waiting { until } => until,
                _ => None,
            },
            storage,
            put_aside: offline.put_aside.clone(),
        }
    }

    /// The state, if the application was told another one.
    pub(in crate::conn) fn changed_sync(&self) -> Option<SyncState> {
        let told = &self.offline.as_ref()?.told;
        let now = self.sync_state();
        (*told != now).then_some(now)
    }
}
