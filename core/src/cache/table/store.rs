//! A table as its writer has it: the shared part, who holds which row, and what is free.

use core::cmp::Ordering;
use core::hash::{BuildHasher, Hash};
use std::collections::VecDeque;
use std::sync::Arc;

use super::staging::Staging;
use crate::bsatn::Writer;
use crate::cache::TableId;
use crate::cache::error::OutOfSyncKind;
use crate::cache::index::identity::{ByBytes, ByKey, Identity};
use crate::cache::membership::Membership;
use crate::cache::membership::sets::SetId;
use crate::cache::optimistic::Layer;
use crate::cache::read::snapshot::Snapshot;
use crate::cache::storage::reclaim::Reclaiming;
use crate::cache::storage::slots::{MAX_CHUNKS, RowId, Slot, SlotState, next_chunk_slots};
use crate::cache::storage::weigh::{Sizes, Weight};
use crate::schema::{IndexVisitor, Row, TableDef, TableKind};

pub(in crate::cache) struct TableStore<R: Row> {
    pub(in crate::cache) id: TableId,
    pub(in crate::cache) name: Arc<str>,
    /// None for a raw table.
    pub(in crate::cache) def: Option<TableDef>,
    /// The shared part. Readers have this one, or an older one while `stale`.
    pub(in crate::cache) snapshot: Arc<Snapshot<R>>,
    pub(in crate::cache) stale: bool,
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
    scratch: Writer,
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
        Self {
            id,
            name,
            def,
            snapshot: Arc::new(Snapshot::new(def.as_ref())),
            stale: true,
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
            scratch: Writer::new(),
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
        self.snapshot.chunks.slot(id)
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
        let snapshot = Arc::make_mut(&mut self.snapshot);
        Arc::make_mut(&mut snapshot.chunks).add(index, slots, linked);
        self.stale = true;
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
        let snapshot = Arc::make_mut(&mut self.snapshot);
        if Arc::make_mut(&mut snapshot.chunks).remove(index).is_none() {
            return;
        }
        self.gaps.push(index as u32);
        self.stale = true;
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

    /// Makes room in the index of identities for a list of `rows` rows.
    pub(in crate::cache) fn reserve(&mut self, rows: usize) {
        if !self.snapshot.primary.wants_reserve(rows) {
            return;
        }
        let chunks = Arc::clone(&self.snapshot.chunks);
        let keyed = self.is_keyed();
        let hasher = self.snapshot.hasher.clone();
        let rehash = |id| match chunks.row(RowId(id)) {
            Some(row) if keyed => ByKey::hash_row(row, &hasher, &mut Writer::new()),
            Some(row) => ByBytes::hash_row(row, &hasher, &mut Writer::new()),
            None => 0,
        };
        Arc::make_mut(&mut self.snapshot).primary.reserve(rows, rehash);
        self.staging.pairs.reserve(rows);
        self.stale = true;
    }

    /// Adds a row to the index of identities.
    #[inline]
    pub(in crate::cache) fn index_row<I: Identity<R>>(&mut self, hash: u64, id: RowId) {
        while !self.snapshot.primary.try_insert(hash, id.0) {
            self.grow_primary::<I>(hash);
        }
    }

    #[cold]
    fn grow_primary<I: Identity<R>>(&mut self, hash: u64) {
        let chunks = Arc::clone(&self.snapshot.chunks);
        let hasher = self.snapshot.hasher.clone();
        self.stale = true;
        Arc::make_mut(&mut self.snapshot).primary.grow(hash, |id| {
            chunks.row(RowId(id)).map_or(0, |row| I::hash_row(row, &hasher, &mut Writer::new()))
        });
    }

    /// Removes a version from the index of identities: the one that replaces it, if there is one, takes its place.
    pub(in crate::cache) fn unindex_row<I: Identity<R>>(&mut self, id: RowId) {
        let Self { snapshot, scratch, .. } = self;
        let Some(row) = snapshot.chunks.row(id) else { return };
        let hash = I::hash_row(row, &snapshot.hasher, scratch);
        if let Some(newer) = snapshot.chunks.newer(id) {
            let replaced = snapshot.primary.replace_id(hash, id.0, newer.0);
            debug_assert!(replaced, "the oldest version is in the index");
        } else if snapshot.primary.remove(hash, id.0).sparse {
            let (chunks, hasher) = (Arc::clone(&snapshot.chunks), snapshot.hasher.clone());
            self.stale = true;
            Arc::make_mut(snapshot).primary.shrink(hash, |id| {
                let row = chunks.row(RowId(id));
                row.map_or(0, |row| I::hash_row(row, &hasher, &mut Writer::new()))
            });
        }
    }

    /// The live row of this hash for which `is` says yes.
    pub(in crate::cache) fn find_live(&self, hash: u64, is: impl Fn(&R) -> bool) -> Option<RowId> {
        self.snapshot.primary.find(hash, |id| {
            self.versions(RowId(id)).find(|&id| {
                let live = self.slot(id).filter(|slot| slot.state() == SlotState::Live);
                live.and_then(Slot::row).is_some_and(&is)
            })
        })
    }

    /// A version of a row and those that replace it, one after the other.
    #[inline]
    pub(in crate::cache) fn versions(&self, id: RowId) -> impl Iterator<Item = RowId> {
        core::iter::successors(Some(id), |&id| self.snapshot.chunks.newer(id))
    }

    pub(in crate::cache) fn has_further_indexes(&self) -> bool {
        let Snapshot { uniques, ordered, declared, .. } = &*self.snapshot;
        !uniques.is_empty() || !ordered.is_empty() || !declared.is_empty()
    }

    /// Adds rows to all indexes but that of identities.
    pub(in crate::cache) fn index_further(&mut self, ids: &[u32]) {
        if self.has_further_indexes() && !ids.is_empty() {
            R::visit_indexes(&mut IndexRows { store: self, ids });
            let Snapshot { declared, chunks, .. } = &*self.snapshot;
            declared.iter().for_each(|index| index.insert(ids, chunks));
        }
    }

    /// Removes rows from all indexes but that of identities.
    pub(in crate::cache) fn unindex_further(&mut self, ids: &[u32]) {
        if self.has_further_indexes() && !ids.is_empty() {
            R::visit_indexes(&mut UnindexRows { store: self, ids });
            self.snapshot.declared.iter().for_each(|index| index.remove(ids));
        }
    }
}

/// Adds rows to every index that the table has, out of those that its row type could have.
struct IndexRows<'a, R: Row> {
    store: &'a mut TableStore<R>,
    ids: &'a [u32],
}

impl<R: Row> IndexVisitor<R> for IndexRows<'_, R> {
    fn unique<V: Hash + Eq + 'static>(
        &mut self,
        column: u16,
        get: impl Fn(&R) -> &V + Copy + Send + Sync + 'static,
    ) {
        let place = self.store.snapshot.uniques.iter().position(|unique| unique.0 == column);
        let Some(place) = place else { return };
        let chunks = Arc::clone(&self.store.snapshot.chunks);
        let hasher = self.store.snapshot.hasher.clone();
        let hash = |id| chunks.row(RowId(id)).map_or(0, |row| hasher.hash_one(get(row)));
        for &id in self.ids {
            let hash_of_id = hash(id);
            while !self.store.snapshot.uniques[place].1.try_insert(hash_of_id, id) {
                let snapshot = Arc::make_mut(&mut self.store.snapshot);
                snapshot.uniques[place].1.grow(hash_of_id, hash);
                self.store.stale = true;
            }
        }
    }

    fn ordered(
        &mut self,
        columns: &'static [u16],
        compare: impl Fn(&R, &R) -> Ordering + Copy + Send + Sync + 'static,
    ) {
        let snapshot = &self.store.snapshot;
        let index = snapshot.ordered.iter().find(|index| index.columns() == columns);
        if let Some(index) = index {
            index.set_chunks(&snapshot.chunks);
            index.insert(self.ids, compare);
        }
    }
}

/// Removes rows from every index that the table has.
struct UnindexRows<'a, R: Row> {
    store: &'a mut TableStore<R>,
    ids: &'a [u32],
}

impl<R: Row> IndexVisitor<R> for UnindexRows<'_, R> {
    fn unique<V: Hash + Eq + 'static>(
        &mut self,
        column: u16,
        get: impl Fn(&R) -> &V + Copy + Send + Sync + 'static,
    ) {
        let place = self.store.snapshot.uniques.iter().position(|unique| unique.0 == column);
        let Some(place) = place else { return };
        let chunks = Arc::clone(&self.store.snapshot.chunks);
        let hasher = self.store.snapshot.hasher.clone();
        let hash = |id| chunks.row(RowId(id)).map_or(0, |row| hasher.hash_one(get(row)));
        for &id in self.ids {
            let hash_of_id = hash(id);
            if self.store.snapshot.uniques[place].1.remove(hash_of_id, id).sparse {
                let snapshot = Arc::make_mut(&mut self.store.snapshot);
                snapshot.uniques[place].1.shrink(hash_of_id, hash);
                self.store.stale = true;
            }
        }
    }

    fn ordered(
        &mut self,
        columns: &'static [u16],
        compare: impl Fn(&R, &R) -> Ordering + Copy + Send + Sync + 'static,
    ) {
        let mut indexes = self.store.snapshot.ordered.iter();
        if let Some(index) = indexes.find(|index| index.columns() == columns) {
            self.ids.iter().for_each(|&id| index.remove(id, compare));
        }
    }
}
