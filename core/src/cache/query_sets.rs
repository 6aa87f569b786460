//! States of query sets that the cache has to know, beside which rows they hold.

use foldhash::HashSet;

use super::SetId;

/// Query sets by state.
#[derive(Debug, Default)]
pub(super) struct QuerySets {
    /// Sets whose parts are ignored until they are dropped: rows of theirs did not decode.
    failed: HashSet<SetId>,
    /// Sets that are as they were when the server was last heard: see
    /// [`Cache::mark_stale`](super::Cache::mark_stale).
    stale: HashSet<SetId>,
}

impl QuerySets {
    /// Notes that a set failed; whether that is news.
    pub(super) fn fail(&mut self, set: SetId) -> bool {
        self.failed.insert(set)
    }

    pub(super) fn has_failed(&self, set: SetId) -> bool {
        self.failed.contains(&set)
    }

    /// Lets a set go on that failed.
    pub(super) fn readmit(&mut self, set: SetId) {
        self.failed.remove(&set);
    }

    pub(super) fn mark_stale(&mut self, set: SetId) {
        self.stale.insert(set);
    }

    pub(super) fn is_stale(&self, set: SetId) -> bool {
        self.stale.contains(&set)
    }

    pub(super) fn stale(&self) -> &HashSet<SetId> {
        &self.stale
    }

    /// Forgets a set that was dropped.
    pub(super) fn forget(&mut self, set: SetId) {
        self.failed.remove(&set);
        self.stale.remove(&set);
    }

    /// The sets of which something is remembered.
    pub(super) fn iter(&self) -> impl Iterator<Item = SetId> {
        self.stale.iter().chain(&self.failed).copied()
    }
}
