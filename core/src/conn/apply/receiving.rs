//! Progress of what arrives: bytes, and the message of which a part is here.

use std::time::{Duration, Instant};

use crate::deadline::has_passed;

/// Time for which a message must have been arriving to be reported, and pause until more of it is: what is quick
/// costs no event.
const NEWS_PAUSE: Duration = Duration::from_millis(100);

/// Progress of the message that is arriving, and bytes that have arrived in all.
///
/// A first subscription is one message, however many rows it has, and its rows are seen when all of it is there. On a
/// slow link that takes minutes, and this is what happens meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Receiving {
    /// Bytes read from sockets since the client was made: compressed, parts of messages and the WebSocket's own included.
    pub bytes: u64,
    /// The message that is arriving; `None` between two messages.
    pub message: Option<PartialMessage>,
}

/// A message of which a part has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartialMessage {
    /// Bytes of it that are here, compressed if it is.
    pub received: u64,
    /// Bytes that it will have, where the server says so at its beginning.
    ///
    /// A server that cuts messages into frames does not: SpacetimeDB sends frames of 4,096 bytes, each with its own
    /// length.
    pub length: Option<u64>,
}

/// Bytes that have arrived of a connection, over all its sockets.
#[derive(Debug, Default)]
pub(in crate::conn) struct Arrivals {
    now: Receiving,
    /// Arrival of the message's first part.
    since: Option<Instant>,
    /// Arrival of its last part.
    last: Option<Instant>,
    /// Progress that was reported last, and its moment.
    reported: Option<(PartialMessage, Instant)>,
}

impl Arrivals {
    /// Bytes came, and of the message after the last whole one this much is here.
    pub(in crate::conn) fn add(
        &mut self,
        now: Instant,
        bytes: u64,
        message: Option<PartialMessage>,
    ) {
        self.now.bytes += bytes;
        self.now.message = message;
        self.since = message.map(|_| self.since.unwrap_or(now));
        self.last = message.map(|_| now);
    }

    /// A message is whole; how long it was arriving.
    pub(in crate::conn) fn complete(&mut self, now: Instant) -> Duration {
        let since = self.since;
        self.cut_off();
        since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// The socket is gone, and the part of a message with it.
    pub(in crate::conn) fn cut_off(&mut self) {
        (self.now.message, self.since, self.last) = (None, None, None);
    }

    /// Returns `true` while a part of a message is here.
    pub(in crate::conn) fn has_part(&self) -> bool {
        self.now.message.is_some()
    }

    /// Bytes and progress now.
    pub(in crate::conn) fn now(&self) -> Receiving {
        self.now
    }

    pub(in crate::conn) fn bytes(&self) -> u64 {
        self.now.bytes
    }

    /// Returns `true` if progress is to be reported.
    pub(in crate::conn) fn is_news(&self) -> bool {
        let Some((message, last)) = self.now.message.zip(self.last) else {
            return self.reported.is_some();
        };
        let before = match self.reported {
            Some((reported, _)) if reported == message => return false,
            Some((_, at)) => Some(at),
            None => self.since,
        };
        before.is_some_and(|before| has_passed(before, NEWS_PAUSE, last))
    }

    /// Progress that is to be reported, if any is.
    pub(in crate::conn) fn news(&mut self) -> Option<Receiving> {
        if !self.is_news() {
            return None;
        }
        self.reported = self.now.message.zip(self.last);
        Some(self.now)
    }
}
