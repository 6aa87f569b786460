//! An application that does not keep up is told so, once for each time that it falls behind.

use std::time::{Duration, Instant};

use crate::conn::{Connection, Event};

/// The application does not keep up with the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowConsumer {
    /// Reason.
    pub reason: SlowReason,
    /// Time that it is behind, or that it was held up.
    pub behind: Duration,
    /// Bytes that were received and wait.
    pub bytes_waiting: usize,
}

/// Reason for which an application does not keep up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlowReason {
    /// Messages pile up: they come faster than they are applied, or nobody drives the client.
    Applying,
    /// Callbacks take long, and nothing is applied meanwhile.
    Callbacks,
    /// Views are held for long: dead rows have reached `max_dead_rows`, and nothing is applied until they are let go.
    Views,
}

/// Observed pace of the application.
#[derive(Debug, Default)]
pub(in crate::conn) struct Pace {
    /// Time at which the last step was over, if it left events to be delivered.
    delivering_since: Option<Instant>,
    /// Since when applying waits for views.
    held_since: Option<Instant>,
    /// It was told, and has not caught up since.
    told: bool,
}

impl Connection {
    /// The application has been told everything, and the next step begins.
    pub(in crate::conn) fn pace_step(&mut self, now: Instant) {
        if let Some(since) = self.pace.delivering_since.take() {
            self.notice(SlowReason::Callbacks, now.saturating_duration_since(since));
        }
    }

    /// The next message is read. One that waited alone is late, but nothing piles up behind it.
    pub(in crate::conn) fn pace_message(&mut self, now: Instant) {
        if self.inbox.waiting_bytes() > 0
            && let Some(came) = self.inbox.came()
        {
            self.notice(SlowReason::Applying, now.saturating_duration_since(came));
        }
    }

    /// Applying waits for views, or does not.
    pub(in crate::conn) fn pace_views(&mut self, now: Instant, waits: bool) {
        if waits {
            let since = *self.pace.held_since.get_or_insert(now);
            self.notice(SlowReason::Views, now.saturating_duration_since(since));
        } else {
            self.pace.held_since = None;
        }
    }

    /// A step is over.
    pub(in crate::conn) fn pace_rest(&mut self, now: Instant, idle: bool) {
        if !self.events.is_empty() {
            self.pace.delivering_since = Some(now);
        } else if idle {
            self.pace.told = false;
        }
    }

    fn notice(&mut self, reason: SlowReason, behind: Duration) {
        if behind < self.config.slow_after || self.pace.told {
            return;
        }
        self.pace.told = true;
        self.stats.slow_notices += 1;
        let bytes_waiting = self.inbox.waiting_bytes();
        self.events.push_back(Event::Slow(SlowConsumer { reason, behind, bytes_waiting }));
    }
}
