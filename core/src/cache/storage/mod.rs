//! Row storage of a table: versions of rows in slots, the stamps that decide which views see them, and giving memory back.
//!
//! Row ids go in and come out. Nothing is known here of indexes, of query sets or of mutations: [`RowStorage::retire`]
//! returns the ids that the table has to take out of its indexes.
//!
//! A version's way: [put](RowStorage::fill) into a free slot (*staged*), [made visible](RowStorage::make_visible) (*live*),
//! [deleted](RowStorage::delete) (older views may see it), [retired](RowStorage::retire) when no view can see it any more,
//! and its slot freed, by [vacuum](RowStorage::vacuum), by [compaction](RowStorage::compact), or together with its chunk.
//!
//! # Invariants
//!
//! Everything that stamps a slot goes through here, so that it is known which chunks are all visible, how many rows new
//! views see, and what rows weigh.

pub(super) mod chunks;
mod deleted;
mod evacuation;
mod occupancy;
pub(super) mod pair;
pub(super) mod row_counts;
pub(super) mod row_id;
pub(super) mod slot;
pub(super) mod stamp;
mod vacuum;
pub(super) mod weigh;

use std::sync::Arc;

use self::chunks::{Chunks, next_chunk_slots};
use self::deleted::DeletedRows;
use self::evacuation::Evacuation;
use self::occupancy::Occupancy;
use self::row_counts::RowCounts;
use self::row_id::{CHUNK_SLOTS, FIRST_CHUNK_SLOTS, RowId};
use self::slot::{Slot, SlotState};
use self::stamp::Stamp;
use self::weigh::{INDEX_BYTES, Weight};
use crate::bsatn::{Decode, Writer};
use crate::cache::error::OutOfSyncKind;
use crate::guard::FencedRows;
use crate::schema::Row;

/// Versions of a table's rows.
pub(super) struct RowStorage<R> {
    /// Shared with readers, as the numbers of rows are.
    chunks: Arc<Chunks<R>>,
    counts: Arc<RowCounts>,
    /// `true` if chunks came or went since readers got the list of them.
    is_unpublished: bool,
    /// `true` if versions are linked, each to the one that replaces it: if rows have keys.
    is_linked: bool,
    occupancy: Occupancy,
    /// Rows that views may still see.
    deleted: DeletedRows,
    /// Deleted rows that cannot be compacted, oldest first, to be retired.
    uncompacted: Vec<u32>,
    evacuation: Evacuation,
    /// Rows that were taken out of their slots, to be dropped outside of the lock.
    vacuumed: FencedRows<R>,
    /// Stands in for the chunks while rows are taken out of those.
    nothing: Arc<Chunks<R>>,
    /// Bytes that a row took on average in the list that came last.
    row_bytes: usize,
    /// The version that last changed any slot.
    changed_at: u64,
}

/// Index and number of slots of a chunk that was added.
#[derive(Debug, Clone, Copy)]
pub(super) struct AddedChunk {
    pub(super) index: usize,
    pub(super) slots: usize,
}

/// Reading.
impl<R: Row> RowStorage<R> {
    /// `true` if rows are of different sizes.
    const SIZES_VARY: bool = <R as Decode<'static>>::SIZE.is_none();

    /// Bytes that every row takes.
    const ROW_BYTES: usize = size_of::<Slot<R>>() + INDEX_BYTES;

    pub(super) fn new(is_linked: bool) -> Self {
        Self {
            chunks: Arc::new(Chunks::new()),
            counts: Arc::default(),
            is_unpublished: true,
            is_linked,
            occupancy: Occupancy::new(Self::SIZES_VARY),
            deleted: DeletedRows::default(),
            uncompacted: Vec::new(),
            evacuation: Evacuation::default(),
            vacuumed: FencedRows::new(),
            nothing: Arc::new(Chunks::new()),
            row_bytes: 0,
            changed_at: 0,
        }
    }

    #[inline]
    pub(super) fn chunks(&self) -> &Arc<Chunks<R>> {
        &self.chunks
    }

    #[inline]
    pub(super) fn slot(&self, id: RowId) -> Option<&Slot<R>> {
        self.chunks.slot(id)
    }

    /// The row in a slot, visible or not.
    #[inline]
    pub(super) fn row(&self, id: RowId) -> Option<&R> {
        self.chunks.row(id)
    }

    #[inline]
    pub(super) fn is_live(&self, id: RowId) -> bool {
        self.slot(id).is_some_and(|slot| slot.state() == SlotState::Live)
    }

    /// The row in a slot, if it is live.
    pub(super) fn live_row(&self, id: RowId) -> Option<&R> {
        self.slot(id).filter(|slot| slot.state() == SlotState::Live)?.row()
    }

    /// A version of a row and those that replace it, one after the other.
    #[inline]
    pub(super) fn versions(&self, id: RowId) -> impl Iterator<Item = RowId> {
        core::iter::successors(Some(id), |&id| self.chunks.newer(id))
    }

    /// The slots that were ever used.
    pub(super) fn used_slots(&self) -> impl Iterator<Item = RowId> {
        let chunks = 0..self.occupancy.chunks();
        chunks.flat_map(|chunk| (0..self.occupancy.used(chunk)).map(move |s| RowId::new(chunk, s)))
    }

    /// The rows that views see or may yet see, staged ones among them.
    pub(super) fn held_rows(&self) -> Vec<u32> {
        let held = |id: &RowId| {
            let slot = self.slot(*id);
            slot.is_some_and(|slot| slot.row().is_some() && slot.deleted() != Stamp::ALWAYS)
        };
        self.used_slots().filter(held).map(|id| id.0).collect()
    }

    /// Deleted rows that views may still see, by the version with which they were.
    pub(super) fn deleted_rows(&self) -> impl Iterator<Item = (u64, &[u32])> {
        self.deleted.batches()
    }

    /// Number of rows that new views see.
    pub(super) fn len(&self) -> usize {
        self.occupancy.live()
    }

    /// Number of slots, of those with a row that a reader sees or may yet see, and of retired ones.
    pub(super) fn slot_counts(&self) -> (usize, usize, usize) {
        let Self { occupancy, .. } = self;
        (occupancy.capacity(), occupancy.occupied(), occupancy.retired_slots())
    }

    /// Returns `true` if no reader sees a row, nor may yet see one.
    pub(super) fn is_unoccupied(&self) -> bool {
        self.occupancy.occupied() == 0
    }

    /// Number of chunks, gaps counted.
    pub(super) fn chunk_count(&self) -> usize {
        self.occupancy.chunks()
    }

    /// Number of slots of a chunk that were ever used.
    pub(super) fn used_in(&self, chunk: usize) -> usize {
        self.occupancy.used(chunk)
    }

    /// Number of the deleted rows that views may still see, and the memory that they take.
    pub(super) fn deleted_size(&self) -> (usize, usize) {
        let weight = self.deleted.weight();
        (weight.rows, Self::bytes(weight))
    }

    /// The memory that retired rows take.
    pub(super) fn retired_bytes(&self) -> usize {
        Self::bytes(self.occupancy.retired_weight())
    }

    /// The memory that rows take.
    const fn bytes(weight: Weight) -> usize {
        weight.rows * Self::ROW_BYTES + weight.data
    }

    /// The numbers of rows in versions that readers may look at, oldest first.
    pub(super) fn counts(&self) -> Vec<(u64, usize)> {
        self.counts.entries()
    }
}

/// Publishing.
impl<R: Row> RowStorage<R> {
    /// Returns `true` if readers do not have the present list of chunks.
    pub(super) fn is_unpublished(&self) -> bool {
        self.is_unpublished
    }

    /// The part that readers share.
    pub(super) fn share(&self) -> (Arc<Chunks<R>>, Arc<RowCounts>) {
        (Arc::clone(&self.chunks), Arc::clone(&self.counts))
    }

    /// Notes that readers get the part that they share.
    pub(super) fn published(&mut self) {
        self.is_unpublished = false;
    }

    /// Notes the number of rows from a version on, for views of `horizon` or later.
    pub(super) fn note_count(&self, version: u64, horizon: u64) {
        self.counts.note(version, self.occupancy.live(), horizon);
    }

    /// Takes over the number of rows that another storage had in a version.
    pub(super) fn adopt_count(&self, version: u64, count: usize) {
        self.counts.note(version, count, 0);
    }

    /// Notes that a version changes slots.
    pub(super) fn note_change(&mut self, version: u64) {
        self.changed_at = version;
    }
}

/// Putting rows into slots.
impl<R: Row> RowStorage<R> {
    /// A free slot; none if a [chunk has to be added](Self::add_chunk) first.
    #[inline]
    pub(super) fn alloc(&mut self) -> Option<RowId> {
        self.occupancy.alloc()
    }

    /// Adds a chunk; `expected` is how many more slots will be asked for.
    ///
    /// # Errors
    ///
    /// The table has as many rows as ids can name.
    #[cold]
    pub(super) fn add_chunk(&mut self, expected: usize) -> Result<AddedChunk, OutOfSyncKind> {
        let slots = next_chunk_slots(self.occupancy.capacity(), expected, self.full_chunk_slots());
        let index = self.occupancy.add_chunk(slots).ok_or(OutOfSyncKind::TooManyRows)?;
        Arc::make_mut(&mut self.chunks).add(index, slots, self.is_linked);
        self.is_unpublished = true;
        Ok(AddedChunk { index, slots })
    }

    /// Puts a row that was decoded of `size` bytes into a slot that was allocated.
    #[inline]
    pub(super) fn fill(&mut self, id: RowId, row: R, size: usize) {
        if Self::SIZES_VARY {
            self.occupancy.set_size(id, size);
        }
        let put = self.slot(id).is_some_and(|slot| slot.put(row));
        debug_assert!(put, "a slot that is given away is free");
    }

    /// Number of bytes of which a row would be decoded.
    pub(super) fn encoded_size(row: &R) -> usize {
        if !Self::SIZES_VARY {
            return 0;
        }
        let mut out = Writer::new();
        row.encode(&mut out);
        out.as_slice().len()
    }

    /// Notes what a row takes on average in a list that comes.
    pub(super) fn expect_row_bytes(&mut self, bytes: usize) {
        self.row_bytes = bytes;
    }

    /// Links a version to the one that replaces it, or to none.
    #[inline]
    pub(super) fn set_newer(&self, id: RowId, newer: Option<RowId>) {
        self.chunks.set_newer(id, newer);
    }

    /// Number of slots that a chunk has at most, so that a chunk of large rows takes no more than one of many small ones.
    fn full_chunk_slots(&self) -> usize {
        /// Bytes that a full chunk takes about, where rows are large.
        const CHUNK_BYTES: usize = 1 << 20;
        let row = Self::ROW_BYTES + self.row_bytes;
        (CHUNK_BYTES / row + 1).next_power_of_two().clamp(FIRST_CHUNK_SLOTS, CHUNK_SLOTS)
    }
}

/// Visibility.
impl<R: Row> RowStorage<R> {
    /// Makes a staged row live, from the version `at` on.
    #[inline]
    pub(super) fn make_visible(&mut self, id: RowId, at: Stamp) {
        let Some(slot) = self.chunks.slot(id) else { return };
        slot.set_created(at);
        self.occupancy.count_live(id);
    }

    /// Undoes [`make_visible`](Self::make_visible).
    pub(super) fn undo_make_visible(&mut self, id: RowId) {
        let Some(slot) = self.chunks.slot(id) else { return };
        slot.set_created(Stamp::NEVER);
        self.occupancy.uncount_live(id);
    }

    /// Deletes a live row with the version `at`.
    #[inline]
    pub(super) fn delete(&mut self, id: RowId, at: Stamp) {
        // Readers of an all visible chunk do not read stamps: the mark goes first, and is published with the delete.
        if self.occupancy.clear_all_visible(id.chunk()) {
            self.chunks.set_all_visible(id.chunk(), false);
        }
        let Some(slot) = self.chunks.slot(id) else { return };
        slot.set_deleted(at);
        self.occupancy.uncount_live(id);
    }

    /// Undoes [`delete`](Self::delete).
    pub(super) fn undo_delete(&mut self, id: RowId) {
        let Some(slot) = self.chunks.slot(id) else { return };
        slot.set_deleted(Stamp::NEVER);
        self.occupancy.count_live(id);
    }

    /// Ends a staged row, which no view has seen.
    pub(super) fn discard(&self, id: RowId) {
        if let Some(slot) = self.slot(id) {
            slot.set_deleted(Stamp::ALWAYS);
        }
    }

    /// Hides a deleted row from older views too: of a table that no view has yet.
    pub(super) fn hide_from_all(&self, id: RowId) {
        if let Some(slot) = self.slot(id) {
            slot.set_retired();
        }
    }

    /// Marks chunks in which every slot has a live row, if no view of a version before `horizon` is left, and nothing
    /// is staged or committed by halves.
    pub(super) fn mark_all_visible(&mut self, horizon: u64) {
        if self.changed_at > horizon {
            return;
        }
        let Self { occupancy, chunks, .. } = self;
        occupancy.mark_all_visible(|chunk| chunks.set_all_visible(chunk, true));
    }

    /// Stamps live rows of a chunk that all views see as older than any version; whether there is such a chunk.
    pub(super) fn freeze(&self, chunk: usize, horizon: u64) -> bool {
        let horizon = Stamp::of(horizon);
        for slot in self.chunks.slots(chunk) {
            if slot.state() == SlotState::Live && slot.created().reached(horizon) {
                slot.set_created(Stamp::ALWAYS);
            }
        }
        chunk < self.occupancy.chunks()
    }
}
