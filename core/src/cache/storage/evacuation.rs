//! Progress of moving rows out of chunks that are to be freed.

use super::row_id::RowId;

/// Chunks to be evacuated, and the place where that goes on.
#[derive(Debug, Default)]
pub(super) struct Evacuation {
    /// The next one last.
    sources: Vec<u32>,
    next_slot: usize,
}

impl Evacuation {
    pub(super) fn is_idle(&self) -> bool {
        self.sources.is_empty()
    }

    pub(super) fn start(&mut self, sources: Vec<u32>) {
        *self = Self { sources, next_slot: 0 };
    }

    /// Chunk that is being evacuated.
    pub(super) fn chunk(&self) -> Option<usize> {
        self.sources.last().map(|&chunk| chunk as usize)
    }

    /// The next of the `used` slots of the chunk.
    pub(super) fn next_slot(&mut self, used: usize) -> Option<RowId> {
        let chunk = self.chunk().filter(|_| self.next_slot < used)?;
        self.next_slot += 1;
        Some(RowId::new(chunk, self.next_slot - 1))
    }

    /// Returns `true` if all of the `used` slots of the chunk were looked at.
    pub(super) fn is_through(&self, used: usize) -> bool {
        self.next_slot >= used
    }

    /// Goes on with the next chunk.
    pub(super) fn end_chunk(&mut self) {
        self.sources.pop();
        self.next_slot = 0;
    }
}
