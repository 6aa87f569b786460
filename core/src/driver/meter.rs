//! Counting what arrives below the WebSocket: bytes, and how far the message is that is arriving.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::socket::Io;
use crate::conn::PartialMessage;

/// Cost of a frame beside its bytes: an empty one takes its time too.
const FRAME_COST: usize = 64;

/// A stream of bytes whose reading is counted and bounded.
pub(super) struct Metered {
    io: Box<dyn Io>,
    frames: Frames,
    /// Bytes that were read and not [taken](Self::take_bytes).
    bytes: u64,
    /// Bytes that may be read before somebody looks.
    allowance: usize,
}

impl Metered {
    /// Counts what is read from `io`, after `read` of it.
    pub(super) fn new(io: Box<dyn Io>, read: &[u8]) -> Self {
        let mut metered = Self { io, frames: Frames::default(), bytes: 0, allowance: 0 };
        metered.count(read);
        metered
    }

    /// Lets this much be read. Then the stream is pending, however much there is: so that a peer who never stops cannot
    /// keep the reader to itself.
    pub(super) fn allow(&mut self, bytes: usize) {
        self.allowance = bytes;
    }

    /// Returns `true` if bytes were read since they were [taken](Self::take_bytes).
    pub(super) fn has_bytes(&self) -> bool {
        self.bytes > 0
    }

    /// Bytes that were read since this was asked last.
    pub(super) fn take_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.bytes)
    }

    /// The message after the last whole one, if a part of it was read.
    pub(super) fn partial(&self) -> Option<PartialMessage> {
        self.frames.message
    }

    fn count(&mut self, read: &[u8]) {
        self.bytes += read.len() as u64;
        let frames = self.frames.feed(read);
        self.allowance = self.allowance.saturating_sub(read.len() + frames * FRAME_COST);
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.allowance == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.count(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

/// The headers of WebSocket frames in a stream of bytes.
///
/// # Source
///
/// RFC 6455, section 5.2. What is wrong with a frame is for the WebSocket to say.
#[derive(Debug, Default)]
struct Frames {
    header: Vec<u8>,
    /// The frame whose payload comes.
    frame: Option<Frame>,
    message: Option<PartialMessage>,
}

#[derive(Debug)]
struct Frame {
    left: u64,
    is_data: bool,
    is_last: bool,
}

impl Frames {
    /// Takes more of the stream; how many frames began in it.
    fn feed(&mut self, mut bytes: &[u8]) -> usize {
        let mut begun = 0;
        while !bytes.is_empty() {
            match &mut self.frame {
                None => {
                    bytes = self.feed_header(bytes);
                    begun += usize::from(self.frame.is_some());
                }
                Some(frame) => {
                    let len = bytes.len().min(usize::try_from(frame.left).unwrap_or(usize::MAX));
                    frame.left -= len as u64;
                    if let (true, Some(message)) = (frame.is_data, &mut self.message) {
                        message.received += len as u64;
                    }
                    bytes = &bytes[len..];
                }
            }
            self.end_frame();
        }
        begun
    }

    /// Takes bytes of a header; the rest.
    fn feed_header<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        // The second byte says how long the header is.
        let wanted = self.header.get(1).map_or(2, |second| header_len(*second));
        let len = bytes.len().min(wanted - self.header.len());
        let (header, rest) = bytes.split_at(len);
        self.header.extend_from_slice(header);
        if let [first, second, more @ ..] = &self.header[..]
            && self.header.len() == header_len(*second)
        {
            let (first, payload) = (*first, payload_len(*second, more));
            self.header.clear();
            self.begin_frame(first, payload);
        }
        rest
    }

    fn begin_frame(&mut self, first: u8, payload: u64) {
        let (is_last, opcode) = (first & 0x80 != 0, first & 0x0f);
        let is_data = opcode < 8;
        if is_data && opcode != 0 {
            let length = is_last.then_some(payload);
            self.message = Some(PartialMessage { received: 0, length });
        }
        self.frame = Some(Frame { left: payload, is_data, is_last });
    }

    fn end_frame(&mut self) {
        let Some(Frame { left: 0, is_data, is_last }) = self.frame else { return };
        self.frame = None;
        if is_data && is_last {
            self.message = None;
        }
    }
}

fn header_len(second: u8) -> usize {
    let length = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    2 + length + mask
}

fn payload_len(second: u8, more: &[u8]) -> u64 {
    let bytes = match second & 0x7f {
        126 => 2,
        127 => 8,
        short => return u64::from(short),
    };
    more.iter().take(bytes).fold(0, |length, byte| length << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            len @ 0..126 => frame.push(len as u8),
            len @ 126..65536 => {
                frame.push(126);
                frame.extend((len as u16).to_be_bytes());
            }
            len => {
                frame.push(127);
                frame.extend((len as u64).to_be_bytes());
            }
        }
        frame.extend(payload);
        frame
    }

    /// Progress after each byte.
    fn after_each(bytes: &[u8]) -> Vec<Option<(u64, Option<u64>)>> {
        let mut frames = Frames::default();
        let told = |byte: &u8| {
            let _ = frames.feed(&[*byte]);
            frames.message.map(|message| (message.received, message.length))
        };
        bytes.iter().map(told).collect()
    }

    #[test]
    fn a_message_in_one_frame_has_a_length() {
        let told = after_each(&frame(0x82, b"abc"));
        let at = |received| Some((received, Some(3)));
        assert_eq!(told, [None, at(0), at(1), at(2), None]);
    }

    #[test]
    fn control_frames_within_message_do_not_count() {
        let bytes = [frame(0x02, b"ab"), frame(0x89, b"ping"), frame(0x80, b"c")].concat();
        let told = after_each(&bytes);
        assert!(told[4..11].iter().all(|told| *told == Some((2, None))), "{told:?}");
        assert_eq!(told.last(), Some(&None));
    }

    #[test]
    fn every_length_is_read_however_it_is_cut() {
        for len in [0, 1, 125, 126, 127, 65_535, 65_536, 100_000] {
            let bytes = [frame(0x82, &vec![7; len]), frame(0x02, b"x")].concat();
            for cut in [1, 2, 3, 9, 10, 11, 4096] {
                let mut frames = Frames::default();
                let begun: usize = bytes.chunks(cut).map(|chunk| frames.feed(chunk)).sum();
                assert_eq!(begun, 2);
                let begun = PartialMessage { received: 1, length: None };
                assert_eq!(frames.message, Some(begun), "{len} in pieces of {cut}");
            }
        }
    }

    #[test]
    fn the_largest_length_is_no_trouble() {
        let mut frames = Frames::default();
        frames.feed(&[&[0x82, 255][..], &[255; 12], &[0; 100]].concat());
        let length = Some(u64::MAX);
        assert_eq!(frames.message, Some(PartialMessage { received: 100, length }));
    }
}
