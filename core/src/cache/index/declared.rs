//! Ordered indexes that the application declares, over columns that the module does not index.

use core::cmp::Ordering;
use std::sync::Arc;

use super::ordered::OrderedIndex;
use crate::cache::storage::chunks::Chunks;

/// Order of two rows.
pub(in crate::cache) type Compare<R> = dyn Fn(&R, &R) -> Ordering + Send + Sync;

/// Ordered index of one column, with its order.
pub(in crate::cache) struct DeclaredIndex<R> {
    column: u16,
    index: OrderedIndex<R>,
    compare: Arc<Compare<R>>,
}

impl<R> DeclaredIndex<R> {
    /// An empty index, over the list of rows that it gets next.
    pub(super) fn new(column: u16, compare: Arc<Compare<R>>, chunks: &Arc<Chunks<R>>) -> Self {
        Self { column, index: OrderedIndex::new(&[], Arc::clone(chunks)), compare }
    }

    pub(super) fn column(&self) -> u16 {
        self.column
    }

    pub(in crate::cache) fn ordered(&self) -> &OrderedIndex<R> {
        &self.index
    }

    /// The same index, over a list that has no rows yet.
    pub(super) fn afresh(&self, chunks: &Arc<Chunks<R>>) -> Self {
        Self::new(self.column, Arc::clone(&self.compare), chunks)
    }

    /// The order of two rows.
    pub(in crate::cache) fn compare(&self, a: &R, b: &R) -> Ordering {
        (self.compare)(a, b)
    }

    /// Adds rows that `chunks` has.
    pub(super) fn insert(&self, ids: &[u32], chunks: &Arc<Chunks<R>>) {
        self.index.set_chunks(chunks);
        self.index.insert(ids, &*self.compare);
    }

    pub(super) fn remove(&self, ids: &[u32]) {
        ids.iter().for_each(|&id| self.index.remove(id, &*self.compare));
    }
}
