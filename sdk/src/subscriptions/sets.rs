//! Stages of the query sets that are not over, and the first batches of their tables.

use std::collections::HashMap;
use std::sync::Mutex;
use std::task::Waker;

use lightlike_core::conn::SubscriptionId;
use lightlike_core::guard;

use super::Stage;
use super::first_batch::{Batch, FirstBatches};
use crate::events::watches::{Source, Watch};
use crate::sync::lock;

/// Query sets that are not over.
#[derive(Default)]
pub(crate) struct Sets {
    stages: Mutex<HashMap<SubscriptionId, Source<Stage>>>,
    batches: FirstBatches,
}

impl Sets {
    /// Adds a set that is on its way to the server.
    pub(crate) fn add(&self, set: SubscriptionId, queries: &[Box<str>]) -> Watch<Stage> {
        let source = Source::new(Stage::Pending);
        let stage = source.subscribe();
        self.batches.asked(set, queries);
        lock(&self.stages).insert(set, source);
        stage
    }

    /// Number of sets that are not over.
    pub(crate) fn len(&self) -> usize {
        lock(&self.stages).len()
    }

    /// Returns `true` if a set is not over.
    #[cfg(feature = "http")]
    pub(crate) fn contains(&self, set: SubscriptionId) -> bool {
        lock(&self.stages).contains_key(&set)
    }

    /// Resets all sets, whose queries `queries` returns, to wait for their first rows again.
    #[must_use = "the caller wakes the waiters, once nothing is locked"]
    pub(crate) fn restart_all<'q>(
        &self,
        queries: impl Fn(SubscriptionId) -> &'q [Box<str>],
    ) -> Vec<Waker> {
        let sets: Vec<_> = lock(&self.stages).keys().copied().collect();
        self.batches.restart(sets.into_iter().map(|set| (set, queries(set))));
        self.reset_stages()
    }

    /// Sets the stage of every set to pending.
    #[must_use = "the caller wakes the waiters, once nothing is locked"]
    pub(crate) fn reset_stages(&self) -> Vec<Waker> {
        let stages = lock(&self.stages);
        stages.values().flat_map(|stage| stage.set_quietly(Stage::Pending)).collect()
    }

    /// Notes that the rows of a set are in the cache, and wakes the waiters for them.
    pub(crate) fn applied(&self, set: SubscriptionId) {
        self.batches.applied(set);
        self.set_stage(set, Stage::Applied);
    }

    pub(crate) fn set_stage(&self, set: SubscriptionId, stage: Stage) {
        let wakers = lock(&self.stages).get(&set).map(|source| source.set_quietly(stage));
        // Nothing is locked any more: wakers may do anything.
        wakers.into_iter().flatten().for_each(guard::wake);
    }

    /// Removes a set that is over. Its stage is the caller's to set.
    pub(crate) fn remove(&self, set: SubscriptionId) -> Option<Source<Stage>> {
        self.batches.ended(set);
        lock(&self.stages).remove(&set)
    }

    /// Ends the waiting for first batches: the connection is closed.
    pub(crate) fn close(&self) {
        self.batches.close();
    }

    pub(super) fn first_batch(&self, table: &str) -> Watch<Batch> {
        self.batches.wait(table)
    }
}
