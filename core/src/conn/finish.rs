//! Closing when everything is answered.

use std::time::Instant;

use super::{Connection, State};
use crate::deadline::earlier;

impl Connection {
    /// Closes the connection when every call and query is answered, and by `until` at the latest, if there is one. From
    /// now on no others are taken.
    ///
    /// A lost connection is made again for those that wait for it.
    pub fn finish(&mut self, now: Instant, until: impl Into<Option<Instant>>) {
        match self.state {
            State::Closing { .. } | State::Closed(_) => (),
            State::Idle => self.close(now),
            _ => {
                self.finishing = true;
                self.finish_by = earlier(self.finish_by, until.into());
            }
        }
    }

    /// Number of calls and queries without an answer when the connection was closed.
    pub fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// Returns `true` while it is being closed.
    pub(super) fn is_finishing(&self) -> bool {
        self.finishing
    }

    /// Closes, if that is all that is left to do; whether it does.
    pub(super) fn close_if_finished(&mut self, now: Instant) -> bool {
        let finished = self.is_finishing() && self.calls.len() == 0 && !self.is_applying();
        if finished {
            self.stop_finishing();
            self.close(now);
        }
        finished
    }

    /// Closes, if it is time to.
    pub(super) fn close_if_late(&mut self, now: Instant) {
        if self.finish_by.is_some_and(|until| now >= until) {
            self.stop_finishing();
            self.close(now);
        }
    }

    pub(super) fn stop_finishing(&mut self) {
        self.finishing = false;
        self.finish_by = None;
    }
}
