//! A table as its writer has it: the shared part, who holds which row, and what is free.

use std::collections::VecDeque;
use std::sync::Arc;

use super::staging::Staging;
use crate::cache::TableId;
use crate::cache::error::OutOfSyncKind;
use crate::cache::index::Indexes;
use crate::cache::index::identity::{ByBytes, ByKey};
use crate::cache::membership::Membership;
use crate::cache::membership::sets::SetId;
use crate::cache::optimistic::Layer;
use crate::cache::read::snapshot::{Lens, Snapshot};
use crate::cache::storage::reclaim::Reclaiming;
use crate::cache::storage::slots::{Chunks, MAX_CHUNKS, RowId, Slot, SlotState, next_chunk_slots};
use crate::cache::storage::weigh::{Sizes, Weight};
use crate::schema::{Row, TableDef, TableKind};

pub(in crate::cache) struct TableStore<R: Row> {
    pub(in crate::cache) id: TableId,
    pub(in crate::cache) name: Arc<str>,
    /// None for a raw table.
    pub(in crate::cache) def: Option<TableDef>,
    /// The rows. Shared with readers, as indexes and numbers of rows are.
    pub(in crate::cache) chunks: Arc<Chunks<R>>,
    pub(in crate::cache) indexes: Indexes<R>,
    pub(in crate::cache) lens: Arc<Lens>,
    /// Shared part as readers have it.
    pub(in crate::cache) published: Option<Arc<Snapshot<R>>>,
    /// `true` if chunks came or went since.
    pub(in crate::cache) is_changed: bool,
    /// By chunk.
    pub(in crate::cache) sides: Vec<Side>,
    /// Chunks that may have free slots.
    open: Vec<u32>,
    /// Gaps among the chunks. Views may still have what was there, in which they see nothing.
    gaps: Vec<u32>,
    pub(in crate::cache) membership: Membership,
    pub(in crate::cache) staging: Staging<R>,
    /// Writes of pending mutations, if any has read or written it.
    pub(in crate::cache) layer: Option<Box<Layer<R>>>,
    /// The sets that hold a row which is on its way between the layer and a slot, while code of its type runs.
    pub(in crate::cache) on_its_way: Vec<SetId>,
    /// Rows that left, oldest first, while some view may see them.
    pub(in crate::cache) dead: VecDeque<DeadRows>,
    /// How many they are, and what they weigh.
    pub(in crate::cache) dead_weight: Weight,
    /// Number of rows that new views see.
    pub(in crate::cache) len: usize,
    /// Number of slots, and number of those with a row that a reader sees, or may yet see.
    pub(in crate::cache) capacity: usize,
    pub(in crate::cache) occupied: usize,
    /// What those rows take beside their slots.
    pub(in crate::cache) occupied_data: usize,
    /// What a row took on average in the list that came last.
    pub(in crate::cache) row_bytes: usize,
    /// The version that last changed any slot.
    pub(in crate::cache) changed_at: u64,
    pub(in crate::cache) reclaiming: Reclaiming<R>,
}

/// The writer's part of a chunk.
#[derive(Debug, Default)]
pub(in crate::cache) struct Side {
    /// Number of its slots.
    pub(in crate::cache) slots: usize,
    pub(in crate::cache) sizes: Sizes,
    /// Slots below this were used at least once.
    pub(in crate::cache) used: usize,
    /// Those of them that are free again.
    pub(in crate::cache) free: Vec<u16>,
    /// Slots whose rows nobody sees any more, and that still hold them.
    pub(in crate::cache) husks: Vec<u16>,
    /// Number of slots with live rows.
    pub(in crate::cache) live: usize,
    /// `true` if the chunk is settled: see [`Chunks::visible`](crate::cache::storage::slots::Chunks::visible).
    pub(in crate::cache) settled: bool,
    /// `true` if the chunk is listed in `open`.
    is_open: bool,
    /// `true` if the chunk is listed among those to be removed.
    pub(in crate::cache) listed_empty: bool,
    /// `true` if rows are moved out of it: no slot is given away any more.
    pub(in crate::cache) closed: bool,
    /// `true` if a row could not be moved out of it: its type does not decode what it encodes.
    pub(in crate::cache) stuck: bool,
}

impl Side {
    /// Number of slots with a row that a reader sees, or may yet see.
    pub(in crate::cache) fn occupied(&self) -> usize {
        self.used - self.free.len() - self.husks.len()
    }

    fn take_slot(&mut self) -> Option<usize> {
        if self.closed {
            return None;
        }
        if let Some(slot) = self.free.pop() {
            return Some(usize::from(slot));
        }
        (self.used < self.slots).then(|| {
            self.used += 1;
            self.used - 1
        })
    }

    fn has_room(&self) -> bool {
        !self.closed && (!self.free.is_empty() || self.used < self.slots)
    }
}

/// Rows that left with one version.
#[derive(Debug)]
pub(in crate::cache) struct DeadRows {
    pub(in crate::cache) version: u64,
    /// The first that left last.
    pub(in crate::cache) ids: Vec<u32>,
}

impl<R: Row> TableStore<R> {
    pub(in crate::cache) fn new(id: TableId, name: Arc<str>, def: Option<TableDef>) -> Self {
        let chunks = Arc::new(Chunks::new());
        Self {
            id,
            name,
            def,
            indexes: Indexes::new(def.as_ref(), &chunks),
            chunks,
            lens: Arc::default(),
            published: None,
            is_changed: true,
            sides: Vec::new(),
            open: Vec::new(),
            gaps: Vec::new(),
            membership: Membership::new(),
            staging: Staging::new(),
            layer: None,
            on_its_way: Vec::new(),
            dead: VecDeque::new(),
            dead_weight: Weight::default(),
            len: 0,
            capacity: 0,
            occupied: 0,
            occupied_data: 0,
            row_bytes: 0,
            changed_at: 0,
            reclaiming: Reclaiming::new(),
        }
    }

    pub(in crate::cache) fn is_keyed(&self) -> bool {
        self.def.is_some_and(|def| def.primary_key.is_some())
    }

    pub(in crate::cache) fn is_event(&self) -> bool {
        self.def.is_some_and(|def| def.kind == TableKind::Event)
    }

    /// The slot of a row that the writer knows.
    #[inline]
    pub(in crate::cache) fn slot(&self, id: RowId) -> Option<&Slot<R>> {
        self.chunks.slot(id)
    }

    /// A free slot; `expected` is how many more will be asked for.
    pub(in crate::cache) fn alloc(&mut self, expected: usize) -> Result<RowId, OutOfSyncKind> {
        loop {
            let Some(&chunk) = self.open.last() else {
                self.add_chunk(expected)?;
                continue;
            };
            let side = &mut self.sides[chunk as usize];
            if let Some(slot) = side.take_slot() {
                self.occupied += 1;
                return Ok(RowId::new(chunk as usize, slot));
            }
            side.is_open = false;
            self.open.pop();
            self.reclaiming.full.push(chunk);
        }
    }

    #[cold]
    fn add_chunk(&mut self, expected: usize) -> Result<(), OutOfSyncKind> {
        let slots = next_chunk_slots(self.capacity, expected, self.full_chunk_slots());
        let index = self.gaps.pop().map_or(self.sides.len(), |gap| gap as usize);
        if index >= MAX_CHUNKS {
            return Err(OutOfSyncKind::TooManyRows);
        }
        let linked = self.is_keyed();
        Arc::make_mut(&mut self.chunks).add(index, slots, linked);
        self.is_changed = true;
        self.capacity += slots;
        self.membership.add_chunk(index, slots);
        let sizes = Sizes::new(slots, Self::SIZES_VARY);
        let side = Side { slots, sizes, ..Side::default() };
        match self.sides.get_mut(index) {
            Some(gap) => *gap = side,
            None => self.sides.push(side),
        }
        self.open_chunk(index);
        Ok(())
    }

    /// Lists a chunk as having free slots, if it has some.
    pub(in crate::cache) fn open_chunk(&mut self, chunk: usize) {
        let side = &mut self.sides[chunk];
        if !side.is_open && side.has_room() {
            side.is_open = true;
            self.open.push(chunk as u32);
        }
    }

    /// Takes a chunk away, in which nobody may see any row. Readers of older views keep it.
    pub(in crate::cache) fn remove_chunk(&mut self, index: usize) {
        if Arc::make_mut(&mut self.chunks).remove(index).is_none() {
            return;
        }
        self.gaps.push(index as u32);
        self.is_changed = true;
        self.membership.remove_chunk(index);
        let side = core::mem::take(&mut self.sides[index]);
        self.capacity -= side.slots;
        for &husk in &side.husks {
            self.reclaiming.husk_weight.remove(side.sizes.get(usize::from(husk)));
        }
        if side.is_open {
            self.open.retain(|&chunk| chunk as usize != index);
        }
    }

    /// Returns `true` if readers do not have the shared part yet.
    pub(in crate::cache) fn is_unpublished(&self) -> bool {
        self.is_changed || self.indexes.is_unpublished()
    }

    /// Makes room for a list of `rows` rows.
    pub(in crate::cache) fn reserve(&mut self, rows: usize) {
        let is_keyed = self.is_keyed();
        if self.indexes.reserve(rows, is_keyed, &self.chunks) {
            self.staging.pairs.reserve(rows);
        }
    }

    /// Adds a row to all indexes.
    pub(in crate::cache) fn index_row(&mut self, hash: u64, id: RowId) {
        if self.is_keyed() {
            self.indexes.insert::<ByKey>(hash, id, &self.chunks);
        } else {
            self.indexes.insert::<ByBytes>(hash, id, &self.chunks);
        }
        self.indexes.insert_further(&[id.0], &self.chunks);
    }

    /// The live row of this hash for which `is` says yes.
    pub(in crate::cache) fn find_live(&self, hash: u64, is: impl Fn(&R) -> bool) -> Option<RowId> {
        self.indexes.by_identity().find(hash, |id| {
            self.versions(RowId(id)).find(|&id| {
                let live = self.slot(id).filter(|slot| slot.state() == SlotState::Live);
                live.and_then(Slot::row).is_some_and(&is)
            })
        })
    }

    /// A version of a row and those that replace it, one after the other.
    #[inline]
    pub(in crate::cache) fn versions(&self, id: RowId) -> impl Iterator<Item = RowId> {
        core::iter::successors(Some(id), |&id| self.chunks.newer(id))
    }
}
