//! Frames of the server that are not applied yet.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use crate::limits::Limits;
use crate::wire::{Messages, Protocol, ServerMessage, WireError, decode_server};

/// Bodies of frames in the order in which they came; messages leave it one by one.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    current: Option<Messages<ServerMessage>>,
    /// The next message, if it was looked at.
    peeked: Option<Result<ServerMessage, WireError>>,
    /// Arrival time of `current`.
    came: Option<Instant>,
    bodies: VecDeque<(Instant, Bytes)>,
    /// The size of `bodies`.
    queued_bytes: usize,
}

impl Inbox {
    pub(crate) fn push(&mut self, now: Instant, body: Bytes) {
        self.queued_bytes += body.len();
        self.bodies.push_back((now, body));
    }

    /// Arrival time of the frame that the last message was in.
    pub(crate) fn came(&self) -> Option<Instant> {
        self.came
    }

    /// Number of bytes that wait, the frame under way not counted.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.current.is_none() && self.bodies.is_empty() && self.peeked.is_none()
    }

    /// Whether the next message is there, can be decoded, and `is` as wished.
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
                self.current = None;
            }
            let (came, body) = self.bodies.pop_front()?;
            self.came = Some(came);
            self.queued_bytes -= body.len();
            self.current = Some(decode_server(&body, protocol, limits));
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
