//! From a frame's body to its messages.

use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;

use bytes::Bytes;

use super::cursor::Cursor;
use super::{ClientMessage, Protocol, ServerMessage, WireError, WireErrorKind};
use crate::limits::Limits;

/// The messages of a server's frame, whose body [`open_frame`](super::open_frame) returned.
pub fn decode_server(body: &Bytes, protocol: Protocol, limits: &Limits) -> Messages<ServerMessage> {
    Messages::new(body, protocol, limits)
}

/// The messages of a client's frame, which is nothing but its body.
pub fn decode_client(body: &Bytes, protocol: Protocol, limits: &Limits) -> Messages<ClientMessage> {
    Messages::new(body, protocol, limits)
}

/// The messages of one frame, in order, each decoded when it is asked for.
///
/// Yields at least one item. An error is the last: what follows it in the frame cannot be found. On v2 a frame is one
/// message, and one with bytes behind it is an error instead of a message. On v3 messages before an error are good.
#[derive(Clone)]
pub struct Messages<M> {
    body: Bytes,
    at: usize,
    protocol: Protocol,
    limits: Limits,
    done: bool,
    message: PhantomData<fn() -> M>,
}

/// Without the frame's bytes, in which there may be a token.
impl<M> fmt::Debug for Messages<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages")
            .field("bytes", &self.body.len())
            .field("at", &self.at)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

impl<M> Messages<M> {
    fn new(body: &Bytes, protocol: Protocol, limits: &Limits) -> Self {
        Self {
            body: body.clone(),
            at: 0,
            protocol,
            limits: *limits,
            done: false,
            message: PhantomData,
        }
    }

    /// Offset of the next message, in bytes from the start of the body.
    pub fn offset(&self) -> usize {
        self.at
    }

    fn decode_next(
        &mut self,
        name: &'static str,
        decode: impl FnOnce(&mut Cursor<'_>) -> Result<M, WireError>,
    ) -> Option<Result<M, WireError>> {
        if self.done {
            return None;
        }
        let result = self.decode_one(name, decode);
        self.done = result.is_err() || self.at == self.body.len();
        Some(result)
    }

    fn decode_one(
        &mut self,
        name: &'static str,
        decode: impl FnOnce(&mut Cursor<'_>) -> Result<M, WireError>,
    ) -> Result<M, WireError> {
        if self.body.is_empty() {
            return Err(WireError::new(WireErrorKind::Empty, name, "tag", 0));
        }
        let mut cursor = Cursor::new(&self.body, self.at, name, &self.limits);
        let message = decode(&mut cursor)?;
        if self.protocol == Protocol::V2 {
            cursor.finish()?;
        }
        self.at = cursor.offset();
        Ok(message)
    }
}

impl Iterator for Messages<ServerMessage> {
    type Item = Result<ServerMessage, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.decode_next("ServerMessage", ServerMessage::decode)
    }
}

impl Iterator for Messages<ClientMessage> {
    type Item = Result<ClientMessage, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.decode_next("ClientMessage", ClientMessage::decode)
    }
}

impl FusedIterator for Messages<ServerMessage> {}
impl FusedIterator for Messages<ClientMessage> {}
