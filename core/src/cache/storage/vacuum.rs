//! Giving memory back, in four ways, none of which a view can see.
//!
//! A row that was replaced may be *compacted*: at a quiet moment, when nobody holds a view, the row that replaced it moves
//! into its slot. So most updates are over without a trace: the index and its links are as they were before, the chunk is
//! all visible again, the rows lie in the order in which they came, and the slot that the new version was decoded into is
//! free for the next transaction, warm. What cannot be compacted is *retired* when no view can see it any more: rows that
//! left for good, and those of tables with further indexes, which know every version by its slot. The table takes their
//! ids out of its indexes.
//!
//! A retired row lies in shared memory, and so is freed by one of two means. At a quiet moment it is *vacuumed*: taken out
//! of its slot, which is then free. Or its whole chunk goes, when all slots in it are free or retired; views that have the
//! chunk keep it. Where views overlap all the time, and where most of a table was deleted, sparse chunks are *evacuated*:
//! their rows are encoded and decoded into other chunks, as an update that is not reported.

use std::sync::Arc;

use super::RowStorage;
use super::chunks::Chunks;
use super::row_id::{CHUNK_SLOTS, Replaced, RowId};
use super::slot::SlotState;
use super::weigh::{Weight, cost_of_bytes};
use crate::guard::FencedRows;
use crate::schema::Row;

/// Deleted rows.
impl<R: Row> RowStorage<R> {
    /// Remembers rows to be retired when no view of a version before `version` is left; the memory that they take, and
    /// their number.
    pub(in crate::cache) fn retire_later(&mut self, version: u64, ids: Vec<u32>) -> (usize, usize) {
        let mut weight = Weight::default();
        if !ids.is_empty() {
            ids.iter().for_each(|&id| weight.add(self.occupancy.size(RowId(id))));
            self.deleted.add(version, ids, weight);
        }
        (weight.rows, Self::bytes(weight))
    }

    /// Retires rows that no view of version `horizon` or later sees, and returns them: no index may name them after this.
    #[must_use]
    pub(in crate::cache) fn retire(&mut self, horizon: u64, budget: &mut usize) -> Vec<u32> {
        // Paid for when they were not compacted.
        let mut ids = core::mem::take(&mut self.uncompacted);
        while *budget > 0 {
            let size = |id| self.occupancy.size(id);
            let taken = self.deleted.take(horizon, Self::SIZES_VARY, size, budget);
            let Some(taken) = taken else { break };
            if ids.is_empty() {
                ids = taken;
            } else {
                ids.extend(taken);
            }
        }
        // Readers who reach a retired version by the index still follow its link to the newer one, so it does not matter that
        // the index entries go later.
        for &id in &ids {
            self.hide_from_all(RowId(id));
            self.deleted.remove(self.occupancy.size(RowId(id)));
            self.occupancy.retire(RowId(id));
        }
        ids
    }

    /// Returns `true` if there is nothing to reclaim, nor will be before the table changes.
    pub(in crate::cache) fn is_clean(&self) -> bool {
        let has_deleted = !self.deleted.is_empty() || !self.uncompacted.is_empty();
        let is_through = self.occupancy.is_clean() && self.evacuation.is_idle();
        is_through && !has_deleted && !self.is_unpublished && !self.wants_evacuation()
    }
}

/// Quiet moments, when only the writer has the chunks.
impl<R: Row> RowStorage<R> {
    pub(in crate::cache) fn has_deleted(&self) -> bool {
        !self.deleted.is_empty()
    }

    pub(in crate::cache) fn has_retired(&self) -> bool {
        self.occupancy.has_retired()
    }

    /// Lets go of the chunks, so that the published snapshot may be their only owner.
    pub(in crate::cache) fn release_chunks(&mut self) {
        self.chunks = Arc::clone(&self.nothing);
    }

    /// Undoes [`release_chunks`](Self::release_chunks).
    pub(in crate::cache) fn restore_chunks(&mut self, chunks: &Arc<Chunks<R>>) {
        self.chunks = Arc::clone(chunks);
    }

    /// Moves live rows into the slots of those that they replaced, in `chunks`, which have no other owner. The rows that moved.
    #[must_use]
    #[inline]
    pub(in crate::cache) fn compact(
        &mut self,
        chunks: &mut Chunks<R>,
        budget: &mut usize,
    ) -> Vec<Replaced> {
        let mut replaced = self.take_replaced(chunks, budget);
        let chunks_of = |row: &Replaced| (row.old.chunk(), row.new.chunk());
        let mut done = 0;
        while let Some(run) = replaced[done..].chunk_by(|a, b| chunks_of(a) == chunks_of(b)).next()
        {
            let end = done + run.len();
            // The index has the id of the old slot, and the link from there is cleared: it is as if there had been one
            // version.
            if chunks.compact(run, &mut self.vacuumed) {
                for &row in run {
                    self.deleted.remove(self.occupancy.size(row.old));
                    self.occupancy.compacted(row);
                }
                self.occupancy.open_chunk(run[0].new.chunk());
                done = end;
            } else {
                self.uncompacted.extend(replaced.drain(done..end).map(|row| row.old.0));
            }
        }
        replaced
    }

    /// Takes deleted rows whose replacement is live. The others are to be retired.
    #[inline]
    fn take_replaced(&mut self, chunks: &Chunks<R>, budget: &mut usize) -> Vec<Replaced> {
        let mut replaced = Vec::new();
        while *budget > 0 {
            let size = |id| self.occupancy.size(id);
            // At a quiet moment no view is older than any delete.
            let Some(ids) = self.deleted.take(u64::MAX, Self::SIZES_VARY, size, budget) else {
                break;
            };
            for old in ids.into_iter().map(RowId) {
                let is_live = |new: &RowId| {
                    chunks.slot(*new).is_some_and(|slot| slot.state() == SlotState::Live)
                };
                let new = chunks.newer(old).filter(is_live);
                match new.filter(|_| !self.occupancy.is_closed(old.chunk())) {
                    Some(new) => replaced.push(Replaced { old, new }),
                    None => self.uncompacted.push(old.0),
                }
            }
        }
        replaced
    }

    /// Takes retired rows out of their slots, in `chunks`, which have no other owner.
    #[inline]
    pub(in crate::cache) fn vacuum(&mut self, chunks: &mut Chunks<R>, budget: &mut usize) {
        while *budget > 0
            && let Some((chunk, retired)) = self.occupancy.take_retired(budget)
        {
            let slots = retired.iter().map(|&slot| usize::from(slot));
            if !chunks.take(chunk, slots, &mut self.vacuumed) {
                self.occupancy.put_back_retired(chunk, retired);
                return;
            }
            self.occupancy.free(chunk, retired);
        }
    }

    /// Drops what was vacuumed.
    pub(in crate::cache) fn drop_vacuumed(&mut self) {
        self.vacuumed = FencedRows::new();
    }
}

/// Chunks.
impl<R: Row> RowStorage<R> {
    /// Removes a chunk in which no view may see a row, if there are more slots than the table's next changes will want, and
    /// returns its index.
    #[must_use]
    pub(in crate::cache) fn remove_empty_chunk(&mut self, budget: &mut usize) -> Option<usize> {
        /// Cost of freeing a whole chunk, in rows applied.
        const COST: usize = CHUNK_SLOTS / 8;
        if *budget == 0 {
            return None;
        }
        let (chunk, data) = self.occupancy.remove_empty_chunk()?;
        *budget = budget.saturating_sub(COST + cost_of_bytes(data));
        Arc::make_mut(&mut self.chunks).remove(chunk);
        self.is_unpublished = true;
        Some(chunk)
    }

    fn wants_evacuation(&self) -> bool {
        self.occupancy.is_sparse(self.full_chunk_slots()) || self.occupancy.has_heavy_retired()
    }

    /// Chooses chunks to be evacuated, if there is need and none are chosen; `true` if there are any.
    #[must_use]
    pub(in crate::cache) fn plan_evacuation(&mut self) -> bool {
        if !self.evacuation.is_idle() {
            return true;
        }
        let full = self.full_chunk_slots();
        let sources = if self.occupancy.is_sparse(full) {
            self.occupancy.sparse_chunks(full)
        } else if self.occupancy.has_heavy_retired() {
            self.occupancy.heavy_chunks()
        } else {
            return false;
        };
        sources.iter().for_each(|&chunk| self.occupancy.close(chunk as usize));
        self.evacuation.start(sources);
        true
    }

    /// The next live row that has to be moved to another chunk.
    pub(in crate::cache) fn next_to_evacuate(&mut self) -> Option<RowId> {
        loop {
            let chunk = self.evacuation.chunk()?;
            let used = self.occupancy.used(chunk);
            while let Some(id) = self.evacuation.next_slot(used) {
                if self.live_row(id).is_some() {
                    return Some(id);
                }
            }
            self.end_evacuated_chunk();
        }
    }

    /// Ends the evacuation of a chunk that was looked through, if there is one.
    pub(in crate::cache) fn end_evacuated_chunk(&mut self) {
        if let Some(chunk) = self.evacuation.chunk()
            && self.evacuation.is_through(self.occupancy.used(chunk))
        {
            self.occupancy.evacuated(chunk);
            self.evacuation.end_chunk();
        }
    }

    /// Notes that a row could not be moved out of its chunk.
    pub(in crate::cache) fn set_stuck(&mut self, id: RowId) {
        self.occupancy.set_stuck(id.chunk());
    }
}
