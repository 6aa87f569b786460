//! A lost socket: what becomes of calls and query sets, and of the connection.

use std::time::Instant;

use super::Connection;
use crate::conn::calls::{Sent, Waiting, WhileDisconnected};
use crate::conn::event::{Action, NotSent, Reply, SetEnd};
use crate::conn::lifecycle::phase::State;
use crate::conn::lifecycle::recovery::Decision;
use crate::conn::lifecycle::state::{CloseReason, ConnectionState, Lost};
use crate::conn::subscriptions::Orphan;
use crate::deadline::{after, at_last};
use crate::guard::log;
use crate::wire::Protocol;

/// Consequences of events.
impl Connection {
    pub(super) fn dial(&mut self, now: Instant) {
        self.state = State::Dialing { since: now };
        let dial = self.credentials.dial(self.recovery.attempt().saturating_add(1));
        self.transmit.act(Action::Dial(dial));
    }

    /// The socket has ended: applies what came before, then completes the rest.
    pub(super) fn drain(&mut self, now: Instant, protocol: Protocol, reason: CloseReason) {
        // Whoever closes waits for what came, and not for ever.
        let until = match reason {
            CloseReason::Requested => after(now, self.config.close_timeout),
            CloseReason::Lost(_) | CloseReason::Panicked(_) => None,
        };
        self.state = State::Draining { protocol, reason, until };
        if self.inbox.is_empty() && !self.is_applying() {
            self.drained(now);
        }
    }

    /// Continues once everything that came before the socket ended is applied.
    pub(super) fn drained(&mut self, now: Instant) {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Draining { reason: CloseReason::Lost(lost), .. } => self.lost(now, lost),
            _ => self.end(now, CloseReason::Requested),
        }
    }

    /// Gives the socket up. What had come is applied all the same.
    pub(super) fn lose(&mut self, now: Instant, reason: Lost) {
        self.transmit.abandon();
        self.transmit.forget_messages();
        self.handle_lost(now, reason);
    }

    /// There is no socket any more: completes what depended on it, and decides what comes next.
    pub(super) fn lost(&mut self, now: Instant, reason: Lost) {
        self.stats.losses += 1;
        if self.is_leaving() {
            return self.end(now, CloseReason::Requested);
        }
        let decision = self.recovery.lost(now, &reason);
        log!(debug, %reason, next = ?decision, "the connection is lost");
        match decision {
            Decision::GiveUp => self.end(now, CloseReason::Lost(reason)),
            // It was refused for the token that was presented before.
            Decision::AwaitToken(_) if self.credentials.is_new() => {
                self.let_go(&reason);
                self.dial(now);
            }
            Decision::AwaitToken(pause) => {
                self.let_go(&reason);
                self.state =
                    State::AwaitingToken { until: pause.and_then(|pause| after(now, pause)) };
                self.events.announce(ConnectionState::NeedsAuth(reason));
            }
            Decision::Retry(pause) => {
                self.let_go(&reason);
                let (attempt, next_at) = (self.recovery.attempt(), at_last(now, pause));
                self.state = State::Waiting { until: after(now, pause) };
                self.events.announce(ConnectionState::Reconnecting { attempt, next_at, reason });
            }
        }
    }

    /// Answers what only the lost socket could have answered; the rest waits for the next one. Rows stay readable.
    fn let_go(&mut self, reason: &Lost) {
        let only_calls = !self.subs.any_unanswered() && self.verifying.is_idle();
        self.forget_socket();
        self.let_go_of_calls(reason, only_calls);
        for orphan in self.subs.orphan() {
            match orphan {
                Orphan::Stale(rows) => self.cache.mark_stale(rows),
                Orphan::Ended(set, rows) => self.drop_set(set, rows, SetEnd::Unsubscribed),
            }
        }
    }
}

/// Calls.
impl Connection {
    /// The socket is gone, and another one is hoped for: calls that may run twice are to be sent again, those that wait
    /// go on doing so if they are to, and the others are answered. `only_calls`: the server had nothing else to answer.
    pub(super) fn let_go_of_calls(&mut self, lost: &Lost, only_calls: bool) {
        if let Some(journal) = &mut self.journal {
            journal.lost();
        }
        // The order matters: first what was in flight, because its outcome decides about calls that name its temporary ids;
        // then what waits, without those; then what was sent too often. Each call is answered or queued again, never both.
        //
        // Calls were held back because of others that may end the connection: they need not pay for it when one does.
        let held_back = self.calls.has_suspects_in_flight();
        if only_calls {
            self.blame_one_alone(lost);
        }
        let mut again = Vec::new();
        for Sent { call, waiting } in self.calls.drain_sent() {
            match waiting {
                Some(waiting) if waiting.may_go_again() => again.push(waiting),
                _ => self.answer(call, Reply::Unknown),
            }
        }
        // What was to be sent when the disk had noted it was not: the journal must not say that it may have run.
        self.unmark();
        again.iter_mut().for_each(|waiting| self.sent_in_vain(waiting));
        let policy = self.config.while_disconnected;
        let policy_of = |waiting: &Waiting| {
            waiting.tracking.as_ref().and_then(|tracking| tracking.policy()).unwrap_or(policy)
        };
        let out = self.calls.take_all_waiting(|waiting| {
            let stays = match policy_of(waiting) {
                WhileDisconnected::Wait => true,
                WhileDisconnected::Fail => held_back,
                WhileDisconnected::Drop => false,
            };
            waiting.attempts() == 0 && waiting.seq().is_none() && !stays
        });
        // In front of all others, so that calls go out in the order in which they were made.
        self.calls.put_back(again);
        for waiting in out {
            let reply = match policy_of(&waiting) {
                WhileDisconnected::Drop => Reply::Dropped,
                _ => Reply::NotSent(NotSent::Lost(lost.clone())),
            };
            self.answer(waiting.call, reply);
        }
        self.abandon_calls(lost);
        let owners = self.temp_ids.lost(|| self.calls.unanswered());
        owners.into_iter().for_each(|call| self.ids_are_over(call));
    }

    /// The connection ended: if one call alone was not answered, it may be why.
    fn blame_one_alone(&mut self, lost: &Lost) {
        let Some(tracking) = self.calls.alone_in_flight() else { return };
        tracking.suspect(lost.blame());
        if let (Some(seq), Some(journal)) = (tracking.seq(), &mut self.journal) {
            journal.blamed(seq, tracking.blame());
        }
    }

    /// The connection ended before the answer to a call that is sent again.
    fn sent_in_vain(&mut self, waiting: &mut Waiting) {
        let Some(tracking) = &mut waiting.tracking else { return };
        tracking.sent_in_vain();
        if let (Some(seq), Some(journal)) = (tracking.seq(), &mut self.journal) {
            journal.sent_in_vain(seq, tracking.attempts());
        }
    }

    /// Gives up the calls because of which connections ended often enough.
    fn abandon_calls(&mut self, lost: &Lost) {
        let limit = self.config.limits.max_call_losses.saturating_mul(2);
        let is_over = |waiting: &Waiting| {
            waiting.tracking.as_ref().is_some_and(|tracking| tracking.blame() as usize >= limit)
        };
        for waiting in self.calls.take_all_waiting(is_over) {
            // A probe is sent in the call's place.
            let sent = waiting.attempts().max(1);
            log!(warn, call = ?waiting.call, sent, %lost, "a call ends the connection each time, and is given up");
            self.answer(waiting.call, Reply::Abandoned { sent, reason: lost.clone() });
        }
    }

    /// The connection is closed: every call is answered, and those in the journal stay there for the next run.
    pub(super) fn end_calls(&mut self, not_sent: &NotSent) {
        self.unmark();
        let (sent, waiting) = self.calls.drain();
        for Sent { call, waiting } in sent {
            let stays = waiting.is_some_and(|call| call.seq().is_some() && call.may_go_again());
            self.answer(call, if stays { Reply::Kept } else { Reply::Unknown });
        }
        for waiting in waiting {
            let reply = match (waiting.seq(), waiting.attempts()) {
                (Some(_), _) => Reply::Kept,
                (None, 0) => Reply::NotSent(not_sent.clone()),
                (None, _) => Reply::Unknown,
            };
            self.answer(waiting.call, reply);
        }
    }

    /// Calls that were to be sent when that was written were not, and a probe will not be answered.
    fn unmark(&mut self) {
        for tracking in self.calls.tracked_mut() {
            if tracking.unmark()
                && let Some(journal) = &mut self.journal
            {
                journal.unmark(tracking.seq());
            }
        }
    }
}
