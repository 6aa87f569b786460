//! Queue of deleted rows that views may still see.

use std::collections::VecDeque;

use super::row_id::RowId;
use super::weigh::{Weight, pay};

/// Rows that were deleted, oldest first, and what they weigh.
#[derive(Debug, Default)]
pub(super) struct DeletedRows {
    batches: VecDeque<Batch>,
    weight: Weight,
}

/// Rows that were deleted with one version.
#[derive(Debug)]
struct Batch {
    version: u64,
    /// The first that was deleted is the last.
    ids: Vec<u32>,
}

impl DeletedRows {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Number and weight of the rows, those included that were taken and are not [removed](Self::remove) yet.
    pub(super) fn weight(&self) -> Weight {
        self.weight
    }

    /// Adds rows that no view of `version` or later sees.
    #[inline]
    pub(super) fn add(&mut self, version: u64, mut ids: Vec<u32>, weight: Weight) {
        self.weight.add_all(weight);
        // They are taken from the end, and an older version of a row goes before a newer one.
        ids.reverse();
        let batch = Batch { version, ids };
        // What was never seen can go first.
        if version == 0 {
            self.batches.push_front(batch);
        } else {
            self.batches.push_back(batch);
        }
    }

    /// Takes rows that no view of version `horizon` or later sees, as many as the budget pays for, oldest first.
    #[inline]
    pub(super) fn take(
        &mut self,
        horizon: u64,
        sizes_vary: bool,
        size: impl Fn(RowId) -> usize,
        budget: &mut usize,
    ) -> Option<Vec<u32>> {
        let batch = self.batches.front_mut().filter(|batch| batch.version <= horizon)?;
        let sizes = batch.ids.iter().rev().map(|&id| size(RowId(id)));
        let count = pay(sizes_vary, sizes, budget);
        let mut ids = batch.ids.split_off(batch.ids.len() - count);
        ids.reverse();
        if batch.ids.is_empty() {
            self.batches.pop_front();
        }
        Some(ids)
    }

    /// Stops counting a row that was taken.
    #[inline]
    pub(super) fn remove(&mut self, size: usize) {
        self.weight.remove(size);
    }

    /// The rows, by the version with which they were deleted.
    pub(super) fn batches(&self) -> impl Iterator<Item = (u64, &[u32])> {
        self.batches.iter().map(|batch| (batch.version, &batch.ids[..]))
    }
}
