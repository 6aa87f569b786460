//! Orderly ends: closing when what was asked for is answered.

use std::time::{Duration, Instant};

use super::{Connection, State};
use crate::calls::Calls;
use crate::deadline::{after, earlier};
use crate::guard::log;

/// Longest time that an end lingers: a program that ends must end.
pub const LINGER_MAX: Duration = Duration::from_secs(10);

/// End that was asked for and waits for answers.
#[derive(Debug, Default)]
pub(super) struct Finish {
    awaited: Option<Awaited>,
    /// Time at which it waits no longer.
    until: Option<Instant>,
}

/// Calls that an end waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    /// Every one, over as many connections as it takes.
    All,
    /// Those that would be lost, or left in doubt, for as long as the connection lasts.
    Losable,
}

impl Finish {
    /// Returns `true` if an end was asked for.
    pub(super) fn is_wanted(&self) -> bool {
        self.awaited.is_some()
    }

    /// Returns `true` if the end waits for no other connection than this one.
    pub(super) fn ends_with_connection(&self) -> bool {
        self.awaited == Some(Awaited::Losable)
    }

    /// Time at which it waits no longer.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Waits for these from now on, for `until` at most. What was asked for before counts as well, whichever ends first.
    fn wait(&mut self, awaited: Awaited, until: Option<Instant>) {
        if self.awaited != Some(Awaited::Losable) {
            self.awaited = Some(awaited);
        }
        self.until = earlier(self.until, until);
    }

    fn is_over(&self, calls: &Calls) -> bool {
        match self.awaited {
            Some(Awaited::All) => calls.len() == 0,
            Some(Awaited::Losable) => calls.losable() == 0,
            None => false,
        }
    }
}

impl Connection {
    /// Closes the connection when every call and query is answered, and by `until` at the latest, if there is one. From
    /// now on no others are taken.
    ///
    /// A lost connection is made again for those that wait for it.
    pub fn finish(&mut self, now: Instant, until: impl Into<Option<Instant>>) {
        match self.state {
            State::Closing { .. } | State::Closed(_) => (),
            State::Idle => self.close(now),
            _ => self.finish.wait(Awaited::All, until.into()),
        }
    }

    /// Closes the connection when the calls and queries are answered that would be lost otherwise, and when
    /// [`linger`](crate::conn::Config::linger) has passed at the latest. From now on no others are taken.
    ///
    /// A server may forget what it has read and not begun when the connection ends, so that nothing but an answer says that a
    /// call has run. Calls that the journal has are not waited for unless they are in flight. A connection that is lost
    /// meanwhile, or that waits to be made again, is not made again.
    pub fn leave(&mut self, now: Instant) {
        let waits = match self.state {
            State::Dialing { .. } | State::Greeting { .. } | State::Online { .. } => {
                self.calls.losable() > 0 && !self.config.linger.is_zero()
            }
            _ => false,
        };
        if waits {
            let until = after(now, self.config.linger.min(LINGER_MAX));
            self.finish.wait(Awaited::Losable, until);
        } else {
            self.leave_behind();
            self.close(now);
        }
    }

    /// Logs the calls that are not waited for any longer, if there are any.
    fn leave_behind(&self) {
        let calls = self.calls.losable();
        if calls > 0 && !self.is_closed() {
            log!(
                warn,
                name: "lightlike.left_behind",
                calls,
                "the client ended before all that it called was answered; `close` waits longer"
            );
        }
    }

    /// Returns `true` from [`leave`](Self::leave) on, until the connection begins to close.
    pub fn is_leaving(&self) -> bool {
        self.finish.ends_with_connection()
    }

    /// Number of calls and queries without an answer: now, or when the connection was closed.
    pub fn unanswered(&self) -> usize {
        if self.is_closed() { self.unanswered } else { self.calls.len() }
    }

    /// Closes, if that is all that is left to do; whether it does.
    pub(super) fn close_if_finished(&mut self, now: Instant) -> bool {
        let finished = self.finish.is_over(&self.calls) && !self.is_applying();
        if finished {
            self.close(now);
        }
        finished
    }

    /// Closes, if it is time to.
    pub(super) fn close_if_late(&mut self, now: Instant) {
        if self.finish.until().is_some_and(|until| now >= until) {
            if self.is_leaving() {
                self.leave_behind();
            }
            self.close(now);
        }
    }
}
