//! Detection of an application that does not keep up.

use std::time::{Duration, Instant};

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

/// Detects an application that does not keep up. It is reported once for each time that it falls behind.
#[derive(Debug)]
pub(in crate::conn) struct SlowDetector {
    /// Longest time that the application may be behind.
    threshold: Duration,
    /// Time at which the last step was over, if it left events to be delivered.
    delivering_since: Option<Instant>,
    /// Since when applying waits for views.
    held_since: Option<Instant>,
    /// It was reported, and has not caught up since.
    is_reported: bool,
}

impl SlowDetector {
    pub(in crate::conn) fn new(threshold: Duration) -> Self {
        Self { threshold, delivering_since: None, held_since: None, is_reported: false }
    }

    /// Every event is delivered, and the next step begins.
    pub(in crate::conn) fn step_begins(
        &mut self,
        now: Instant,
        waiting: usize,
    ) -> Option<SlowConsumer> {
        let since = self.delivering_since.take()?;
        self.report(SlowReason::Callbacks, now.saturating_duration_since(since), waiting)
    }

    /// A message is read of a frame that came at a moment. One that waited alone is late, but nothing piles up behind it.
    pub(in crate::conn) fn message_read(
        &mut self,
        now: Instant,
        came: Option<Instant>,
        waiting: usize,
    ) -> Option<SlowConsumer> {
        let came = came.filter(|_| waiting > 0)?;
        self.report(SlowReason::Applying, now.saturating_duration_since(came), waiting)
    }

    /// Applying waits for views.
    pub(in crate::conn) fn views_held(
        &mut self,
        now: Instant,
        waiting: usize,
    ) -> Option<SlowConsumer> {
        let since = *self.held_since.get_or_insert(now);
        self.report(SlowReason::Views, now.saturating_duration_since(since), waiting)
    }

    /// Applying goes on.
    pub(in crate::conn) fn views_released(&mut self) {
        self.held_since = None;
    }

    /// A step is over, and has left events or nothing to do.
    pub(in crate::conn) fn step_ends(&mut self, now: Instant, has_events: bool, is_idle: bool) {
        if has_events {
            self.delivering_since = Some(now);
        } else if is_idle {
            self.is_reported = false;
        }
    }

    fn report(
        &mut self,
        reason: SlowReason,
        behind: Duration,
        bytes_waiting: usize,
    ) -> Option<SlowConsumer> {
        if behind < self.threshold || self.is_reported {
            return None;
        }
        self.is_reported = true;
        Some(SlowConsumer { reason, behind, bytes_waiting })
    }
}
