//! Names of slots.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_name_chunk_and_slot() {
        let id = RowId::new(MAX_CHUNKS - 1, CHUNK_SLOTS - 1);
        assert_eq!((id.chunk(), id.slot()), (MAX_CHUNKS - 1, CHUNK_SLOTS - 1));
        assert!(id.0 < NO_ROW);
    }
}
