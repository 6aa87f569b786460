//! Compressed streams of unknown size, decompressed up to a limit.

use core::mem;

use brotli_decompressor::{
    Allocator, BrotliDecompressStream, BrotliResult, BrotliState, SliceWrapper, SliceWrapperMut,
    StandardAlloc,
};
use flate2::{Decompress, FlushDecompress, Status};

/// Why compressed bytes are not one stream.
pub(super) enum Broken {
    TooLarge,
    Truncated,
    Corrupt,
    Trailing(usize),
}

/// The least room to start with: shorter bodies are not compressed.
const LEAST_ROOM_BYTES: usize = 1024;

/// Room for what `compressed` probably holds, which is all that is believed of it.
fn first_room(compressed: &[u8], limit: usize) -> usize {
    let most = limit.saturating_add(1);
    compressed.len().saturating_mul(4).clamp(LEAST_ROOM_BYTES.min(most), most)
}

/// The next size of a buffer that is full: twice as large, and at the end one byte more than the limit, so that a
/// stream of exactly the limit is told from a larger one.
fn next_room(full: usize, limit: usize) -> Result<usize, Broken> {
    if full > limit {
        Err(Broken::TooLarge)
    } else {
        Ok(full.saturating_mul(2).min(limit.saturating_add(1)))
    }
}

/// RFC 1952, one member; its checksum is verified.
pub(super) fn gunzip(compressed: &[u8], limit: usize) -> Result<Vec<u8>, Broken> {
    /// The largest window that the format has.
    const WINDOW_BITS: u8 = 15;
    let mut stream = Decompress::new_gzip(WINDOW_BITS);
    let mut body = Vec::with_capacity(first_room(compressed, limit));
    let mut rest = compressed;
    loop {
        if body.len() == body.capacity() {
            body.reserve_exact(next_room(body.len(), limit)? - body.len());
        }
        let (read, written) = (stream.total_in(), body.len());
        let status = stream
            .decompress_vec(rest, &mut body, FlushDecompress::None)
            .map_err(|_| Broken::Corrupt)?;
        // The stream cannot read more than it was given, so this fits.
        let read = (stream.total_in() - read) as usize;
        rest = &rest[read..];
        match status {
            _ if body.len() > limit => return Err(Broken::TooLarge),
            Status::StreamEnd if rest.is_empty() => return Ok(body),
            Status::StreamEnd => return Err(Broken::Trailing(rest.len())),
            Status::Ok | Status::BufError if read == 0 && body.len() == written => {
                return Err(Broken::Truncated);
            }
            Status::Ok | Status::BufError => {}
        }
    }
}

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

/// Where brotli keeps the bytes that it may refer back to: 4 MiB for most streams, however short.
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
