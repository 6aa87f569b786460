//! Compressed streams of unknown size, decompressed up to a limit.

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
