//! Brotli, decompressed up to a limit (feature `brotli`).

use core::mem;

use brotli_decompressor::{
    Allocator, BrotliDecompressStream, BrotliResult, BrotliState, SliceWrapper, SliceWrapperMut,
    StandardAlloc,
};

use super::decompress::{Broken, first_room, next_room};

/// RFC 7932, without the large windows that it does not have: those would let ten bytes ask for a gigabyte.
pub(super) fn unbrotli(
    compressed: &[u8],
    limit: usize,
    window: &mut Window,
) -> Result<Vec<u8>, Broken> {
    let alloc = Recycler { spare: mem::take(window) };
    let mut state =
        BrotliState::new_strict(alloc, StandardAlloc::default(), StandardAlloc::default());
    let mut body = vec![0; first_room(compressed, limit)];
    let (mut unread, mut read, mut written, mut total) = (compressed.len(), 0, 0, 0);
    let ended = loop {
        let mut room = body.len() - written;
        let result = BrotliDecompressStream(
            &mut unread,
            &mut read,
            compressed,
            &mut room,
            &mut written,
            &mut body,
            &mut total,
            &mut state,
        );
        match result {
            _ if written > limit => break Err(Broken::TooLarge),
            BrotliResult::ResultSuccess if unread == 0 => break Ok(()),
            BrotliResult::ResultSuccess => break Err(Broken::Trailing(unread)),
            BrotliResult::NeedsMoreOutput => match next_room(written, limit) {
                Ok(room) => body.resize(room, 0),
                Err(too_large) => break Err(too_large),
            },
            BrotliResult::NeedsMoreInput => break Err(Broken::Truncated),
            BrotliResult::ResultFailure => break Err(Broken::Corrupt),
        }
    };
    *window = mem::take(&mut state.ringbuffer);
    body.truncate(written);
    ended.map(|()| body)
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
