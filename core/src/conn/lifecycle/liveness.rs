//! Signs of life: when the server is pinged, and when its silence means that it is gone.

use std::time::{Duration, Instant};

use crate::conn::Config;
use crate::deadline::after;

/// The shortest pause between two pings, whatever [`Config::ping_after`] says: zero must not make a loop of them.
const PING_PAUSE_MIN: Duration = Duration::from_millis(10);

/// When an open socket last gave a sign of life, and when it was last given one.
///
/// Two clocks, because they fail apart. Any byte that arrives says that the server is there, so a message that takes
/// minutes is no silence. But nothing goes the other way meanwhile: the server's pings wait behind that message, and the
/// server drops a client that it has not heard for 30 s. So a ping is due when either side has been quiet.
#[derive(Debug)]
pub(in crate::conn) struct Liveness {
    /// When a byte last came.
    heard: Instant,
    /// When something of ours last left: pings of the server's are answered without the machine.
    spoke: Instant,
    /// When the server was pinged, if not a byte came since.
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

    /// When to ping, or to give the socket up.
    pub(in crate::conn) fn deadline(&self, config: &Config) -> Option<Instant> {
        match self.pinged {
            Some(pinged) => after(pinged, config.pong_timeout),
            None => after(self.heard.min(self.spoke), config.ping_after.max(PING_PAUSE_MIN)),
        }
    }

    /// How long nothing came.
    pub(in crate::conn) fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard)
    }
}
