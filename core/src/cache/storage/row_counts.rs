//! Numbers of rows by version.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Number of a table's rows in each version that a reader may look at.
#[derive(Debug, Default)]
pub(in crate::cache) struct RowCounts(Mutex<VecDeque<(u64, usize)>>);

impl RowCounts {
    pub(in crate::cache) fn at(&self, version: u64) -> usize {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = counts.partition_point(|entry| entry.0 <= version);
        behind.checked_sub(1).and_then(|last| counts.get(last)).map_or(0, |&(_, count)| count)
    }

    /// Notes the number from `version` on, and forgets what no view of `horizon` or later asks for.
    pub(super) fn note(&self, version: u64, count: usize, horizon: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while counts.get(1).is_some_and(|entry| entry.0 <= horizon) {
            counts.pop_front();
        }
        counts.push_back((version, count));
    }

    /// Numbers of rows with the versions from which on they hold, oldest first.
    pub(super) fn entries(&self) -> Vec<(u64, usize)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}
