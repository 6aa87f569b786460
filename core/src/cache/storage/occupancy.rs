//! Occupancy of a table's chunks: which slots are free, used, retired, and what their rows weigh.
//!
//! # Invariants
//!
//! A chunk stands at most once in each of the lists `open`, `retired` and `empty`. A chunk in `retired` has retired slots.
//! A closed chunk gives no slot away.

use super::row_id::{MAX_CHUNKS, Replaced, RowId};
use super::weigh::{Sizes, Weight, pay};

/// Writer's part of a chunk.
#[derive(Debug, Default)]
struct ChunkMeta {
    /// Number of its slots; 0 for a gap.
    slots: usize,
    sizes: Sizes,
    /// Slots below this were used at least once.
    used: usize,
    /// Those of them that are free again.
    free: Vec<u16>,
    /// Slots whose rows no view sees any more, and that still hold them.
    retired: Vec<u16>,
    /// Number of slots with live rows.
    live: usize,
    /// `true` if every view sees the rows of all slots: see [`Chunks::visible`](super::chunks::Chunks::visible).
    is_all_visible: bool,
    /// `true` if the chunk is listed in `open`.
    is_open: bool,
    /// `true` if the chunk is listed in `empty`.
    is_listed_empty: bool,
    /// `true` if rows are moved out of it: no slot is given away any more.
    is_closed: bool,
    /// `true` if a row could not be moved out of it: its type does not decode what it encodes.
    is_stuck: bool,
}

impl ChunkMeta {
    /// Number of slots with a row that a reader sees, or may yet see.
    fn occupied(&self) -> usize {
        self.used - self.free.len() - self.retired.len()
    }

    fn take_slot(&mut self) -> Option<usize> {
        if self.is_closed {
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
        !self.is_closed && (!self.free.is_empty() || self.used < self.slots)
    }

    /// Bytes that the retired rows take beside their slots.
    fn retired_data(&self) -> usize {
        self.retired.iter().map(|&slot| self.sizes.get(usize::from(slot))).sum()
    }
}

/// Slots of a table by their use.
#[derive(Debug)]
pub(super) struct Occupancy {
    /// `true` if rows are of different sizes, which are kept then.
    sizes_vary: bool,
    chunks: Vec<ChunkMeta>,
    /// Chunks that may have free slots.
    open: Vec<u32>,
    /// Gaps among the chunks. Views may still have what was there, in which they see nothing.
    gaps: Vec<u32>,
    /// Chunks that had no free slot left, and may be all visible.
    full: Vec<u32>,
    /// Chunks with retired slots.
    retired: Vec<u32>,
    /// Chunks in which no view may see a row any more, or might when they were listed.
    empty: Vec<u32>,
    /// Number of slots.
    capacity: usize,
    /// Number of slots with a row that a reader sees, or may yet see.
    occupied: usize,
    /// Bytes that those rows take beside their slots.
    occupied_data: usize,
    /// Number of rows that new views see.
    live: usize,
    retired_weight: Weight,
}

/// Slots.
impl Occupancy {
    pub(super) fn new(sizes_vary: bool) -> Self {
        Self {
            sizes_vary,
            chunks: Vec::new(),
            open: Vec::new(),
            gaps: Vec::new(),
            full: Vec::new(),
            retired: Vec::new(),
            empty: Vec::new(),
            capacity: 0,
            occupied: 0,
            occupied_data: 0,
            live: 0,
            retired_weight: Weight::default(),
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn occupied(&self) -> usize {
        self.occupied
    }

    pub(super) fn live(&self) -> usize {
        self.live
    }

    pub(super) fn retired_slots(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.retired.len()).sum()
    }

    pub(super) fn retired_weight(&self) -> Weight {
        self.retired_weight
    }

    /// Number of chunks, gaps counted.
    pub(super) fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// Number of slots of a chunk that were ever used.
    pub(super) fn used(&self, chunk: usize) -> usize {
        self.chunks[chunk].used
    }

    /// A free slot; none if a chunk has to be added first.
    #[inline]
    pub(super) fn alloc(&mut self) -> Option<RowId> {
        loop {
            let &index = self.open.last()?;
            let chunk = &mut self.chunks[index as usize];
            if let Some(slot) = chunk.take_slot() {
                self.occupied += 1;
                return Some(RowId::new(index as usize, slot));
            }
            chunk.is_open = false;
            self.open.pop();
            self.full.push(index);
        }
    }

    /// Adds a chunk and says where; none if there are as many as ids can name.
    pub(super) fn add_chunk(&mut self, slots: usize) -> Option<usize> {
        let index = self.gaps.pop().map_or(self.chunks.len(), |gap| gap as usize);
        if index >= MAX_CHUNKS {
            return None;
        }
        self.capacity += slots;
        let sizes = Sizes::new(slots, self.sizes_vary);
        let chunk = ChunkMeta { slots, sizes, ..ChunkMeta::default() };
        match self.chunks.get_mut(index) {
            Some(gap) => *gap = chunk,
            None => self.chunks.push(chunk),
        }
        self.open_chunk(index);
        Some(index)
    }

    /// Lists a chunk as having free slots, if it has some.
    #[inline]
    pub(super) fn open_chunk(&mut self, index: usize) {
        let chunk = &mut self.chunks[index];
        if !chunk.is_open && chunk.has_room() {
            chunk.is_open = true;
            self.open.push(index as u32);
        }
    }

    fn remove_chunk(&mut self, index: usize) {
        self.gaps.push(index as u32);
        let chunk = core::mem::take(&mut self.chunks[index]);
        self.capacity -= chunk.slots;
        for &slot in &chunk.retired {
            self.retired_weight.remove(chunk.sizes.get(usize::from(slot)));
        }
        self.retired.retain(|&other| other as usize != index);
        if chunk.is_open {
            self.open.retain(|&other| other as usize != index);
        }
    }
}

/// Sizes.
impl Occupancy {
    /// Bytes that a row takes beside its slot.
    #[inline]
    pub(super) fn size(&self, id: RowId) -> usize {
        if self.sizes_vary { self.chunks[id.chunk()].sizes.get(id.slot()) } else { 0 }
    }

    /// Notes the size of the encoding of a row that was just put into a slot.
    #[inline]
    pub(super) fn set_size(&mut self, id: RowId, size: usize) {
        if self.sizes_vary {
            let sizes = &mut self.chunks[id.chunk()].sizes;
            sizes.set(id.slot(), size);
            self.occupied_data += sizes.get(id.slot());
        }
    }
}

/// Visibility.
impl Occupancy {
    #[inline]
    pub(super) fn count_live(&mut self, id: RowId) {
        self.chunks[id.chunk()].live += 1;
        self.live += 1;
    }

    #[inline]
    pub(super) fn uncount_live(&mut self, id: RowId) {
        self.chunks[id.chunk()].live -= 1;
        self.live -= 1;
    }

    /// Takes the mark from a chunk that is all visible; whether it had it.
    #[inline]
    pub(super) fn clear_all_visible(&mut self, chunk: usize) -> bool {
        core::mem::take(&mut self.chunks[chunk].is_all_visible)
    }

    /// Marks the chunks in which every slot has a live row, out of those that became full. To be called when no view is
    /// older than the last change.
    pub(super) fn mark_all_visible(&mut self, mut marked: impl FnMut(usize)) {
        for index in core::mem::take(&mut self.full) {
            let chunk = &mut self.chunks[index as usize];
            // One that is not full of live rows is listed again when it is full again.
            if chunk.slots > 0 && chunk.live == chunk.slots {
                chunk.is_all_visible = true;
                marked(index as usize);
            }
        }
    }
}

/// Retired slots.
impl Occupancy {
    /// Notes that no view sees a row any more, which is still in its slot.
    #[inline]
    pub(super) fn retire(&mut self, id: RowId) {
        let size = self.size(id);
        self.occupied_data -= size;
        self.retired_weight.add(size);
        self.occupied -= 1;
        let chunk = &mut self.chunks[id.chunk()];
        if chunk.retired.is_empty() {
            self.retired.push(id.chunk() as u32);
        }
        chunk.retired.push(id.slot() as u16);
        self.note_empty(id.chunk());
    }

    /// Lists a chunk in which no view may see a row, if that is so.
    #[inline]
    pub(super) fn note_empty(&mut self, index: usize) {
        let chunk = &mut self.chunks[index];
        if chunk.occupied() == 0 && !core::mem::replace(&mut chunk.is_listed_empty, true) {
            self.empty.push(index as u32);
        }
    }

    #[inline]
    pub(super) fn has_retired(&self) -> bool {
        !self.retired.is_empty()
    }

    /// Takes retired slots of one chunk, as many as the budget pays for.
    #[inline]
    pub(super) fn take_retired(&mut self, budget: &mut usize) -> Option<(usize, Vec<u16>)> {
        let &index = self.retired.last()?;
        let ChunkMeta { retired, sizes, .. } = &mut self.chunks[index as usize];
        let sizes = retired.iter().rev().map(|&slot| sizes.get(usize::from(slot)));
        let count = pay(self.sizes_vary, sizes, budget);
        Some((index as usize, retired.split_off(retired.len() - count)))
    }

    /// Puts back slots that could not be freed.
    pub(super) fn put_back_retired(&mut self, chunk: usize, slots: Vec<u16>) {
        self.chunks[chunk].retired.extend(slots);
    }

    /// Frees slots that were taken by [`take_retired`](Self::take_retired).
    #[inline]
    pub(super) fn free(&mut self, index: usize, slots: Vec<u16>) {
        let chunk = &mut self.chunks[index];
        for &slot in &slots {
            self.retired_weight.remove(chunk.sizes.get(usize::from(slot)));
        }
        chunk.free.extend(slots);
        // They were taken from the last chunk of the list.
        if chunk.retired.is_empty() {
            self.retired.pop();
        }
        self.open_chunk(index);
    }

    /// Notes that a row has moved into the slot of the one that it replaced. Its old slot is free, and its chunk to be
    /// [opened](Self::open_chunk).
    #[inline]
    pub(super) fn compacted(&mut self, Replaced { old, new }: Replaced) {
        let (old_size, new_size) = (self.size(old), self.size(new));
        self.occupied -= 1;
        self.occupied_data -= old_size;
        let from = &mut self.chunks[new.chunk()];
        from.live -= 1;
        from.free.push(new.slot() as u16);
        self.note_empty(new.chunk());
        let to = &mut self.chunks[old.chunk()];
        to.sizes.set(old.slot(), new_size);
        to.live += 1;
        if to.live == to.slots {
            self.full.push(old.chunk() as u32);
        }
    }
}

/// Chunks that go.
impl Occupancy {
    /// Takes away a chunk in which no view may see a row, if there are more slots than the table's next changes will want.
    /// Its index, and what its rows take beside their slots. Readers of older views keep it.
    #[inline]
    pub(super) fn remove_empty_chunk(&mut self) -> Option<(usize, usize)> {
        if self.empty.is_empty() { None } else { self.remove_listed_chunk() }
    }

    fn remove_listed_chunk(&mut self) -> Option<(usize, usize)> {
        while let Some(&index) = self.empty.last() {
            let chunk = &mut self.chunks[index as usize];
            let (slots, is_closed) = (chunk.slots, chunk.is_closed);
            if slots > 0 && chunk.occupied() == 0 {
                if !is_closed && !self.has_spare(slots) {
                    return None;
                }
                let data = self.chunks[index as usize].retired_data();
                self.remove_chunk(index as usize);
                self.empty.pop();
                return Some((index as usize, data));
            }
            chunk.is_listed_empty = false;
            self.empty.pop();
        }
        None
    }

    /// Returns `true` if the table can do without some empty slots: a quarter more than it has rows is for their next
    /// versions, and one chunk for a table that comes and goes.
    fn has_spare(&self, slots: usize) -> bool {
        let left = self.capacity - slots;
        left > 0 && left >= self.occupied + self.occupied / 4
    }

    /// Returns `true` if there is nothing to reclaim, nor will be before the table changes.
    #[inline]
    pub(super) fn is_clean(&self) -> bool {
        let may_remove = self.empty.last().is_some_and(|&index| {
            let chunk = &self.chunks[index as usize];
            chunk.occupied() > 0 || chunk.is_closed || self.has_spare(chunk.slots)
        });
        self.retired.is_empty() && self.full.is_empty() && !may_remove
    }
}

/// Evacuation.
impl Occupancy {
    /// Returns `true` if most slots have no row; a full chunk has `full` slots.
    #[inline]
    pub(super) fn is_sparse(&self, full: usize) -> bool {
        self.capacity > 2 * self.occupied + 2 * full
    }

    /// Returns `true` if retired rows take more than the rows that views see, and enough to matter.
    #[inline]
    pub(super) fn has_heavy_retired(&self) -> bool {
        const LEAST_BYTES: usize = 32 << 20;
        let retired = self.retired_weight.data;
        retired > LEAST_BYTES && retired > self.occupied_data
    }

    /// Chunks in which most of the memory of retired rows is.
    pub(super) fn heavy_chunks(&self) -> Vec<u32> {
        let mut chunks = self.retired.clone();
        let share = self.retired_weight.data / (2 * chunks.len().max(1));
        chunks.retain(|&index| {
            let chunk = &self.chunks[index as usize];
            !chunk.is_stuck && chunk.retired_data() >= share
        });
        chunks
    }

    /// The sparsest chunks, so many that the others hold all rows with some room to spare. The sparsest is the last.
    pub(super) fn sparse_chunks(&self, full: usize) -> Vec<u32> {
        let mut chunks: Vec<_> = (0..self.chunks.len() as u32).collect();
        chunks.retain(|&index| {
            let chunk = &self.chunks[index as usize];
            chunk.slots > 0 && !chunk.is_stuck
        });
        chunks.sort_by_key(|&index| self.chunks[index as usize].occupied());
        let keep = (self.occupied + self.occupied / 4).div_ceil(full) + 1;
        chunks.truncate(chunks.len().saturating_sub(keep));
        chunks.reverse();
        chunks
    }

    /// Gives no slot of a chunk away any more.
    pub(super) fn close(&mut self, chunk: usize) {
        self.chunks[chunk].is_closed = true;
    }

    #[inline]
    pub(super) fn is_closed(&self, chunk: usize) -> bool {
        self.chunks[chunk].is_closed
    }

    /// Notes that a row could not be moved out of a chunk.
    pub(super) fn set_stuck(&mut self, chunk: usize) {
        self.chunks[chunk].is_stuck = true;
    }

    /// Notes that a chunk was looked through: it is empty, or goes on as before if rows could not be moved.
    pub(super) fn evacuated(&mut self, index: usize) {
        self.note_empty(index);
        let chunk = &mut self.chunks[index];
        if chunk.occupied() > 0 && chunk.is_stuck {
            chunk.is_closed = false;
            self.open_chunk(index);
        }
    }
}
