//! Frames: what one WebSocket message carries.
//!
//! A server puts a byte in front that says how the rest is compressed. A client's frames are bare bodies.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use bytes::Bytes;
use flate2::{Decompress, FlushDecompress, Status};

use super::Compression;
use crate::limits::Limits;

/// Bodies up to this size in bytes are sent plain, whatever the client asked for.
///
/// # Source
///
/// `spacetimedb-core` 2.14.0, `subscription/websocket_building.rs`, `decide_compression`.
pub const COMPRESSION_THRESHOLD_BYTES: usize = 1024;

/// The first byte of a server's frame.
const PLAIN: u8 = 0;
const BROTLI: u8 = 1;
const GZIP: u8 = 2;

/// Why a frame has no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The frame has no bytes, not even the one that says how it is compressed.
    #[error("cannot open an empty frame")]
    Empty,
    /// The frame's first byte names no compression.
    #[error("cannot open a frame: no compression has the tag {0}")]
    UnknownCompression(u8),
    /// The frame is larger than [`Limits::max_frame_bytes`].
    #[error("frame of {bytes} bytes exceeds `max_frame_bytes` ({limit})")]
    FrameTooLarge {
        /// The frame's size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The frame's body is, decompressed, larger than [`Limits::max_message_bytes`].
    #[error("frame of {frame} bytes holds more than `max_message_bytes` ({limit})")]
    MessageTooLarge {
        /// The frame's own size.
        frame: usize,
        /// The limit.
        limit: usize,
    },
    /// The frame ends before its compressed body does.
    #[error("cannot decompress a frame of {bytes} bytes as {compression:?}: it is cut off")]
    Truncated {
        /// What the frame's tag says.
        compression: Compression,
        /// The frame's size.
        bytes: usize,
    },
    /// The compressed body is not what its tag says, or it is damaged.
    #[error("cannot decompress a frame of {bytes} bytes as {compression:?}: it is damaged")]
    Corrupt {
        /// What the frame's tag says.
        compression: Compression,
        /// The frame's size.
        bytes: usize,
    },
    /// Bytes follow the compressed body.
    #[error("cannot decompress a frame as {compression:?}: {left} bytes left over")]
    TrailingBytes {
        /// What the frame's tag says.
        compression: Compression,
        /// How many bytes were not read.
        left: usize,
    },
}

/// Takes the compression off a server's frame: what is left is one message on v2, one or more on v3.
///
/// A plain body is shared with `frame`; nothing is copied. A compressed one is decompressed into memory that grows
/// with what comes out of it, whatever it says of its size, and never beyond [`Limits::max_message_bytes`] and a byte.
///
/// # Errors
///
/// - [`FrameError::Empty`] and [`FrameError::UnknownCompression`] if the first byte does not say what follows.
/// - [`FrameError::FrameTooLarge`] and [`FrameError::MessageTooLarge`] beyond the limits.
/// - [`FrameError::Truncated`], [`FrameError::Corrupt`] and [`FrameError::TrailingBytes`] if the compressed body is
///   not one whole stream.
pub fn open_frame(frame: Bytes, limits: &Limits) -> Result<Bytes, FrameError> {
    if frame.len() > limits.max_frame_bytes {
        return Err(FrameError::FrameTooLarge {
            bytes: frame.len(),
            limit: limits.max_frame_bytes,
        });
    }
    let (compression, open): (_, fn(&[u8], usize) -> Result<Vec<u8>, Broken>) = match frame.first()
    {
        None => return Err(FrameError::Empty),
        Some(&PLAIN) if frame.len() - 1 > limits.max_message_bytes => {
            return Err(too_large(&frame, limits));
        }
        Some(&PLAIN) => return Ok(frame.slice(1..)),
        Some(&BROTLI) => (Compression::Brotli, unbrotli),
        Some(&GZIP) => (Compression::Gzip, gunzip),
        Some(&tag) => return Err(FrameError::UnknownCompression(tag)),
    };
    let bytes = frame.len();
    open(&frame[1..], limits.max_message_bytes).map(Bytes::from).map_err(|broken| match broken {
        Broken::TooLarge => too_large(&frame, limits),
        Broken::Truncated => FrameError::Truncated { compression, bytes },
        Broken::Corrupt => FrameError::Corrupt { compression, bytes },
        Broken::Trailing(left) => FrameError::TrailingBytes { compression, left },
    })
}

fn too_large(frame: &Bytes, limits: &Limits) -> FrameError {
    FrameError::MessageTooLarge { frame: frame.len(), limit: limits.max_message_bytes }
}

/// Why compressed bytes are not one stream.
enum Broken {
    TooLarge,
    Truncated,
    Corrupt,
    Trailing(usize),
}

/// Room for what `compressed` probably holds, which is all that is believed of it.
fn first_room(compressed: &[u8], limit: usize) -> usize {
    compressed.len().saturating_mul(4).clamp(COMPRESSION_THRESHOLD_BYTES, limit.saturating_add(1))
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
fn gunzip(compressed: &[u8], limit: usize) -> Result<Vec<u8>, Broken> {
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
fn unbrotli(compressed: &[u8], limit: usize) -> Result<Vec<u8>, Broken> {
    let alloc = StandardAlloc::default;
    let mut state = BrotliState::new_strict(alloc(), alloc(), alloc());
    let mut body = vec![0; first_room(compressed, limit)];
    let (mut unread, mut read, mut written, mut total) = (compressed.len(), 0, 0, 0);
    loop {
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
        if written > limit {
            return Err(Broken::TooLarge);
        }
        match result {
            BrotliResult::ResultSuccess if unread == 0 => {
                body.truncate(written);
                return Ok(body);
            }
            BrotliResult::ResultSuccess => return Err(Broken::Trailing(unread)),
            BrotliResult::NeedsMoreOutput => body.resize(next_room(written, limit)?, 0),
            BrotliResult::NeedsMoreInput => return Err(Broken::Truncated),
            BrotliResult::ResultFailure => return Err(Broken::Corrupt),
        }
    }
}

/// Makes a server's frame of a body: for servers, and for tests.
///
/// A body of more than [`COMPRESSION_THRESHOLD_BYTES`] is given to `compress`, which appends it compressed to the
/// frame; this crate holds no compressor. It is not called for [`Compression::None`].
pub fn seal_frame(
    body: &[u8],
    compression: Compression,
    compress: impl FnOnce(&[u8], &mut Vec<u8>),
) -> Bytes {
    let compression =
        if body.len() > COMPRESSION_THRESHOLD_BYTES { compression } else { Compression::None };
    let mut frame = Vec::with_capacity(1 + body.len());
    match compression {
        Compression::None => {
            frame.push(PLAIN);
            frame.extend_from_slice(body);
        }
        Compression::Gzip => {
            frame.push(GZIP);
            compress(body, &mut frame);
        }
        Compression::Brotli => {
            frame.push(BROTLI);
            compress(body, &mut frame);
        }
    }
    frame.into()
}
