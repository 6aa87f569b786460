//! Reclaiming what a table's rows take, across storage, indexes and membership: see
//! [`vacuum`](crate::cache::storage).

use std::sync::Arc;

use super::Rows;
use crate::bsatn::{self, Writer};
use crate::cache::index::identity::{ByBytes, ByKey, Identity};
use crate::cache::read::snapshot::Snapshot;
use crate::cache::storage::RowStorage;
use crate::cache::storage::chunks::Chunks;
use crate::cache::storage::row_id::RowId;
use crate::cache::storage::stamp::Stamp;
use crate::schema::Row;

/// A row that was moved to another slot.
#[derive(Debug, Clone, Copy)]
pub(in crate::cache) struct Moved {
    /// Hash of what identifies the row.
    pub(in crate::cache) hash: u64,
    pub(in crate::cache) old: RowId,
    pub(in crate::cache) new: RowId,
}

impl<R: Row> Rows<R> {
    /// Retires rows that no view of version `horizon` or later sees: their index entries go.
    pub(in crate::cache) fn retire(&mut self, horizon: u64, budget: &mut usize) {
        let ids = self.storage.retire(horizon, budget);
        if ids.is_empty() {
            return;
        }
        let Self { storage, indexes, is_keyed, .. } = self;
        // Retired rows stay in their slots, and their links, until they are vacuumed.
        indexes.remove_further(&ids, storage.chunks());
        if *is_keyed {
            indexes.remove::<ByKey>(&ids, storage.chunks());
        } else {
            indexes.remove::<ByBytes>(&ids, storage.chunks());
        }
    }

    /// Removes chunks in which no view may see a row.
    pub(in crate::cache) fn remove_empty_chunks(&mut self, budget: &mut usize) {
        while let Some(chunk) = self.storage.remove_empty_chunk(budget) {
            self.membership.remove_chunk(chunk);
        }
    }

    /// Returns `true` if there is nothing to reclaim, nor will be before the table changes.
    pub(in crate::cache) fn is_clean(&self) -> bool {
        self.storage.is_clean() && !self.is_unpublished()
    }

    /// Returns `true` if there may be rows to compact. Further indexes know every version by its slot.
    pub(in crate::cache) fn wants_compaction(&self) -> bool {
        let is_compactable = self.is_keyed && !self.indexes.has_further();
        !self.is_unpublished() && self.storage.has_deleted() && is_compactable
    }

    /// Compacts rows that were replaced, if `published`, the shared part, is the only other owner of the chunks. No change may be under
    /// way.
    pub(in crate::cache) fn compact(&mut self, published: &mut Snapshot<R>, budget: &mut usize) {
        let moved = self.alone(published, |storage, chunks| storage.compact(chunks, budget));
        for row in moved.into_iter().flatten() {
            self.membership.relocate(row.new, row.old);
        }
    }

    pub(in crate::cache) fn wants_vacuum(&self) -> bool {
        !self.is_unpublished() && self.storage.has_retired()
    }

    /// Takes retired rows out of their slots, if `published`, the shared part, is the only other owner of the chunks.
    pub(in crate::cache) fn vacuum(&mut self, published: &mut Snapshot<R>, budget: &mut usize) {
        self.alone(published, |storage, chunks| storage.vacuum(chunks, budget));
    }

    /// Does something to the chunks of `published`, the shared part, if they have no other owner.
    #[inline]
    fn alone<T>(
        &mut self,
        published: &mut Snapshot<R>,
        act: impl FnOnce(&mut RowStorage<R>, &mut Chunks<R>) -> T,
    ) -> Option<T> {
        // The writer's own hold on the chunks has to go for a moment.
        self.storage.release_chunks();
        self.indexes.set_chunks(self.storage.chunks());
        let done = Arc::get_mut(&mut published.chunks).map(|chunks| act(&mut self.storage, chunks));
        self.storage.restore_chunks(&published.chunks);
        self.indexes.set_chunks(self.storage.chunks());
        done
    }

    /// Drops what was vacuumed.
    pub(in crate::cache) fn drop_vacuumed(&mut self) {
        self.storage.drop_vacuumed();
    }

    /// Marks the chunks that are all visible, if no view of a version before `horizon` is left, and nothing is staged or
    /// committed by halves.
    pub(in crate::cache) fn mark_all_visible(&mut self, horizon: u64) {
        self.storage.mark_all_visible(horizon);
    }

    /// Moves rows out of sparse chunks, if the table has many more slots than rows: they are inserted and deleted with
    /// `version`. The rows that were moved.
    pub(in crate::cache) fn evacuate(&mut self, version: u64, budget: &mut usize) -> Vec<Moved> {
        if !self.storage.plan_evacuation() {
            return Vec::new();
        }
        let moved = if self.is_keyed {
            self.evacuate_rows::<ByKey>(version, budget)
        } else {
            self.evacuate_rows::<ByBytes>(version, budget)
        };
        self.storage.retire_later(version, moved.iter().map(|row| row.old.0).collect());
        moved
    }

    fn evacuate_rows<I: Identity<R>>(&mut self, version: u64, budget: &mut usize) -> Vec<Moved> {
        let at = Stamp::of(version);
        let mut moved = Vec::new();
        while *budget > 0
            && let Some(old) = self.storage.next_to_evacuate()
        {
            let Some(row) = self.copy_row::<I>(old) else {
                self.storage.set_stuck(old);
                continue;
            };
            *budget -= 1;
            self.membership.relocate(row.old, row.new);
            self.storage.delete(row.old, at);
            self.storage.make_visible(row.new, at);
            self.storage.note_change(version);
            moved.push(row);
        }
        self.storage.end_evacuated_chunk();
        let came: Vec<_> = moved.iter().map(|row| row.new.0).collect();
        self.indexes.insert_further(&came, self.storage.chunks());
        moved
    }

    /// Copies a row by its encoding; none if its type does not decode what it encodes.
    fn copy_row<I: Identity<R>>(&mut self, old: RowId) -> Option<Moved> {
        let mut out = Writer::new();
        let row = self.storage.row(old)?;
        row.encode(&mut out);
        let hash = I::hash_row(row, self.indexes.hasher(), &mut Writer::new());
        let copy = bsatn::from_slice(out.as_slice()).ok()?;
        let new = self.put(copy, out.as_slice().len(), 1).ok()?;
        self.indexes.insert::<I>(hash, new, self.storage.chunks());
        Some(Moved { hash, old, new })
    }
}
