//! Giving memory back, in four ways, none of which a view can see.
//!
//! A row that was replaced may be [folded](super::fold). Any other that left is *buried* when no view can see it any
//! more: its index entries go, and its slot is a husk. A husk's
//! row lies in shared memory, and so is freed by one of two means. At a quiet moment, when nobody holds a view, it is
//! *reaped*: taken out of its slot, which is then free. Or its whole chunk goes, when all slots in it are free or
//! husks; views that have the chunk keep it. Where views overlap all the time, and where most of a table was deleted,
//! sparse chunks are *evacuated*: their rows are encoded and decoded into other chunks, as an update that nobody is
//! told of.

use core::any::Any;
use std::sync::Arc;

use super::slots::{CHUNK_SLOTS, Chunks, RowId, SlotState};
use super::stamp::Stamp;
use super::weigh::{Weight, cost_of_bytes, pay, size_in};
use crate::bsatn::{self, Writer};
use crate::cache::index::identity::{ByBytes, ByKey, Identity};
use crate::cache::read::snapshot::{AnySnapshot, Snapshot};
use crate::cache::table::store::TableStore;
use crate::guard::FencedRows;
use crate::schema::Row;

/// Progress of reclaiming a table.
pub(in crate::cache) struct Reclaiming<R> {
    /// Chunks with husks.
    pub(in crate::cache) husky: Vec<u32>,
    /// How many husks there are, and what they weigh.
    pub(in crate::cache) husk_weight: Weight,
    /// Chunks in which nobody may see a row any more, or might when they were listed.
    empty: Vec<u32>,
    /// Chunks that had no free slot left, and may be settled.
    pub(in crate::cache) full: Vec<u32>,
    /// Chunks to be evacuated, the next one last, and how far that one is.
    pub(in crate::cache) sources: Vec<u32>,
    next_slot: usize,
    /// Rows that left and cannot be folded, oldest first.
    pub(in crate::cache) unfolded: Vec<u32>,
    /// Rows that were taken out of their slots, to be dropped outside of the lock.
    pub(in crate::cache) reaped: FencedRows<R>,
    /// Stands in for the table's chunks while rows are taken out of those.
    nothing: Arc<Chunks<R>>,
}

impl<R: Row> Reclaiming<R> {
    pub(in crate::cache) fn new() -> Self {
        Self {
            husky: Vec::new(),
            husk_weight: Weight::default(),
            empty: Vec::new(),
            full: Vec::new(),
            sources: Vec::new(),
            next_slot: 0,
            unfolded: Vec::new(),
            reaped: FencedRows::new(),
            nothing: Arc::new(Chunks::new()),
        }
    }
}

impl<R: Row> TableStore<R> {
    /// Makes husks of rows that no view of version `horizon` or later sees.
    pub(in crate::cache) fn bury(&mut self, horizon: u64, budget: &mut usize) {
        // Paid for when they were not folded.
        let unfolded = core::mem::take(&mut self.reclaiming.unfolded);
        self.bury_rows(&unfolded);
        while *budget > 0 {
            let Some(dead) = self.dead.front_mut().filter(|dead| dead.version <= horizon) else {
                return;
            };
            let sizes = dead.ids.iter().rev().map(|&id| size_in(&self.sides, RowId(id)));
            let count = pay(Self::SIZES_VARY, sizes, budget);
            let mut ids = dead.ids.split_off(dead.ids.len() - count);
            ids.reverse();
            if dead.ids.is_empty() {
                self.dead.pop_front();
            }
            self.bury_rows(&ids);
        }
    }

    fn bury_rows(&mut self, ids: &[u32]) {
        let is_keyed = self.is_keyed();
        self.indexes.remove_further(ids, &self.chunks);
        if is_keyed {
            self.indexes.remove::<ByKey>(ids, &self.chunks);
        } else {
            self.indexes.remove::<ByBytes>(ids, &self.chunks);
        }
        ids.iter().for_each(|&id| self.make_husk(RowId(id)));
    }

    fn make_husk(&mut self, id: RowId) {
        if let Some(slot) = self.slot(id) {
            slot.set_husk();
        }
        let size = self.size(id);
        self.dead_weight.remove(size);
        self.occupied_data -= size;
        self.reclaiming.husk_weight.add(size);
        let chunk = id.chunk();
        let side = &mut self.sides[chunk];
        if side.husks.is_empty() {
            self.reclaiming.husky.push(chunk as u32);
        }
        side.husks.push(id.slot() as u16);
        self.occupied -= 1;
        if side.occupied() == 0 {
            self.note_empty(chunk);
        }
    }

    /// Lists a chunk in which nobody may see a row.
    pub(in crate::cache) fn note_empty(&mut self, chunk: usize) {
        if !core::mem::replace(&mut self.sides[chunk].listed_empty, true) {
            self.reclaiming.empty.push(chunk as u32);
        }
    }

    /// Removes chunks in which nobody may see a row, while there are more slots than the table's next changes will want.
    pub(in crate::cache) fn remove_empty_chunks(&mut self, budget: &mut usize) {
        /// Cost of freeing a whole chunk, in rows applied.
        const COST: usize = CHUNK_SLOTS / 8;
        while *budget > 0
            && let Some(&chunk) = self.reclaiming.empty.last()
        {
            let side = &mut self.sides[chunk as usize];
            let slots = side.slots;
            if slots > 0 && side.occupied() == 0 {
                if !side.closed && !self.has_spare(slots) {
                    return;
                }
                let cost = COST + cost_of_bytes(self.husk_data(chunk as usize));
                self.reclaiming.husky.retain(|&husky| husky != chunk);
                self.remove_chunk(chunk as usize);
                *budget = budget.saturating_sub(cost);
            } else {
                side.listed_empty = false;
            }
            self.reclaiming.empty.pop();
        }
    }

    /// Returns `true` if the table can do without some empty slots: a quarter more than it has rows is for their next
    /// versions, and one chunk for a table that comes and goes.
    fn has_spare(&self, slots: usize) -> bool {
        let left = self.capacity - slots;
        left > 0 && left >= self.occupied + self.occupied / 4
    }

    /// Returns `true` if there is nothing to reclaim, nor will be before the table changes.
    pub(in crate::cache) fn is_clean(&self) -> bool {
        let Reclaiming { husky, empty, full, sources, unfolded, .. } = &self.reclaiming;
        let may_remove = empty.last().is_some_and(|&chunk| {
            let side = &self.sides[chunk as usize];
            side.occupied() > 0 || side.closed || self.has_spare(side.slots)
        });
        let is_through = husky.is_empty() && full.is_empty() && sources.is_empty();
        let has_dead = !self.dead.is_empty() || !unfolded.is_empty();
        let may_move = self.is_sparse() || self.has_heavy_husks();
        is_through && !may_remove && !has_dead && !self.is_unpublished() && !may_move
    }

    pub(in crate::cache) fn wants_reaping(&self) -> bool {
        !self.is_unpublished() && !self.reclaiming.husky.is_empty()
    }

    /// Takes rows out of husks, if nobody but this table has `published`, its shared part.
    pub(in crate::cache) fn reap(
        &mut self,
        published: &mut Arc<dyn AnySnapshot>,
        budget: &mut usize,
    ) {
        self.alone(published, |table, chunks| table.reap_from(chunks, budget));
    }

    /// Does something to the chunks of `published`, this table's shared part, if nobody else has them.
    pub(in crate::cache) fn alone(
        &mut self,
        published: &mut Arc<dyn AnySnapshot>,
        act: impl FnOnce(&mut Self, &mut Chunks<R>),
    ) {
        // The table's own hold on what it shares has to go for a moment.
        self.published = None;
        if let Some(snapshot) = Arc::get_mut(published)
            && let Some(snapshot) = (snapshot as &mut dyn Any).downcast_mut::<Snapshot<R>>()
        {
            self.chunks = Arc::clone(&self.reclaiming.nothing);
            self.indexes.set_chunks(&self.chunks);
            if let Some(chunks) = Arc::get_mut(&mut snapshot.chunks) {
                act(self, chunks);
            }
            self.chunks = Arc::clone(&snapshot.chunks);
            self.indexes.set_chunks(&self.chunks);
        }
        let shared: Arc<dyn Any + Send + Sync> = Arc::<dyn AnySnapshot>::clone(published);
        self.published = shared.downcast().ok();
    }

    fn reap_from(&mut self, chunks: &mut Chunks<R>, budget: &mut usize) {
        while *budget > 0
            && let Some(&chunk) = self.reclaiming.husky.last()
        {
            let side = &mut self.sides[chunk as usize];
            let sizes = side.husks.iter().rev().map(|&husk| side.sizes.get(usize::from(husk)));
            let count = pay(Self::SIZES_VARY, sizes, budget);
            let husks = side.husks.split_off(side.husks.len() - count);
            let slots = husks.iter().map(|&slot| usize::from(slot));
            if !chunks.take(chunk as usize, slots, &mut self.reclaiming.reaped) {
                side.husks.extend(husks);
                return;
            }
            for &husk in &husks {
                self.reclaiming.husk_weight.remove(side.sizes.get(usize::from(husk)));
            }
            side.free.extend(husks);
            if side.husks.is_empty() {
                self.reclaiming.husky.pop();
            }
            self.open_chunk(chunk as usize);
        }
    }

    /// Drops what was reaped.
    pub(in crate::cache) fn drop_reaped(&mut self) {
        self.reclaiming.reaped = FencedRows::new();
    }

    /// Moves rows out of sparse chunks, if the table has many more slots than rows: they are born, and leave, with
    /// `version`. Whether any were moved.
    pub(in crate::cache) fn evacuate(&mut self, version: u64, budget: &mut usize) -> bool {
        if self.reclaiming.sources.is_empty() {
            self.choose_sources();
        }
        let mut left = Vec::new();
        while *budget > 0
            && let Some(&chunk) = self.reclaiming.sources.last()
        {
            let done = if self.is_keyed() {
                self.evacuate_chunk::<ByKey>(chunk as usize, version, budget, &mut left)
            } else {
                self.evacuate_chunk::<ByBytes>(chunk as usize, version, budget, &mut left)
            };
            if done {
                self.reclaiming.sources.pop();
                self.reclaiming.next_slot = 0;
                let side = &mut self.sides[chunk as usize];
                if side.occupied() == 0 {
                    self.note_empty(chunk as usize);
                } else if side.stuck {
                    side.closed = false;
                    self.open_chunk(chunk as usize);
                }
            }
        }
        let moved = !left.is_empty();
        self.bury_later(version, left);
        moved
    }

    /// Returns `true` if most slots have no row.
    fn is_sparse(&self) -> bool {
        self.capacity > 2 * self.occupied + 2 * self.full_chunk_slots()
    }

    /// Whether husks take more than the rows that somebody sees, and more than is worth a thought.
    fn has_heavy_husks(&self) -> bool {
        const LEAST_BYTES: usize = 32 << 20;
        let husks = self.reclaiming.husk_weight.data;
        husks > LEAST_BYTES && husks > self.occupied_data
    }

    /// What the husks of a chunk take beside their slots.
    fn husk_data(&self, chunk: usize) -> usize {
        let side = &self.sides[chunk];
        side.husks.iter().map(|&husk| side.sizes.get(usize::from(husk))).sum()
    }

    /// Chooses chunks to be evacuated, if there is need.
    fn choose_sources(&mut self) {
        if self.is_sparse() {
            self.choose_sparse_chunks();
        } else if self.has_heavy_husks() {
            self.choose_heavy_chunks();
        }
    }

    /// Chooses the chunks in which most of the memory of husks is.
    fn choose_heavy_chunks(&mut self) {
        let mut chunks = self.reclaiming.husky.clone();
        let share = self.reclaiming.husk_weight.data / (2 * chunks.len().max(1));
        chunks.retain(|&chunk| {
            !self.sides[chunk as usize].stuck && self.husk_data(chunk as usize) >= share
        });
        self.set_sources(chunks);
    }

    /// Chooses the sparsest chunks, so many that the others hold all rows with some room to spare.
    fn choose_sparse_chunks(&mut self) {
        let mut chunks: Vec<_> = (0..self.sides.len() as u32).collect();
        chunks.retain(|&chunk| {
            let side = &self.sides[chunk as usize];
            side.slots > 0 && !side.stuck
        });
        chunks.sort_by_key(|&chunk| self.sides[chunk as usize].occupied());
        let keep = (self.occupied + self.occupied / 4).div_ceil(self.full_chunk_slots()) + 1;
        chunks.truncate(chunks.len().saturating_sub(keep));
        chunks.reverse();
        self.set_sources(chunks);
    }

    fn set_sources(&mut self, chunks: Vec<u32>) {
        for &chunk in &chunks {
            self.sides[chunk as usize].closed = true;
        }
        self.reclaiming.sources = chunks;
        self.reclaiming.next_slot = 0;
    }

    /// Moves live rows out of one chunk; whether it is through with it.
    fn evacuate_chunk<I: Identity<R>>(
        &mut self,
        chunk: usize,
        version: u64,
        budget: &mut usize,
        left: &mut Vec<u32>,
    ) -> bool {
        let at = Stamp::of(version);
        let mut came = Vec::new();
        let mut done = true;
        while self.reclaiming.next_slot < self.sides[chunk].used {
            if *budget == 0 {
                done = false;
                break;
            }
            let old = RowId::new(chunk, self.reclaiming.next_slot);
            self.reclaiming.next_slot += 1;
            if !self.slot(old).is_some_and(|slot| slot.state() == SlotState::Live) {
                continue;
            }
            let copy = self.copy_row::<I>(old);
            self.sides[chunk].stuck |= copy.is_none();
            if let Some(new) = copy {
                *budget -= 1;
                came.push(new.0);
                self.membership.relocate(old, new);
                self.kill(old, at);
                self.bear(new, at);
                self.changed_at = version;
                if self.is_watched()
                    && let Some(row) = self.slot(new).and_then(|slot| slot.row())
                {
                    let hash = I::hash_row(row, self.indexes.hasher(), &mut Writer::new());
                    if let Some(layer) = &mut self.layer {
                        layer.moved(hash, old, new);
                    }
                }
                left.push(old.0);
            }
        }
        self.indexes.insert_further(&came, &self.chunks);
        done
    }

    /// Copies a row by its encoding; none if its type does not decode what it encodes.
    fn copy_row<I: Identity<R>>(&mut self, old: RowId) -> Option<RowId> {
        let mut out = Writer::new();
        let row = self.slot(old)?.row()?;
        row.encode(&mut out);
        let hash = I::hash_row(row, self.indexes.hasher(), &mut Writer::new());
        let copy = bsatn::from_slice(out.as_slice()).ok()?;
        let new = self.put_sized(copy, out.as_slice().len(), 1).ok()?;
        self.indexes.insert::<I>(hash, new, &self.chunks);
        Some(new)
    }

    /// Stamps live rows of a chunk that all views see as older than any version; whether there is such a chunk.
    pub(in crate::cache) fn freeze(&self, chunk: usize, horizon: u64) -> bool {
        let horizon = Stamp::of(horizon);
        for slot in self.chunks.slots(chunk) {
            if slot.state() == SlotState::Live && slot.born().reached(horizon) {
                slot.set_born(Stamp::ALWAYS);
            }
        }
        chunk < self.sides.len()
    }
}
