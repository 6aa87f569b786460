//! Versions that readers may have: the current one, and those before it that views hold.

use std::collections::VecDeque;
use std::sync::Arc;

use super::epoch::{CacheReader, Epoch, Shared, Tables, View};

/// Versions as their writer has them.
pub(in crate::cache) struct Versions {
    shared: Arc<Shared>,
    /// Number of the current version.
    current: u64,
    /// Epochs before the current one that views may hold, oldest first.
    past: VecDeque<Arc<Epoch>>,
}

impl Versions {
    pub(in crate::cache) fn new(version: u64, tables: Tables) -> Self {
        let shared = Arc::new(Shared::new(Epoch::new(version, Arc::new(tables))));
        Self { shared, current: version, past: VecDeque::new() }
    }

    /// A readers' end.
    pub(in crate::cache) fn reader(&self) -> CacheReader {
        CacheReader::new(&self.shared)
    }

    /// View of the current version.
    pub(in crate::cache) fn view(&self) -> View {
        View { epoch: self.shared.current() }
    }

    /// Number of the current version.
    pub(in crate::cache) fn current(&self) -> u64 {
        self.current
    }

    /// Number of the version that a change under way makes.
    pub(in crate::cache) fn next(&self) -> u64 {
        self.current + 1
    }

    /// The oldest version that views may have, as far as is known.
    pub(in crate::cache) fn horizon(&self) -> u64 {
        self.past.front().map_or(self.current, |epoch| epoch.version)
    }

    /// The oldest version that views have.
    pub(in crate::cache) fn oldest_held(&mut self) -> u64 {
        // An epoch of which this is the only handle: no reader can get another, since only the current one is handed out.
        self.past.retain_mut(|epoch| Arc::get_mut(epoch).is_none());
        self.horizon()
    }

    /// Makes `version` the current one.
    pub(in crate::cache) fn publish(&mut self, version: u64, tables: Arc<Tables>) -> Arc<Epoch> {
        let epoch = Arc::new(Epoch::new(version, tables));
        let old = core::mem::replace(&mut *self.shared.lock(), Arc::clone(&epoch));
        self.current = version;
        self.past.push_back(old);
        self.oldest_held();
        epoch
    }

    /// Shows the tables of the current version to views of older ones, too.
    pub(in crate::cache) fn add_late(&self, epoch: &Epoch) {
        for past in &self.past {
            past.add_late(&epoch.tables);
        }
    }

    /// Does something to the tables of the current version, if no view is held. Readers wait meanwhile.
    pub(in crate::cache) fn alone(&mut self, act: impl FnOnce(&mut Tables)) {
        self.oldest_held();
        if !self.past.is_empty() {
            return;
        }
        let mut current = self.shared.lock();
        let Some(epoch) = Arc::get_mut(&mut current) else { return };
        let Some(tables) = Arc::get_mut(&mut epoch.tables) else { return };
        act(tables);
    }
}
