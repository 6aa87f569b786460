//! Ends of a connection: closing when what was asked for is answered, in order, or at once; and becoming another user.

use std::time::Instant;

use super::Connection;
use crate::conn::event::{Action, CannotSwitch, Cause, Event, NotSent, SetEnd};
use crate::conn::lifecycle::finish::Finish;
use crate::conn::lifecycle::finish::{Awaited, LINGER_MAX};
use crate::conn::lifecycle::phase::State;
use crate::conn::lifecycle::state::{CloseReason, ConnectionState};
use crate::deadline::{after, earlier};
use crate::guard::{Panic, log};

/// Closing in order.
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

/// Closing.
impl Connection {
    /// Closes the connection in order: what was applied stays readable, calls that are not answered by then end as
    /// [`Reply::Unknown`](crate::conn::Reply::Unknown).
    pub fn close(&mut self, now: Instant) {
        self.finish = Finish::default();
        match &mut self.state {
            State::Closing { .. } | State::Closed(_) => (),
            State::Draining { reason, until, .. } => {
                *reason = CloseReason::Requested;
                *until = earlier(*until, after(now, self.config.close_timeout));
            }
            State::Online { protocol, .. } => {
                let (protocol, until) = (*protocol, after(now, self.config.close_timeout));
                self.state = State::Closing { protocol, until };
                self.transmit.act(Action::Close);
            }
            State::Idle
            | State::Dialing { .. }
            | State::Greeting { .. }
            | State::Waiting { .. }
            | State::AwaitingToken { .. } => self.close_at_once(now),
        }
    }

    /// Closes the connection here and now: gives up whatever is not applied, and answers every call. Nothing is waited for,
    /// neither the server, nor views, nor steps.
    pub fn close_at_once(&mut self, now: Instant) {
        if !self.is_closed() {
            self.transmit.abandon();
            self.end(now, CloseReason::Requested);
        }
    }

    /// Code of the application, or the machine itself, panicked half-way through something: nothing of that is gone on with.
    /// Closes the connection as [`close_at_once`](Self::close_at_once) does, and says why.
    pub fn break_off(&mut self, now: Instant, panic: Panic) {
        self.events.push(Event::Panicked(panic.clone()));
        if !self.is_closed() {
            self.transmit.abandon();
            self.end(now, CloseReason::Panicked(panic));
        }
    }

    /// As [`break_off`](Self::break_off), where that panicked itself: runs no code of the application's, and tries to take nothing
    /// back.
    pub fn break_off_bare(&mut self, panic: Panic) {
        self.transmit.abandon();
        self.inbox.clear();
        self.transmit.forget_messages();
        self.forget_changes();
        let reason = CloseReason::Panicked(panic.clone());
        if self.is_closed() {
            return;
        }
        self.state = State::Closed(reason.clone());
        self.end_calls(&NotSent::Panicked(panic));
        for set in self.subs.drain() {
            self.events.push(Event::Ended { set, reason: SetEnd::Closed });
        }
        self.forget_changes();
        self.events.announce(ConnectionState::Closed(reason));
    }

    /// Notes that code of the application panicked where that changes nothing for the machine.
    pub fn note_panic(&mut self, panic: Panic) {
        self.events.push(Event::Panicked(panic));
    }
}

/// Cleaning up after the socket.
impl Connection {
    pub(super) fn forget_socket(&mut self) {
        for id in self.verifying.give_up() {
            self.events.push(Event::Verified { id, outcome: None });
        }
        self.resync = None;
        self.arrivals.cut_off();
        self.ready = false;
        self.inbox.clear();
        self.transmit.forget_messages();
    }

    /// Completes everything that the server can no longer answer. Rows stay readable.
    pub(super) fn end(&mut self, now: Instant, reason: CloseReason) {
        log!(debug, ?reason, "the connection is closed");
        self.forget_socket();
        self.unanswered = self.calls.len();
        let not_sent = match &reason {
            CloseReason::Requested => NotSent::Closed,
            CloseReason::Lost(lost) => NotSent::Lost(lost.clone()),
            CloseReason::Panicked(panic) => NotSent::Panicked(panic.clone()),
        };
        self.abort_all();
        self.end_calls(&not_sent);
        self.revert_all(now);
        for set in self.subs.drain() {
            self.events.push(Event::Ended { set, reason: SetEnd::Closed });
        }
        self.recovery.end();
        self.finish = Finish::default();
        self.tell_panics();
        self.timers.clear();
        self.state = State::Closed(reason.clone());
        self.events.announce(ConnectionState::Closed(reason));
    }
}

/// Another user.
impl Connection {
    /// Makes the connection another user's: the one that `token` stands for, or a new one if there is none.
    ///
    /// All that is here is the user's before, and goes at once: rows, in one transaction ([`Cause::UserChanged`]); calls,
    /// which end as [`Unknown`](crate::conn::Reply::Unknown) if they were sent, and as [`NotSent`](crate::conn::Reply::NotSent) if not;
    /// the socket. Query sets stay and are asked for anew, as if they had just been made.
    ///
    /// # Errors
    ///
    /// [`CannotSwitch`]: nothing has changed then.
    pub fn switch_user(
        &mut self,
        now: Instant,
        token: Option<Box<str>>,
    ) -> Result<(), CannotSwitch> {
        self.check_switch()?;
        self.set_clock(now);
        let was_started = !self.is_idle();
        self.transmit.forget_actions();
        self.forget_socket();
        self.abort_all();
        // What was said of sets before is not so any more.
        self.events.retract_sets();
        self.end_calls(&NotSent::UserChanged);
        self.revert_all(now);
        self.drop_users_rows();
        self.say(Event::UserChanged);
        self.credentials.switch_user(token);
        self.recovery.hasten();
        if was_started {
            self.transmit.act(Action::Abandon);
            self.dial(now);
            self.events.announce(ConnectionState::Connecting);
        }
        Ok(())
    }

    fn check_switch(&self) -> Result<(), CannotSwitch> {
        if self.journal.is_some() {
            return Err(CannotSwitch::Offline);
        }
        match self.state {
            State::Closing { .. } | State::Closed(_) => Err(CannotSwitch::Closed),
            _ if self.finish.is_wanted() => Err(CannotSwitch::Closed),
            _ => Ok(()),
        }
    }

    /// Every set starts over without rows; those that were about to end have.
    fn drop_users_rows(&mut self) {
        let (names, ended) = self.subs.restart();
        let transaction = self.drop_now(&names);
        self.tell(transaction, Cause::UserChanged);
        for set in ended {
            self.say(Event::Ended { set, reason: SetEnd::Unsubscribed });
        }
    }
}
