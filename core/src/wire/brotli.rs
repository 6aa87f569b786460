//! Brotli, decompressed up to a limit (feature `brotli`).

use core::mem;

use brotli_decompressor::{
    Allocator, BrotliDecompressStream, BrotliResult, BrotliState, SliceWrapper, SliceWrapperMut,
    StandardAlloc,
};

use super::decompress::{Broken, first_room, grow, input_piece};

/// RFC 7932, without the large windows that it does not have: those would let ten bytes ask for a gigabyte.
pub(super) struct Unbrotli {
    state: BrotliState<Recycler, StandardAlloc, StandardAlloc>,
    body: Vec<u8>,
    read: usize,
    written: usize,
}

impl core::fmt::Debug for Unbrotli {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Unbrotli").field("written", &self.written).finish_non_exhaustive()
    }
}

impl Unbrotli {
    pub(super) fn new(compressed: &[u8], limit: usize, window: Window) -> Self {
        let alloc = Recycler { spare: window };
        let state =
            BrotliState::new_strict(alloc, StandardAlloc::default(), StandardAlloc::default());
        let body = vec![0; first_room(compressed, limit)];
        Self { state, body, read: 0, written: 0 }
    }

    /// The memory to be used for the next stream.
    pub(super) fn into_window(mut self) -> Window {
        mem::take(&mut self.state.ringbuffer)
    }

    /// Decompresses about `piece` bytes more; all of them, when it is through.
    pub(super) fn proceed(
        &mut self,
        compressed: &[u8],
        limit: usize,
        piece: usize,
    ) -> Result<Option<Vec<u8>>, Broken> {
        let input = compressed.len().min(self.read.saturating_add(input_piece(piece)));
        let enough = self.written.saturating_add(piece);
        loop {
            let mut unread = input - self.read;
            let mut room = self.body.len().min(enough) - self.written;
            let mut total = 0;
            let result = BrotliDecompressStream(
                &mut unread,
                &mut self.read,
                &compressed[..input],
                &mut room,
                &mut self.written,
                &mut self.body,
                &mut total,
                &mut self.state,
            );
            let left = compressed.len() - self.read;
            match result {
                _ if self.written > limit => return Err(Broken::TooLarge),
                BrotliResult::ResultSuccess if left == 0 => {
                    self.body.truncate(self.written);
                    return Ok(Some(mem::take(&mut self.body)));
                }
                BrotliResult::ResultSuccess => return Err(Broken::Trailing(left)),
                BrotliResult::NeedsMoreOutput if self.written < self.body.len() => return Ok(None),
                BrotliResult::NeedsMoreOutput => {
                    grow(&mut self.body, limit, piece)?;
                    if self.written >= enough {
                        return Ok(None);
                    }
                }
                BrotliResult::NeedsMoreInput if input < compressed.len() => return Ok(None),
                BrotliResult::NeedsMoreInput => return Err(Broken::Truncated),
                BrotliResult::ResultFailure => return Err(Broken::Corrupt),
            }
        }
    }
}

/// Window of brotli, to which it may refer back: 4 MiB for most streams, however short.
///
/// Clearing that much takes ten times as long as decompressing a short stream, hence it is used again as it is. A
/// stream refers only to what it wrote itself; what was there before cannot be seen through it.
#[derive(Debug, Default)]
pub(super) struct Window(Vec<u8>);

impl Window {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }
}

impl SliceWrapper<u8> for Window {
    fn slice(&self) -> &[u8] {
        &self.0
    }
}

impl SliceWrapperMut<u8> for Window {
    fn slice_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// Gives out the spare window to whoever wants as much as a window is.
struct Recycler {
    spare: Window,
}

impl Allocator<u8> for Recycler {
    type AllocatedMemory = Window;

    fn alloc_cell(&mut self, len: usize) -> Window {
        /// Less is asked for tables, which do count on zeros.
        const LEAST_WINDOW_BYTES: usize = 1 << 16;
        if len < LEAST_WINDOW_BYTES {
            return Window(vec![0; len]);
        }
        let mut window = mem::take(&mut self.spare);
        window.0.resize(len, 0);
        window
    }

    // The window is taken out of the state at the end; tables are not worth keeping.
    fn free_cell(&mut self, _: Window) {}
}
