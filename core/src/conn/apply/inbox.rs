//! Frames of the server that are not applied yet.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use crate::limits::Limits;
use crate::wire::{Messages, Protocol, ServerMessage, WireError, decode_server};

/// Bytes that a frame takes beside its body: its place in the queue, and what the allocator and `Bytes` add. Frames of a few
/// bytes are all of this.
const FRAME_BYTES: usize = 128;

/// Number of places that an empty queue keeps.
const PLACES_KEPT: usize = 1024;

/// Bodies of frames in the order in which they came; messages leave it one by one.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    current: Option<Messages<ServerMessage>>,
    /// The next message, if it was looked at.
    peeked: Option<Result<ServerMessage, WireError>>,
    /// Arrival time of `current`.
    came: Option<Instant>,
    bodies: VecDeque<(Instant, Bytes)>,
    /// Number of frames that were begun with.
    begun: u64,
    /// Bytes that `current` and `bodies` take.
    current_bytes: usize,
    queued_bytes: usize,
}

/// A frame, and the memory that is kept while a piece of it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) number: u64,
    pub(crate) bytes: usize,
}

impl Inbox {
    pub(crate) fn push(&mut self, now: Instant, body: Bytes) {
        self.queued_bytes += body.len() + FRAME_BYTES;
        self.bodies.push_back((now, body));
    }

    /// Arrival time of the frame that the last message was in.
    pub(crate) fn came(&self) -> Option<Instant> {
        self.came
    }

    /// Memory held by what is not applied: of frames that wait, and of the one under way.
    pub(crate) fn bytes(&self) -> usize {
        self.queued_bytes + self.current_bytes
    }

    /// As [`bytes`](Self::bytes), without the frame that came last.
    pub(crate) fn bytes_before_last(&self) -> usize {
        match self.bodies.back() {
            Some((_, last)) => self.bytes() - last.len() - FRAME_BYTES,
            None => 0,
        }
    }

    /// The frame that the last message was in.
    pub(crate) fn frame(&self) -> Frame {
        Frame { number: self.begun, bytes: self.current_bytes }
    }

    /// Number of bytes that wait, the frame under way not counted.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.queued_bytes - self.bodies.len() * FRAME_BYTES
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.current.is_none() && self.bodies.is_empty() && self.peeked.is_none()
    }

    /// Returns `true` if the next message is there, can be decoded, and `is` as wished.
    pub(crate) fn next_is(
        &mut self,
        protocol: Protocol,
        limits: &Limits,
        is: impl FnOnce(&ServerMessage) -> bool,
    ) -> bool {
        self.peeked = self.next(protocol, limits);
        matches!(&self.peeked, Some(Ok(message)) if is(message))
    }

    /// The next message.
    pub(crate) fn next(
        &mut self,
        protocol: Protocol,
        limits: &Limits,
    ) -> Option<Result<ServerMessage, WireError>> {
        if let Some(peeked) = self.peeked.take() {
            return Some(peeked);
        }
        loop {
            if let Some(messages) = &mut self.current {
                if let Some(message) = messages.next() {
                    return Some(message);
                }
                (self.current, self.current_bytes) = (None, 0);
            }
            let Some((came, body)) = self.bodies.pop_front() else {
                self.bodies.shrink_to(PLACES_KEPT);
                return None;
            };
            self.came = Some(came);
            self.begun += 1;
            self.current_bytes = body.len() + FRAME_BYTES;
            self.queued_bytes -= self.current_bytes;
            self.current = Some(decode_server(&body, protocol, limits));
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
