//! What rows weigh: the memory that they take, as far as can be known without asking each type.
//!
//! A row takes a slot and a place in the index, and beside them what its strings and lists hold, for which the size of
//! its encoding stands. Where all values of the row's type have one size they hold nothing, and no size is kept.

use super::slots::{CHUNK_SLOTS, FIRST_CHUNK_SLOTS, RowId, Slot};
use crate::bsatn::{Decode, Writer};
use crate::cache::table::store::{Side, TableStore};
use crate::schema::Row;

/// What a row takes in an index of identities, beside its slot.
const INDEX_BYTES: usize = 8;

/// So many bytes of a row take as long to be freed, hashed or decoded as a small row as a whole.
const BYTES_OF_SMALL_ROW: usize = 4096;

/// The sizes of the rows of a chunk, as they are encoded. None are kept where all are the same.
#[derive(Debug, Default)]
pub(in crate::cache) struct Sizes(Box<[u32]>);

impl Sizes {
    pub(in crate::cache) fn new(slots: usize, vary: bool) -> Self {
        Self(vec![0; if vary { slots } else { 0 }].into())
    }

    #[inline]
    pub(in crate::cache) fn get(&self, slot: usize) -> usize {
        self.0.get(slot).map_or(0, |&size| size as usize)
    }

    #[inline]
    fn set(&mut self, slot: usize, size: usize) {
        if let Some(place) = self.0.get_mut(slot) {
            // A row is within `max_row_bytes` of the wire, where lengths have 32 bits.
            *place = u32::try_from(size).unwrap_or(u32::MAX);
        }
    }
}

/// A number of rows, and what they weigh together beside their slots.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::cache) struct Weight {
    pub(in crate::cache) rows: usize,
    pub(in crate::cache) data: usize,
}

impl Weight {
    #[inline]
    pub(in crate::cache) fn add(&mut self, size: usize) {
        self.rows += 1;
        self.data += size;
    }

    pub(in crate::cache) fn add_all(&mut self, other: Self) {
        self.rows += other.rows;
        self.data += other.data;
    }

    #[inline]
    pub(in crate::cache) fn remove(&mut self, size: usize) {
        self.rows -= 1;
        self.data -= size;
    }
}

/// What the row in a slot takes beside it.
#[inline]
pub(in crate::cache) fn size_in(sides: &[Side], id: RowId) -> usize {
    sides[id.chunk()].sizes.get(id.slot())
}

/// How many small rows take as long to be freed as rows of so many bytes, beside one a row.
pub(in crate::cache) const fn cost_of_bytes(bytes: usize) -> usize {
    bytes / BYTES_OF_SMALL_ROW
}

/// How many rows of these sizes a budget pays for: at least one while there is any left of it.
pub(in crate::cache) fn pay(
    vary: bool,
    mut sizes: impl ExactSizeIterator<Item = usize>,
    budget: &mut usize,
) -> usize {
    let rows = sizes.len();
    if !vary {
        let count = rows.min(*budget);
        *budget -= count;
        return count;
    }
    while *budget > 0
        && let Some(size) = sizes.next()
    {
        *budget = budget.saturating_sub(1 + cost_of_bytes(size));
    }
    rows - sizes.len()
}

impl<R: Row> TableStore<R> {
    /// Whether rows are of different sizes.
    pub(in crate::cache) const SIZES_VARY: bool = <R as Decode<'static>>::SIZE.is_none();

    /// What every row takes.
    const ROW_BYTES: usize = size_of::<Slot<R>>() + INDEX_BYTES;

    /// What a row takes beside its slot.
    #[inline]
    pub(in crate::cache) fn size(&self, id: RowId) -> usize {
        if Self::SIZES_VARY { self.sides[id.chunk()].sizes.get(id.slot()) } else { 0 }
    }

    /// Says of how many bytes the row was decoded that was just put into a slot.
    #[inline]
    pub(in crate::cache) fn set_size(&mut self, id: RowId, size: usize) {
        if Self::SIZES_VARY {
            self.sides[id.chunk()].sizes.set(id.slot(), size);
            self.occupied_data += self.size(id);
        }
    }

    /// Says of how many bytes the row was decoded that was moved into a slot.
    #[inline]
    pub(in crate::cache) fn move_size(&mut self, id: RowId, size: usize) {
        if Self::SIZES_VARY {
            self.sides[id.chunk()].sizes.set(id.slot(), size);
        }
    }

    /// Of how many bytes a row would be decoded.
    pub(in crate::cache) fn encoded_size(row: &R) -> usize {
        if !Self::SIZES_VARY {
            return 0;
        }
        let mut out = Writer::new();
        row.encode(&mut out);
        out.as_slice().len()
    }

    /// The memory that rows take.
    pub(in crate::cache) const fn bytes(weight: Weight) -> usize {
        weight.rows * Self::ROW_BYTES + weight.data
    }

    /// How many slots a chunk has at most, so that a chunk of large rows takes no more than one of many small ones.
    pub(in crate::cache) fn full_chunk_slots(&self) -> usize {
        /// What a full chunk takes about, where rows are large.
        const CHUNK_BYTES: usize = 1 << 20;
        let row = Self::ROW_BYTES + self.row_bytes;
        (CHUNK_BYTES / row + 1).next_power_of_two().clamp(FIRST_CHUNK_SLOTS, CHUNK_SLOTS)
    }
}
