//! Chunks of slots, which readers and the writer share.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::Arc;

use super::row_id::{FIRST_CHUNK_SLOTS, NO_ROW, Replaced, RowId};
use super::slot::Slot;
use super::stamp::Stamp;

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
}
