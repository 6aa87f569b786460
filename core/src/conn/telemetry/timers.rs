//! Moments that the application wants to hear of: whoever runs the machine keeps the time for it.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::conn::{AlarmId, Connection, Event};

/// Alarms that have not come yet.
#[derive(Debug, Default)]
pub(in crate::conn) struct Alarms {
    named: u64,
    pending: BTreeSet<(Instant, AlarmId)>,
}

impl Alarms {
    /// The next moment of any.
    pub(in crate::conn) fn next(&self) -> Option<Instant> {
        self.pending.first().map(|(at, _)| *at)
    }
}

impl Connection {
    /// Asks for [`Event::Alarm`] at a moment; at the next [`handle_timeout`](Self::handle_timeout) if it is over. A
    /// closed connection has none.
    pub fn set_alarm(&mut self, at: Instant) -> AlarmId {
        let alarm = AlarmId(self.alarms.named);
        self.alarms.named += 1;
        if !self.is_closed() {
            self.alarms.pending.insert((at, alarm));
        }
        alarm
    }

    /// Forgets an alarm that was set for a moment.
    pub fn clear_alarm(&mut self, at: Instant, alarm: AlarmId) {
        self.alarms.pending.remove(&(at, alarm));
    }

    pub(in crate::conn) fn ring_alarms(&mut self, now: Instant) {
        while let Some((at, alarm)) = self.alarms.pending.first().copied()
            && at <= now
        {
            self.alarms.pending.pop_first();
            self.events.push_back(Event::Alarm(alarm));
        }
    }

    /// There will be no more alarms.
    pub(in crate::conn) fn end_alarms(&mut self) {
        self.alarms.pending.clear();
    }
}
