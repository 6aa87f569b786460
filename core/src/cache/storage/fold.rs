//! Folding: at a quiet moment, the row that replaced another moves into that one's slot.
//!
//! So most updates are over without a trace: the index and its links are as they were before, the chunk is settled
//! again, the rows lie in the order in which they came, and the slot that the new version was decoded into is free for
//! the next transaction, warm. What cannot be folded is buried: rows that left for good, and those of tables with
//! further indexes, which know every version by its slot.

use std::sync::Arc;

use super::slots::{Chunks, Replaced, RowId, Slot, SlotState};
use super::weigh::{pay, size_in};
use crate::cache::read::snapshot::AnySnapshot;
use crate::cache::table::store::TableStore;
use crate::schema::Row;

impl<R: Row> TableStore<R> {
    /// Returns `true` if there may be rows to fold.
    pub(in crate::cache) fn wants_folding(&self) -> bool {
        !self.is_unpublished()
            && !self.dead.is_empty()
            && self.is_keyed()
            && !self.indexes.has_further()
    }

    /// Folds rows that left, if nobody but this table has `published`, its shared part. No change may be under way.
    pub(in crate::cache) fn fold(
        &mut self,
        published: &mut Arc<dyn AnySnapshot>,
        budget: &mut usize,
    ) {
        self.alone(published, |table, chunks| table.fold_in(chunks, budget));
    }

    fn fold_in(&mut self, chunks: &mut Chunks<R>, budget: &mut usize) {
        let mut replaced = Vec::new();
        while *budget > 0
            && let Some(dead) = self.dead.front_mut()
        {
            let sizes = dead.ids.iter().rev().map(|&id| size_in(&self.sides, RowId(id)));
            let count = pay(Self::SIZES_VARY, sizes, budget);
            let ids = dead.ids.split_off(dead.ids.len() - count);
            if dead.ids.is_empty() {
                self.dead.pop_front();
            }
            for old in ids.into_iter().rev().map(RowId) {
                let new = chunks.newer(old).filter(|&new| {
                    let is_live = |slot: &Slot<R>| slot.state() == SlotState::Live;
                    chunks.slot(new).is_some_and(is_live) && !self.sides[old.chunk()].closed
                });
                match new {
                    Some(new) => replaced.push(Replaced { old, new }),
                    None => self.reclaiming.unfolded.push(old.0),
                }
            }
        }
        let chunks_of = |row: &Replaced| (row.old.chunk(), row.new.chunk());
        for run in replaced.chunk_by(|a, b| chunks_of(a) == chunks_of(b)) {
            if chunks.fold(run, &mut self.reclaiming.reaped) {
                run.iter().for_each(|&replaced| self.folded(replaced));
                self.open_chunk(run[0].new.chunk());
            } else {
                self.reclaiming.unfolded.extend(run.iter().map(|replaced| replaced.old.0));
            }
        }
    }

    /// Accounts for a row that has moved into the slot of the one that it replaced.
    fn folded(&mut self, Replaced { old, new }: Replaced) {
        let (old_size, new_size) = (self.size(old), self.size(new));
        self.dead_weight.remove(old_size);
        self.occupied -= 1;
        self.occupied_data -= old_size;
        self.move_size(old, new_size);
        self.membership.relocate(new, old);
        let from = &mut self.sides[new.chunk()];
        from.live -= 1;
        from.free.push(new.slot() as u16);
        if from.occupied() == 0 {
            self.note_empty(new.chunk());
        }
        let to = &mut self.sides[old.chunk()];
        to.live += 1;
        if to.live == to.slots {
            self.reclaiming.full.push(old.chunk() as u32);
        }
    }
}
