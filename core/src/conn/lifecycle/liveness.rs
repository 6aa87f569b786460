//! Liveness of an open socket: when the server is pinged, and when its silence means that it is gone.

use std::time::{Duration, Instant};

use crate::conn::config::Config;
use crate::deadline::after;

/// The shortest pause between two pings, whatever [`Config::ping_after`] says: zero must not make a loop of them.
const PING_PAUSE_MIN: Duration = Duration::from_millis(10);

/// Last signs of life of an open socket, in both directions.
///
/// Two clocks, because they fail apart. Any byte that arrives says that the server is there, so a message that takes
/// minutes is no silence. But nothing goes the other way meanwhile: the server's pings wait behind that message, and the
/// server drops a client that it has not heard for 30 s. So a ping is due when either side has been quiet.
#[derive(Debug)]
pub(in crate::conn) struct Liveness {
    /// Arrival of the last byte.
    heard: Instant,
    /// Departure of our last message: pings of the server's are answered without the machine.
    spoke: Instant,
    /// Time of the last ping, if not a byte came since.
    pinged: Option<Instant>,
}

impl Liveness {
    pub(in crate::conn) fn new(now: Instant) -> Self {
        Self { heard: now, spoke: now, pinged: None }
    }

    /// Any bytes came: a whole message, or a part of one.
    pub(in crate::conn) fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.pinged = None;
    }

    /// A ping came, and is answered; or an answer to ours did.
    pub(in crate::conn) fn answered(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    /// A message leaves.
    pub(in crate::conn) fn spoke(&mut self, now: Instant) {
        self.spoke = now;
    }

    /// A ping leaves.
    pub(in crate::conn) fn pinged(&mut self, now: Instant) {
        self.spoke = now;
        self.pinged = Some(now);
    }

    /// Returns `true` while a ping waits for any byte.
    pub(in crate::conn) fn is_pinged(&self) -> bool {
        self.pinged.is_some()
    }

    /// Time to ping, or to give the socket up.
    pub(in crate::conn) fn deadline(&self, config: &Config) -> Option<Instant> {
        match self.pinged {
            Some(pinged) => after(pinged, config.pong_timeout),
            None => after(self.heard.min(self.spoke), config.ping_after.max(PING_PAUSE_MIN)),
        }
    }

    /// Time since the last byte.
    pub(in crate::conn) fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard)
    }
}
