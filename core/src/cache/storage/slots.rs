//! Slots of rows, in chunks, with the stamps that decide which views see them.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::Arc;

use spin::Once;

use super::stamp::{AtomicStamp, Stamp};
use crate::guard::{self, ROW_TYPE};

/// Names a row's slot within its table.
///
/// The row in a slot stays the same for as long as any view is held, so an id that a view has seen keeps its meaning
/// for that view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub(in crate::cache) u32);

/// Number of low bits of an id that are the place within its chunk.
const SLOT_BITS: u32 = 10;
/// Number of slots in a full-sized chunk.
pub(in crate::cache) const CHUNK_SLOTS: usize = 1 << SLOT_BITS;
/// Number of slots in the first chunk. Later ones double a table's slots up to the full size, so that a table of a few
/// rows stays small.
pub(in crate::cache) const FIRST_CHUNK_SLOTS: usize = 8;
/// Number of chunks that ids can name. One less than would fit, so that no row has the id [`NO_ROW`].
pub(in crate::cache) const MAX_CHUNKS: usize = (1 << (32 - SLOT_BITS)) - 1;

/// A live row, and the one that it replaced.
#[derive(Debug, Clone, Copy)]
pub(in crate::cache) struct Replaced {
    pub(in crate::cache) old: RowId,
    pub(in crate::cache) new: RowId,
}

/// No row, where an optional one is kept in four bytes.
pub(in crate::cache) const NO_ROW: u32 = u32::MAX;

impl RowId {
    #[inline]
    pub(in crate::cache) fn new(chunk: usize, slot: usize) -> Self {
        debug_assert!(chunk < MAX_CHUNKS && slot < CHUNK_SLOTS);
        Self((chunk as u32) << SLOT_BITS | slot as u32)
    }

    #[inline]
    pub(in crate::cache) fn chunk(self) -> usize {
        (self.0 >> SLOT_BITS) as usize
    }

    #[inline]
    pub(in crate::cache) fn slot(self) -> usize {
        self.0 as usize & (CHUNK_SLOTS - 1)
    }
}

/// A place for one row.
///
/// | created | deleted   | the row is |
/// | ------- | --------- | --- |
/// | `NEVER` | `NEVER`   | staged, or there is none |
/// | a point | `NEVER`   | live |
/// | a point | a point   | deleted, and seen by views in between |
/// | `NEVER` | `ALWAYS`  | retired: seen by no view, its memory still to be freed |
#[derive(Debug)]
pub(in crate::cache) struct Slot<R> {
    row: Once<R>,
    created: AtomicStamp,
    deleted: AtomicStamp,
}

impl<R> Slot<R> {
    fn new() -> Self {
        Self {
            row: Once::new(),
            created: AtomicStamp::new(Stamp::NEVER),
            deleted: AtomicStamp::new(Stamp::NEVER),
        }
    }

    /// The row, whether or not anybody may see it.
    #[inline]
    pub(in crate::cache) fn row(&self) -> Option<&R> {
        self.row.get()
    }

    /// The row, if views of version `at` see it.
    #[inline]
    pub(in crate::cache) fn visible(&self, at: Stamp) -> Option<&R> {
        if self.is_visible(at) { self.row.get() } else { None }
    }

    #[inline]
    pub(in crate::cache) fn is_visible(&self, at: Stamp) -> bool {
        let deleted = self.deleted.get();
        // Nearly all rows are not dead.
        self.created.get().reached(at) && (deleted == Stamp::NEVER || !deleted.reached(at))
    }

    /// State of the slot, as the writer sees it.
    #[inline]
    pub(in crate::cache) fn state(&self) -> SlotState {
        match (self.created.get(), self.deleted.get()) {
            (Stamp::NEVER, Stamp::NEVER) => SlotState::Staged,
            (_, Stamp::NEVER) => SlotState::Live,
            _ => SlotState::Deleted,
        }
    }

    /// Puts a row into a free slot; `false` if it is not free. Only the table's writer does, so no thread ever spins here.
    pub(in crate::cache) fn put(&self, row: R) -> bool {
        let mut is_free = false;
        self.row.call_once(|| {
            is_free = true;
            row
        });
        is_free
    }

    pub(in crate::cache) fn created(&self) -> Stamp {
        self.created.get()
    }

    pub(in crate::cache) fn deleted(&self) -> Stamp {
        self.deleted.get()
    }

    pub(in crate::cache) fn set_created(&self, at: Stamp) {
        self.created.set(at);
    }

    pub(in crate::cache) fn set_deleted(&self, at: Stamp) {
        self.deleted.set(at);
    }

    /// Hides the row from all views, for good. None may see it any more, unless the row was never visible.
    pub(in crate::cache) fn set_retired(&self) {
        self.created.set(Stamp::NEVER);
        self.deleted.set(Stamp::ALWAYS);
    }

    /// Frees the slot and hands out what was in it.
    pub(in crate::cache) fn take(&mut self) -> Option<R> {
        self.created.set(Stamp::NEVER);
        self.deleted.set(Stamp::NEVER);
        core::mem::take(&mut self.row).try_into_inner()
    }

    /// Takes over the row of another slot, which is free then, and hands out its own. All views see the one, and none
    /// the other.
    fn take_over(&mut self, from: &mut Self) -> Option<R> {
        core::mem::swap(&mut self.row, &mut from.row);
        self.created.set(Stamp::ALWAYS);
        self.deleted.set(Stamp::NEVER);
        from.take()
    }
}

/// A chunk goes with its last holder, which may be any reader: a row that panics takes neither that along nor its
/// neighbours.
impl<R> Drop for Slot<R> {
    fn drop(&mut self) {
        if core::mem::needs_drop::<R>() && self.row.is_completed() {
            let dropped = guard::catch(|| self.row = Once::new());
            guard::note_failed_drop::<R>(ROW_TYPE, dropped);
        }
    }
}

/// State of a slot, as the writer sees it. See [`Slot`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cache) enum SlotState {
    Staged,
    Live,
    Deleted,
}

/// Slots that were allocated together.
pub(in crate::cache) type Chunk<R> = Arc<[Slot<R>]>;

/// The chunks of a table; a chunk that was freed leaves a gap.
pub(in crate::cache) struct Chunks<R> {
    list: Vec<Place<R>>,
}

/// Place of a chunk, or a gap.
///
/// Versions of a row with a key are *linked*, each to the one that replaces it. The index has the oldest that is not
/// retired, and an update leaves the index alone. Links are beside the slots, where iterating does not go by.
///
/// A chunk is *all visible* while all its slots have rows that every view sees which has this place. Most chunks are, most
/// of the time; readers skip the stamps of those, which often lie in a cache line of their own. Before a row is deleted
/// in it, the writer takes the mark away, and publishes that with the delete. An older copy of the place may keep the
/// mark: its views are older than the delete.
struct Place<R> {
    chunk: Option<Chunk<R>>,
    /// The version that replaces the one in each slot, or [`NO_ROW`]. Empty where rows have no key.
    newer: Arc<[AtomicU32]>,
    all_visible: AtomicBool,
}

impl<R> Place<R> {
    fn is_all_visible(&self) -> bool {
        self.all_visible.load(Relaxed)
    }

    #[inline]
    fn newer(&self, slot: usize) -> Option<RowId> {
        let newer = self.newer.get(slot)?.load(Relaxed);
        (newer != NO_ROW).then_some(RowId(newer))
    }

    /// The slots and the links, if they have no other owner.
    fn alone(&mut self) -> Option<(&mut [Slot<R>], &[AtomicU32])> {
        Some((Arc::get_mut(self.chunk.as_mut()?)?, &self.newer))
    }
}

impl<R> Clone for Place<R> {
    fn clone(&self) -> Self {
        Self {
            chunk: self.chunk.clone(),
            newer: Arc::clone(&self.newer),
            all_visible: self.is_all_visible().into(),
        }
    }
}

impl<R> Chunks<R> {
    pub(in crate::cache) const fn new() -> Self {
        Self { list: Vec::new() }
    }

    /// The slot of a row; none if this list does not have its chunk.
    #[inline]
    pub(in crate::cache) fn slot(&self, id: RowId) -> Option<&Slot<R>> {
        self.list.get(id.chunk())?.chunk.as_deref()?.get(id.slot())
    }

    /// The row in a slot, if views of version `at` see it.
    #[inline]
    pub(in crate::cache) fn visible(&self, id: RowId, at: Stamp) -> Option<&R> {
        let place = self.list.get(id.chunk())?;
        let slot = place.chunk.as_deref()?.get(id.slot())?;
        if place.is_all_visible() || slot.is_visible(at) { slot.row() } else { None }
    }

    /// Out of the versions of a row, from one on, the one that views of version `at` see.
    #[inline]
    pub(in crate::cache) fn version(&self, mut id: RowId, at: Stamp) -> Option<(RowId, &R)> {
        loop {
            let place = self.list.get(id.chunk())?;
            let slot = place.chunk.as_deref()?.get(id.slot())?;
            if place.is_all_visible() || slot.is_visible(at) {
                return Some((id, slot.row()?));
            }
            // What replaces a row that is not visible yet is visible later still.
            id = if slot.deleted().reached(at) { place.newer(id.slot())? } else { return None };
        }
    }

    /// The version that replaces the one in a slot.
    #[inline]
    pub(in crate::cache) fn newer(&self, id: RowId) -> Option<RowId> {
        self.list.get(id.chunk())?.newer(id.slot())
    }

    /// Links a version to the one that replaces it, or to none.
    #[inline]
    pub(in crate::cache) fn set_newer(&self, id: RowId, newer: Option<RowId>) {
        if let Some(place) = self.list.get(id.chunk())
            && let Some(link) = place.newer.get(id.slot())
        {
            link.store(newer.map_or(NO_ROW, |newer| newer.0), Relaxed);
        }
    }

    pub(in crate::cache) fn set_all_visible(&self, chunk: usize, all_visible: bool) {
        if let Some(place) = self.list.get(chunk) {
            place.all_visible.store(all_visible, Relaxed);
        }
    }

    /// The row in a slot, visible or not.
    #[inline]
    pub(in crate::cache) fn row(&self, id: RowId) -> Option<&R> {
        self.slot(id)?.row()
    }

    /// The slots of one chunk, and whether it is all visible.
    #[inline]
    pub(in crate::cache) fn slots_to_read(&self, chunk: usize) -> (&[Slot<R>], bool) {
        let Some(place) = self.list.get(chunk) else { return (&[], false) };
        (place.chunk.as_deref().unwrap_or_default(), place.is_all_visible())
    }

    /// The slots of one chunk; none at a gap.
    #[inline]
    pub(in crate::cache) fn slots(&self, chunk: usize) -> &[Slot<R>] {
        self.slots_to_read(chunk).0
    }

    /// Frees slots of one chunk, and adds what was in them to `rows`; `false` if the chunk has another owner.
    pub(in crate::cache) fn take(
        &mut self,
        chunk: usize,
        slots: impl IntoIterator<Item = usize>,
        rows: &mut Vec<R>,
    ) -> bool {
        let place = self.list.get_mut(chunk);
        let Some((chunk, newer)) = place.and_then(Place::alone) else { return false };
        for slot in slots {
            rows.extend(chunk[slot].take());
            if let Some(newer) = newer.get(slot) {
                newer.store(NO_ROW, Relaxed);
            }
        }
        true
    }

    /// Moves rows into the slots of those that they replaced, and adds these to `old`: out of one chunk, into one
    /// chunk. `false` if one of them has another owner.
    pub(in crate::cache) fn compact(&mut self, run: &[Replaced], old: &mut Vec<R>) -> bool {
        let Some(first) = run.first() else { return true };
        let (to, from) = (first.old.chunk(), first.new.chunk());
        if let Ok([to, from]) = self.list.get_disjoint_mut([to, from]) {
            let (Some((to, newer)), Some((from, _))) = (to.alone(), from.alone()) else {
                return false;
            };
            old.extend(run.iter().filter_map(|replaced| {
                newer[replaced.old.slot()].store(NO_ROW, Relaxed);
                to[replaced.old.slot()].take_over(&mut from[replaced.new.slot()])
            }));
        } else {
            let place = self.list.get_mut(to);
            let Some((slots, newer)) = place.and_then(Place::alone) else { return false };
            old.extend(run.iter().filter_map(|replaced| {
                newer[replaced.old.slot()].store(NO_ROW, Relaxed);
                let both = [replaced.old.slot(), replaced.new.slot()];
                let [to, from] = slots.get_disjoint_mut(both).ok()?;
                to.take_over(from)
            }));
        }
        true
    }

    /// Number of chunks, gaps counted.
    pub(in crate::cache) fn len(&self) -> usize {
        self.list.len()
    }

    /// Adds a chunk at `index`, which must be a gap or the end; `linked` if its rows have keys.
    pub(in crate::cache) fn add(&mut self, index: usize, slots: usize, linked: bool) {
        let chunk = (0..slots).map(|_| Slot::new()).collect();
        let links = if linked { slots } else { 0 };
        let newer = (0..links).map(|_| AtomicU32::new(NO_ROW)).collect();
        let place = Place { chunk: Some(chunk), newer, all_visible: false.into() };
        if index == self.list.len() {
            self.list.push(place);
        } else {
            self.list[index] = place;
        }
    }

    /// Leaves a gap at `index` and hands out what was there.
    pub(in crate::cache) fn remove(&mut self, index: usize) -> Option<Chunk<R>> {
        let place = self.list.get_mut(index)?;
        place.newer = Arc::new([]);
        place.chunk.take()
    }
}

impl<R> Clone for Chunks<R> {
    fn clone(&self) -> Self {
        Self { list: self.list.clone() }
    }
}

/// Number of slots of the next chunk of a table that has `slots`, expects `rows` more, and has chunks of at most `full`.
pub(in crate::cache) fn next_chunk_slots(slots: usize, rows: usize, full: usize) -> usize {
    slots.max(rows).next_power_of_two().clamp(FIRST_CHUNK_SLOTS, full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_is_visible_from_insert_to_delete() {
        let slot = Slot::new();
        assert!(slot.put("row"));
        assert!(!slot.put("another"));
        let at = |version| slot.visible(Stamp::of(version)).is_some();
        assert_eq!(slot.state(), SlotState::Staged);
        assert!(!at(3));
        slot.set_created(Stamp::of(3));
        assert_eq!(slot.state(), SlotState::Live);
        assert!(!at(2) && at(3) && at(4));
        slot.set_deleted(Stamp::of(4));
        assert_eq!(slot.state(), SlotState::Deleted);
        assert!(!at(2) && at(3) && !at(4));
        slot.set_retired();
        assert!(!at(3) && !at(4));
    }

    #[test]
    fn ids_name_chunk_and_slot() {
        let id = RowId::new(MAX_CHUNKS - 1, CHUNK_SLOTS - 1);
        assert_eq!((id.chunk(), id.slot()), (MAX_CHUNKS - 1, CHUNK_SLOTS - 1));
        assert!(id.0 < NO_ROW);
    }

    #[test]
    fn small_tables_get_small_chunks() {
        for (slots, rows, full, next) in [
            (0, 1, 1024, 8),
            (8, 1, 1024, 8),
            (16, 1, 1024, 16),
            (0, 100, 1024, 128),
            (5000, 1, 1024, 1024),
            (5000, 100, 32, 32),
        ] {
            assert_eq!(next_chunk_slots(slots, rows, full), next);
        }
    }

    /// Eight bytes a slot beside the row and what `Once` needs to know whether it is there.
    const _: () = assert!(size_of::<Slot<[u64; 10]>>() == 80 + 8 + 8);
}
