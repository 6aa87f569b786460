//! Timers of the application, kept by the machine's own clock.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::conn::event::AlarmId;

/// Application timers that have not expired.
#[derive(Debug, Default)]
pub(in crate::conn) struct Timers {
    named: u64,
    pending: BTreeSet<(Instant, AlarmId)>,
}

impl Timers {
    /// An id for one more timer.
    pub(in crate::conn) fn name(&mut self) -> AlarmId {
        let timer = AlarmId(self.named);
        self.named += 1;
        timer
    }

    /// Starts a timer, which expires at a moment.
    pub(in crate::conn) fn start(&mut self, at: Instant, timer: AlarmId) {
        self.pending.insert((at, timer));
    }

    /// Forgets a timer that was started for a moment.
    pub(in crate::conn) fn stop(&mut self, at: Instant, timer: AlarmId) {
        self.pending.remove(&(at, timer));
    }

    /// Forgets all timers.
    pub(in crate::conn) fn clear(&mut self) {
        self.pending.clear();
    }

    /// The next moment at which one expires.
    pub(in crate::conn) fn next(&self) -> Option<Instant> {
        self.pending.first().map(|(at, _)| *at)
    }

    /// Takes the next timer that has expired.
    pub(in crate::conn) fn pop_expired(&mut self, now: Instant) -> Option<AlarmId> {
        if self.next()? > now {
            return None;
        }
        self.pending.pop_first().map(|(_, timer)| timer)
    }
}
