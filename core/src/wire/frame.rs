//! Frames: what one WebSocket message carries.
//!
//! A server puts a byte in front that says how the rest is compressed. A client's frames are bare bodies.

use bytes::Bytes;

use super::Compression;
#[cfg(feature = "brotli")]
use super::brotli::{Unbrotli, Window};
use super::decompress::{Broken, Gunzip};
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

/// Errors of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The frame has no bytes, not even the one that says how it is compressed.
    #[error("cannot open an empty frame")]
    Empty,
    /// The frame's first byte names no compression.
    #[error("cannot open a frame: no compression has the tag {0}")]
    UnknownCompression(u8),
    /// This build cannot take the frame's compression off.
    #[error(
        "cannot open a frame that is compressed as {0:?}: build `lightlike` with its feature `brotli`"
    )]
    NotBuilt(Compression),
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
        /// Compression that the frame's tag names.
        compression: Compression,
        /// The frame's size.
        bytes: usize,
    },
    /// The compressed body is not what its tag says, or it is damaged.
    #[error("cannot decompress a frame of {bytes} bytes as {compression:?}: it is damaged")]
    Corrupt {
        /// Compression that the frame's tag names.
        compression: Compression,
        /// The frame's size.
        bytes: usize,
    },
    /// Bytes follow the compressed body.
    #[error("cannot decompress a frame as {compression:?}: {left} bytes left over")]
    TrailingBytes {
        /// Compression that the frame's tag names.
        compression: Compression,
        /// Number of bytes that were not read.
        left: usize,
    },
}

impl FrameError {
    /// Returns `true` if a limit of this client is reached, or its build lacks the compression: the same frame will not do
    /// later either.
    pub(crate) fn is_of_this_client(&self) -> bool {
        matches!(
            self,
            Self::FrameTooLarge { .. } | Self::MessageTooLarge { .. } | Self::NotBuilt(_)
        )
    }
}

/// Takes the compression off a server's frame, as [`FrameOpener::open`] does.
///
/// # Errors
///
/// As [`FrameOpener::open`].
pub fn open_frame(frame: Bytes, limits: &Limits) -> Result<Bytes, FrameError> {
    FrameOpener::new().open(frame, limits)
}

/// Opens the frames of a connection, and keeps the memory that brotli works in from one to the next: up to 16 MiB.
///
/// A frame of a thousand bytes may hold a hundred megabytes, which take a while: [`begin`](Self::begin) and
/// [`proceed`](Self::proceed) open it a piece at a time.
#[derive(Debug, Default)]
pub struct FrameOpener {
    #[cfg(feature = "brotli")]
    window: Window,
    opening: Option<Box<Opening>>,
    rested: bool,
}

/// A compressed frame of which a part may be decompressed.
#[derive(Debug)]
struct Opening {
    frame: Bytes,
    limit: usize,
    stream: Stream,
}

#[derive(Debug)]
enum Stream {
    Gzip(Gunzip),
    #[cfg(feature = "brotli")]
    Brotli(Box<Unbrotli>),
}

impl FrameOpener {
    /// An opener that holds no memory yet.
    pub const fn new() -> Self {
        Self {
            #[cfg(feature = "brotli")]
            window: Window::new(),
            opening: None,
            rested: false,
        }
    }

    /// Gives back the memory that is kept, if no frame was opened since this was last called.
    pub fn rest(&mut self) {
        if core::mem::replace(&mut self.rested, true) {
            #[cfg(feature = "brotli")]
            {
                self.window = Window::new();
            }
        }
    }

    /// Takes the compression off a server's frame: what is left is one message on v2, one or more on v3.
    ///
    /// A plain body is shared with `frame`; nothing is copied. A compressed one is decompressed into memory that grows
    /// with what comes out of it, whatever it says of its size, and never beyond [`Limits::max_message_bytes`] and a
    /// byte.
    ///
    /// # Errors
    ///
    /// - [`FrameError::Empty`] and [`FrameError::UnknownCompression`] if the first byte does not say what follows.
    /// - [`FrameError::NotBuilt`] for brotli without the feature `brotli`.
    /// - [`FrameError::FrameTooLarge`] and [`FrameError::MessageTooLarge`] beyond the limits.
    /// - [`FrameError::Truncated`], [`FrameError::Corrupt`] and [`FrameError::TrailingBytes`] if the compressed body
    ///   is not one whole stream.
    pub fn open(&mut self, frame: Bytes, limits: &Limits) -> Result<Bytes, FrameError> {
        let mut body = self.begin(frame, limits)?;
        loop {
            match body {
                Some(body) => return Ok(body),
                None => body = self.proceed(usize::MAX)?,
            }
        }
    }

    /// Begins to open a frame, and is through at once with one that is not compressed. Else [`proceed`](Self::proceed) goes
    /// on. A frame that was begun before is forgotten.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn begin(&mut self, frame: Bytes, limits: &Limits) -> Result<Option<Bytes>, FrameError> {
        self.opening = None;
        if frame.len() > limits.max_frame_bytes {
            let limit = limits.max_frame_bytes;
            return Err(FrameError::FrameTooLarge { bytes: frame.len(), limit });
        }
        self.rested = false;
        let limit = limits.max_message_bytes;
        let stream = match frame.first() {
            None => return Err(FrameError::Empty),
            Some(&PLAIN) if frame.len() - 1 > limit => return Err(too_large(&frame, limit)),
            Some(&PLAIN) => return Ok(Some(frame.slice(1..))),
            #[cfg(not(feature = "brotli"))]
            Some(&BROTLI) => return Err(FrameError::NotBuilt(Compression::Brotli)),
            #[cfg(feature = "brotli")]
            Some(&BROTLI) => {
                let window = core::mem::take(&mut self.window);
                Stream::Brotli(Box::new(Unbrotli::new(&frame[1..], limit, window)))
            }
            Some(&GZIP) => Stream::Gzip(Gunzip::new(&frame[1..], limit)),
            Some(&tag) => return Err(FrameError::UnknownCompression(tag)),
        };
        self.opening = Some(Box::new(Opening { frame, limit, stream }));
        Ok(None)
    }

    /// Returns `true` if a frame was begun that is not open yet.
    pub fn is_opening(&self) -> bool {
        self.opening.is_some()
    }

    /// Size of the frame that was begun, in bytes.
    pub fn frame_bytes(&self) -> usize {
        self.opening.as_ref().map_or(0, |opening| opening.frame.len())
    }

    /// Forgets the frame that was begun.
    pub fn stop(&mut self) {
        self.opening = None;
    }

    /// Goes on with the frame that was begun, by about `piece` bytes of what is in it; the body, when it is through. Without
    /// a frame it is an empty one.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); the frame is forgotten then.
    pub fn proceed(&mut self, piece: usize) -> Result<Option<Bytes>, FrameError> {
        let Some(mut opening) = self.opening.take() else { return Err(FrameError::Empty) };
        let result = opening.proceed(piece.max(1));
        match result {
            Ok(None) => self.opening = Some(opening),
            #[cfg(feature = "brotli")]
            _ => {
                if let Stream::Brotli(stream) = opening.stream {
                    self.window = stream.into_window();
                }
            }
            #[cfg(not(feature = "brotli"))]
            _ => (),
        }
        result
    }
}

impl Opening {
    fn proceed(&mut self, piece: usize) -> Result<Option<Bytes>, FrameError> {
        let Self { frame, limit, stream } = self;
        let (opened, compression) = match stream {
            Stream::Gzip(stream) => (stream.proceed(&frame[1..], *limit, piece), Compression::Gzip),
            #[cfg(feature = "brotli")]
            Stream::Brotli(stream) => {
                (stream.proceed(&frame[1..], *limit, piece), Compression::Brotli)
            }
        };
        opened.map(|body| body.map(to_bytes)).map_err(|broken| match broken {
            Broken::TooLarge => too_large(frame, *limit),
            Broken::Truncated => FrameError::Truncated { compression, bytes: frame.len() },
            Broken::Corrupt => FrameError::Corrupt { compression, bytes: frame.len() },
            Broken::Trailing(left) => FrameError::TrailingBytes { compression, left },
        })
    }
}

/// A body that takes no more memory than it has bytes, or half as much again.
fn to_bytes(mut body: Vec<u8>) -> Bytes {
    if body.capacity() - body.len() > body.len() / 2 {
        body.shrink_to_fit();
    }
    body.into()
}

fn too_large(frame: &Bytes, limit: usize) -> FrameError {
    FrameError::MessageTooLarge { frame: frame.len(), limit }
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

#[cfg(all(test, not(feature = "brotli")))]
mod tests {
    use super::*;

    #[test]
    fn unsupported_compression_names_the_missing_feature() {
        assert!(!Compression::Brotli.is_built());
        let error = open_frame(Bytes::from_static(&[BROTLI, 1, 2]), &Limits::DEFAULT).unwrap_err();
        assert_eq!(error, FrameError::NotBuilt(Compression::Brotli));
        assert!(error.to_string().contains("its feature `brotli`"), "{error}");
    }
}
