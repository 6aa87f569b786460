//! Weight of rows: the memory that they take, as far as can be known without asking each type.
//!
//! A row takes a slot and a place in the index, and beside them what its strings and lists hold, for which the size of
//! its encoding stands. Where all values of the row's type have one size they hold nothing, and no size is kept.

/// Bytes that a row takes in an index of identities, beside its slot.
pub(super) const INDEX_BYTES: usize = 8;

/// So many bytes of a row take as long to be freed, hashed or decoded as a small row as a whole.
const BYTES_OF_SMALL_ROW: usize = 4096;

/// The sizes of the rows of a chunk, as they are encoded. None are kept where all are the same.
#[derive(Debug, Default)]
pub(super) struct Sizes(Box<[u32]>);

impl Sizes {
    pub(super) fn new(slots: usize, vary: bool) -> Self {
        Self(vec![0; if vary { slots } else { 0 }].into())
    }

    #[inline]
    pub(super) fn get(&self, slot: usize) -> usize {
        self.0.get(slot).map_or(0, |&size| size as usize)
    }

    #[inline]
    pub(super) fn set(&mut self, slot: usize, size: usize) {
        if let Some(place) = self.0.get_mut(slot) {
            // A row is within `max_row_bytes` of the wire, where lengths have 32 bits.
            *place = u32::try_from(size).unwrap_or(u32::MAX);
        }
    }
}

/// A number of rows, and what they weigh together beside their slots.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) rows: usize,
    pub(super) data: usize,
}

impl Weight {
    #[inline]
    pub(super) fn add(&mut self, size: usize) {
        self.rows += 1;
        self.data += size;
    }

    pub(super) fn add_all(&mut self, other: Self) {
        self.rows += other.rows;
        self.data += other.data;
    }

    #[inline]
    pub(super) fn remove(&mut self, size: usize) {
        self.rows -= 1;
        self.data -= size;
    }
}

/// Cost of freeing rows of so many bytes, in small rows, beside one a row.
pub(in crate::cache) const fn cost_of_bytes(bytes: usize) -> usize {
    bytes / BYTES_OF_SMALL_ROW
}

/// Number of rows of these sizes that a budget pays for: at least one while there is any left of it.
pub(super) fn pay(
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
