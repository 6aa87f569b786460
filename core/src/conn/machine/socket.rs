//! Events of the socket, and what follows from them.

use std::time::Instant;

use bytes::Bytes;

use super::Connection;
use crate::conn::apply::receiving::PartialMessage;
use crate::conn::event::{Action, Event, Reply, StaleReason};
use crate::conn::lifecycle::phase::State;
use crate::conn::lifecycle::state::{CloseReason, DialError, Lost};
use crate::guard::log;
use crate::wire::Protocol;

/// Events of the socket.
impl Connection {
    /// The socket is open and speaks `protocol`.
    pub fn handle_opened(&mut self, protocol: Protocol) {
        if let State::Dialing { since } = self.state {
            self.state = State::Greeting { since, protocol };
        }
    }

    /// The open socket's token stands in for another, which is the one to keep and to tell of.
    pub fn keep_token(&mut self, token: Box<str>) {
        self.credentials.stand_in_for(token);
    }

    /// The body of a binary message came: [`open_frame`](crate::wire::open_frame)'s result.
    pub fn handle_body(&mut self, now: Instant, body: Bytes) {
        self.sign_of_life(now);
        self.message_arrived(now);
        if self.state.receives() && !self.has_stopped {
            self.stats.frames_received += 1;
            self.stats.message_bytes_received += body.len() as u64;
            self.inbox.push(now, body);
        }
    }

    /// Bytes came, and of the message after the last whole one this much is here.
    ///
    /// To be said of all bytes: beside [`handle_body`](Self::handle_body), after it, where they complete a message. Any
    /// byte is a sign of life.
    pub fn handle_bytes(&mut self, now: Instant, bytes: u64, message: Option<PartialMessage>) {
        self.sign_of_life(now);
        let reads = self.state.receives();
        self.arrivals.add(now, bytes, message.filter(|_| reads));
    }

    /// A binary frame of this size came, before it was decompressed: see [`handle_body`](Self::handle_body).
    pub fn count_frame(&mut self, bytes: usize) {
        self.stats.bytes_received += bytes as u64;
    }

    fn sign_of_life(&mut self, now: Instant) {
        self.set_clock(now);
        if let State::Online { liveness, .. } = &mut self.state {
            liveness.heard(now);
        }
    }

    /// A message is whole. While it was arriving nothing else could be answered: the time does not count against the
    /// resync.
    fn message_arrived(&mut self, now: Instant) {
        let took = self.arrivals.complete(now);
        if let Some(resync) = &mut self.resync {
            resync.put_off(took);
        }
    }

    /// Says whether the socket is read: not while [`can_receive`](Self::can_receive) is false, or the driver has a reason of its
    /// own. While it is not, silence does not mean that the server is gone.
    pub fn set_reading(&mut self, reading: bool) {
        self.reading = reading;
    }

    /// A ping or a pong came.
    pub fn handle_activity(&mut self, now: Instant) {
        self.set_clock(now);
        if let State::Online { liveness, .. } = &mut self.state {
            liveness.answered(now);
        }
    }

    /// The socket could not be opened, failed, or ended.
    pub fn handle_lost(&mut self, now: Instant, reason: Lost) {
        match self.state {
            State::Dialing { .. } => self.lost(now, reason),
            State::Closing { protocol, .. } => self.drain(now, protocol, CloseReason::Requested),
            State::Greeting { protocol, .. } | State::Online { protocol, .. } => {
                self.drain(now, protocol, CloseReason::Lost(reason));
            }
            State::Idle
            | State::Draining { .. }
            | State::Waiting { .. }
            | State::AwaitingToken { .. }
            | State::Closed(_) => (),
        }
    }

    /// [`poll_timeout`](Self::poll_timeout)'s moment has come. Early and repeated calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.set_clock(now);
        while let Some(timer) = self.timers.pop_expired(now) {
            self.events.push(Event::Alarm(timer));
        }
        self.vacuum.handle_timeout(now);
        while let Some(call) = self.calls.expire(now) {
            self.answer(call, Reply::Expired);
        }
        self.drop_unclaimed(now);
        while let Some((call, sent)) = self.calls.time_out(now) {
            log!(debug, ?call, ?sent, "a call timed out");
            self.answer(call, Reply::TimedOut { sent });
        }
        if self.recovery.report_outage(now) {
            self.events.push(Event::LostForLong);
        }
        if self.resync_ends().is_some_and(|end| now >= end) {
            self.resync_without_the_rest(&StaleReason::NotAnswered);
        }
        self.close_if_late(now);
        if self
            .state
            .deadline(&self.config, !self.inbox.is_empty())
            .is_none_or(|deadline| now < deadline)
        {
            return;
        }
        match &mut self.state {
            State::Dialing { .. } => {
                let late = DialError::TimedOut(self.config.connect_timeout);
                self.lose(now, Lost::Dial(late));
            }
            State::Greeting { .. } => self.lose(now, Lost::NotGreeted(self.config.connect_timeout)),
            // Nobody listens, so silence says nothing. The server is to hear of us all the same.
            State::Online { liveness, .. } if liveness.is_pinged() && !self.reading => {
                liveness.heard(now);
            }
            State::Online { liveness, .. } if liveness.is_pinged() => {
                let silence = liveness.silence(now);
                self.lose(now, Lost::Silent(silence));
            }
            State::Online { liveness, .. } => {
                liveness.pinged(now);
                self.transmit.act(Action::Ping);
            }
            State::Closing { .. } => self.lose(now, Lost::HungUp),
            State::Draining { .. } => self.end(now, CloseReason::Requested),
            State::Waiting { .. } | State::AwaitingToken { .. } => self.dial(now),
            State::Idle | State::Closed(_) => (),
        }
    }
}

/// Actions for the driver.
impl Connection {
    /// The next thing for the driver to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        let is_open = matches!(self.state, State::Online { .. } | State::Closing { .. });
        let action = self.transmit.next(is_open)?;
        if let Action::Send(frame) = &action {
            self.stats.frames_sent += 1;
            self.stats.bytes_sent += frame.len() as u64;
            if let (State::Online { liveness, .. }, Some(now)) =
                (&mut self.state, self.calls.clock())
            {
                liveness.spoke(now);
            }
        }
        Some(action)
    }

    /// Time at which [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deadlines = [
            self.state.deadline(&self.config, !self.inbox.is_empty()),
            self.calls.next_deadline(),
            self.recovery.grace_ends(),
            self.journal.as_ref().and_then(|journal| journal.unclaimed_until()),
            self.timers.next(),
            self.vacuum.due(),
            self.resync_ends(),
            self.finish.until(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Backpressure: returns `true` if the driver may read from the socket, because what was received and is not applied is
    /// within `max_received_bytes`. Otherwise the server is made to wait by its own socket.
    pub fn can_receive(&self) -> bool {
        self.inbox.bytes() < self.config.limits.max_received_bytes
    }
}
