//! Compressed streams of unknown size, decompressed up to a limit, and a piece at a time.

use flate2::{Decompress, FlushDecompress, Status};

/// Errors of compressed bytes.
pub(super) enum Broken {
    TooLarge,
    Truncated,
    Corrupt,
    Trailing(usize),
}

/// The least room to start with: shorter bodies are not compressed.
const LEAST_ROOM_BYTES: usize = 1024;

/// Room for what `compressed` probably holds, which is all that is believed of it.
pub(super) fn first_room(compressed: &[u8], limit: usize) -> usize {
    let most = limit.saturating_add(1);
    compressed.len().saturating_mul(4).clamp(LEAST_ROOM_BYTES.min(most), most)
}

/// The next size of a buffer that is full: twice as large, and at the end one byte more than the limit, so that a
/// stream of exactly the limit is told from a larger one.
pub(super) fn next_room(full: usize, limit: usize) -> Result<usize, Broken> {
    if full > limit {
        Err(Broken::TooLarge)
    } else {
        Ok(full.saturating_mul(2).min(limit.saturating_add(1)))
    }
}

/// Bytes of the compressed stream that are read for one piece, so that what comes to nothing takes no longer.
pub(super) fn input_piece(piece: usize) -> usize {
    const LEAST_BYTES: usize = 4096;
    (piece / 4).max(LEAST_BYTES)
}

/// Makes room for a piece more in a buffer that is full. The whole room is not cleared at once: that of a large body takes a
/// tenth of a second.
pub(super) fn grow(body: &mut Vec<u8>, limit: usize, piece: usize) -> Result<(), Broken> {
    let len = body.len();
    if len == body.capacity() {
        body.reserve_exact(next_room(len, limit)? - len);
    }
    let len = body.capacity().min(len.saturating_add(piece));
    body.resize(len, 0);
    Ok(())
}

/// RFC 1952, one member; its checksum is verified.
#[derive(Debug)]
pub(super) struct Gunzip {
    stream: Decompress,
    body: Vec<u8>,
}

impl Gunzip {
    pub(super) fn new(compressed: &[u8], limit: usize) -> Self {
        /// The largest window that the format has.
        const WINDOW_BITS: u8 = 15;
        let body = vec![0; first_room(compressed, limit)];
        Self { stream: Decompress::new_gzip(WINDOW_BITS), body }
    }

    /// Decompresses about `piece` bytes more; all of them, when it is through.
    pub(super) fn proceed(
        &mut self,
        compressed: &[u8],
        limit: usize,
        piece: usize,
    ) -> Result<Option<Vec<u8>>, Broken> {
        let (start, enough) = (self.read(), self.written().saturating_add(piece));
        let input = compressed.len().min(start.saturating_add(input_piece(piece)));
        loop {
            let (read, written, room) = (self.read(), self.written(), self.body.len().min(enough));
            let output = &mut self.body[written..room];
            let status =
                self.stream.decompress(&compressed[read..input], output, FlushDecompress::None);
            let left = compressed.len() - self.read();
            let progressed = self.read() > read || self.written() > written;
            match status.map_err(|_| Broken::Corrupt)? {
                _ if self.written() > limit => return Err(Broken::TooLarge),
                Status::StreamEnd if left == 0 => return Ok(Some(self.take_body())),
                Status::StreamEnd => return Err(Broken::Trailing(left)),
                Status::Ok | Status::BufError if progressed => (),
                Status::Ok | Status::BufError if written < room && input == compressed.len() => {
                    return Err(Broken::Truncated);
                }
                Status::Ok | Status::BufError if written < room || room == enough => {
                    return Ok(None);
                }
                Status::Ok | Status::BufError => grow(&mut self.body, limit, piece)?,
            }
        }
    }

    // A stream reads no more than it is given, and writes no more than it has room for, so these fit.

    fn read(&self) -> usize {
        self.stream.total_in() as usize
    }

    fn written(&self) -> usize {
        self.stream.total_out() as usize
    }

    fn take_body(&mut self) -> Vec<u8> {
        self.body.truncate(self.written());
        core::mem::take(&mut self.body)
    }
}
