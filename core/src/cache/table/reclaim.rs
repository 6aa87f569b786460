//! Reclaiming what a table's rows take, across storage, indexes and membership: see
//! [`vacuum`](crate::cache::storage).

use core::any::Any;
use std::sync::Arc;

use super::store::TableStore;
use crate::bsatn::{self, Writer};
use crate::cache::index::identity::{ByBytes, ByKey, Identity};
use crate::cache::read::snapshot::{AnySnapshot, Snapshot};
use crate::cache::storage::RowStorage;
use crate::cache::storage::slots::{Chunks, RowId};
use crate::cache::storage::stamp::Stamp;
use crate::schema::Row;

impl<R: Row> TableStore<R> {
    /// Retires rows that no view of version `horizon` or later sees: their index entries go.
    pub(in crate::cache) fn retire(&mut self, horizon: u64, budget: &mut usize) {
        let ids = self.storage.retire(horizon, budget);
        let is_keyed = self.is_keyed();
        let Self { storage, indexes, .. } = self;
        // Retired rows stay in their slots, and their links, until they are vacuumed.
        indexes.remove_further(&ids, storage.chunks());
        if is_keyed {
            indexes.remove::<ByKey>(&ids, storage.chunks());
        } else {
            indexes.remove::<ByBytes>(&ids, storage.chunks());
        }
    }

    /// Removes chunks in which no view may see a row.
    pub(in crate::cache) fn remove_empty_chunks(&mut self, budget: &mut usize) {
        for chunk in self.storage.remove_empty_chunks(budget) {
            self.membership.remove_chunk(chunk);
        }
    }

    /// Returns `true` if there is nothing to reclaim, nor will be before the table changes.
    pub(in crate::cache) fn is_clean(&self) -> bool {
        self.storage.is_clean() && !self.is_unpublished()
    }

    /// Returns `true` if there may be rows to compact. Further indexes know every version by its slot.
    pub(in crate::cache) fn wants_compaction(&self) -> bool {
        let is_compactable = self.is_keyed() && !self.indexes.has_further();
        !self.is_unpublished() && self.storage.has_deleted() && is_compactable
    }

    /// Compacts rows that were replaced, if nobody but this table has `published`, its shared part. No change may be under
    /// way.
    pub(in crate::cache) fn compact(
        &mut self,
        published: &mut Arc<dyn AnySnapshot>,
        budget: &mut usize,
    ) {
        let moved = self.alone(published, |storage, chunks| storage.compact(chunks, budget));
        for row in moved.into_iter().flatten() {
            self.membership.relocate(row.new, row.old);
        }
    }

    pub(in crate::cache) fn wants_vacuum(&self) -> bool {
        !self.is_unpublished() && self.storage.has_retired()
    }

    /// Takes retired rows out of their slots, if nobody but this table has `published`, its shared part.
    pub(in crate::cache) fn vacuum(
        &mut self,
        published: &mut Arc<dyn AnySnapshot>,
        budget: &mut usize,
    ) {
        self.alone(published, |storage, chunks| storage.vacuum(chunks, budget));
    }

    /// Does something to the chunks of `published`, this table's shared part, if nobody else has them.
    fn alone<T>(
        &mut self,
        published: &mut Arc<dyn AnySnapshot>,
        act: impl FnOnce(&mut RowStorage<R>, &mut Chunks<R>) -> T,
    ) -> Option<T> {
        // The table's own hold on what it shares has to go for a moment.
        self.published = None;
        let mut done = None;
        if let Some(snapshot) = Arc::get_mut(published)
            && let Some(snapshot) = (snapshot as &mut dyn Any).downcast_mut::<Snapshot<R>>()
        {
            self.storage.release_chunks();
            self.indexes.set_chunks(self.storage.chunks());
            if let Some(chunks) = Arc::get_mut(&mut snapshot.chunks) {
                done = Some(act(&mut self.storage, chunks));
            }
            self.storage.restore_chunks(&snapshot.chunks);
            self.indexes.set_chunks(self.storage.chunks());
        }
        let shared: Arc<dyn Any + Send + Sync> = Arc::<dyn AnySnapshot>::clone(published);
        self.published = shared.downcast().ok();
        done
    }

    /// Moves rows out of sparse chunks, if the table has many more slots than rows: they are inserted and deleted with
    /// `version`. Whether any were moved.
    pub(in crate::cache) fn evacuate(&mut self, version: u64, budget: &mut usize) -> bool {
        self.storage.plan_evacuation();
        let left = if self.is_keyed() {
            self.evacuate_rows::<ByKey>(version, budget)
        } else {
            self.evacuate_rows::<ByBytes>(version, budget)
        };
        let moved = !left.is_empty();
        self.storage.retire_later(version, left);
        moved
    }

    /// Moves live rows to other chunks, and returns the slots that they left.
    fn evacuate_rows<I: Identity<R>>(&mut self, version: u64, budget: &mut usize) -> Vec<u32> {
        let at = Stamp::of(version);
        let (mut came, mut left) = (Vec::new(), Vec::new());
        while *budget > 0
            && let Some(old) = self.storage.next_to_evacuate()
        {
            let Some((new, hash)) = self.copy_row::<I>(old) else {
                self.storage.set_stuck(old);
                continue;
            };
            *budget -= 1;
            came.push(new.0);
            left.push(old.0);
            self.membership.relocate(old, new);
            self.storage.delete(old, at);
            self.storage.make_visible(new, at);
            self.storage.note_change(version);
            if let Some(layer) = self.layer.as_mut().filter(|layer| layer.is_watched()) {
                layer.moved(hash, old, new);
            }
        }
        self.storage.end_evacuated_chunk();
        self.indexes.insert_further(&came, self.storage.chunks());
        left
    }

    /// Copies a row by its encoding; none if its type does not decode what it encodes. The copy, and its hash.
    fn copy_row<I: Identity<R>>(&mut self, old: RowId) -> Option<(RowId, u64)> {
        let mut out = Writer::new();
        let row = self.storage.row(old)?;
        row.encode(&mut out);
        let hash = I::hash_row(row, self.indexes.hasher(), &mut Writer::new());
        let copy = bsatn::from_slice(out.as_slice()).ok()?;
        let new = self.put_sized(copy, out.as_slice().len(), 1).ok()?;
        self.indexes.insert::<I>(hash, new, self.storage.chunks());
        Some((new, hash))
    }
}
