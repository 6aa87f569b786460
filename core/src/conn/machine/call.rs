//! Calls: making, sending, and completing them.

use std::time::Instant;

use super::Connection;
use crate::cache::{Change, MutationId};
use crate::conn::apply::changes::Then;
use crate::conn::calls::{CallId, Gate, InFlight, Request, Tracking, Waiting, WhileDisconnected};
use crate::conn::event::{Accepted, Cause, Event, NotSent, Reply};
use crate::conn::persistence::{CallOptions, Overflow, UNKNOWN_ARGUMENTS};
use crate::conn::telemetry::times::CallTimes;
use crate::deadline::after;
use crate::guard::log;
use crate::journal::Delivery;
use crate::wire::{QueryRows, Text};

use crate::conn::apply::messages::excerpt;

/// Making.
impl Connection {
    /// As [`call`](Self::call), with everything that there is to say about it.
    pub fn call_with(&mut self, now: Instant, request: Request, options: CallOptions) -> CallId {
        self.make_call(Some(now), request, options)
    }

    pub(super) fn make_call(
        &mut self,
        now: Option<Instant>,
        request: Request,
        options: CallOptions,
    ) -> CallId {
        let call = self.calls.name();
        let policy = options.while_disconnected.unwrap_or(self.config.while_disconnected);
        if let Some(refusal) = self.refusal(&request, policy) {
            self.answer(call, refusal);
        } else if options.delivery == Delivery::AtMostOnce
            && options.names.is_empty()
            && self.sends_at_once()
        {
            let deadline = options.deadline;
            self.calls.push(Waiting::new(call, request, deadline, None));
            self.send_calls();
            if options.tell_accepted {
                self.events.push(Event::Accepted { call, accepted: Accepted::Sent });
            }
        } else {
            self.queue_call(now, call, request, options, policy);
        }
        call
    }

    /// Makes a call that does not leave at once, or not only.
    fn queue_call(
        &mut self,
        now: Option<Instant>,
        call: CallId,
        request: Request,
        options: CallOptions,
        policy: WhileDisconnected,
    ) {
        let deadline = options.deadline;
        let tell = options.tell_accepted;
        let mut tracking = Tracking::new(options.delivery.clone(), options.while_disconnected);
        tracking.set_expires(options.ttl.and_then(|ttl| after(now?, ttl)));
        tracking.set_names(options.names.clone());
        self.temp_ids.wait(call, &options.names);
        if let Request::Reducer { name, .. } = &request
            && options.fingerprint != UNKNOWN_ARGUMENTS
        {
            self.expect_arguments(name, Some(options.fingerprint));
        }
        if let Request::Reducer { .. } = request
            && policy == WhileDisconnected::Wait
            && self.journal.as_ref().is_some_and(|journal| journal.is_good())
        {
            if let Some(full) = self.make_room() {
                return self.answer(call, Reply::NotSent(full));
            }
            self.persist_call(now, call, &request, options, &mut tracking);
        }
        let is_persisted = tracking.seq().is_some();
        self.calls.push(Waiting::new(call, request, deadline, Some(Box::new(tracking))));
        self.send_calls();
        if !tell {
            return;
        }
        let waits = self.calls.last_waiting() == Some(call) || self.calls.is_aside(call);
        match &mut self.journal {
            Some(journal) if is_persisted => {
                journal.accept(call, if waits { Accepted::Queued } else { Accepted::Sent });
            }
            _ => {
                let accepted = if waits { Accepted::Waiting } else { Accepted::Sent };
                self.events.push(Event::Accepted { call, accepted });
            }
        }
    }

    /// Makes room in the journal for a call, or says why it cannot be persisted.
    fn make_room(&mut self) -> Option<NotSent> {
        let journal = self.journal.as_ref().filter(|journal| journal.is_full())?;
        let limit = journal.config().max_queued;
        let is_unsent = |waiting: &&Waiting| waiting.seq().is_some() && waiting.attempts() == 0;
        let oldest = self.calls.waiting().find(is_unsent).map(|waiting| waiting.call);
        match (journal.config().overflow, oldest) {
            (Overflow::DropOldest, Some(oldest)) => {
                let _ = self.calls.take_waiting(oldest);
                self.answer(oldest, Reply::Dropped);
                None
            }
            _ => Some(NotSent::QueueFull { limit }),
        }
    }

    /// Puts a call into the journal.
    fn persist_call(
        &mut self,
        now: Option<Instant>,
        call: CallId,
        request: &Request,
        options: CallOptions,
        tracking: &mut Tracking,
    ) {
        // What may be sent again leaves without waiting for the disk; that it did is written with it.
        let leaves = options.delivery == Delivery::AtLeastOnce
            && options.names.is_empty()
            && self.sends_at_once();
        let number = self.temp_ids.number(call);
        if let Some(journal) = &mut self.journal {
            journal.enter(now, (call, number), request, options, (tracking, leaves));
        }
    }

    /// Takes a call back that was not sent. False if it was, or is over.
    pub fn cancel(&mut self, call: CallId) -> bool {
        let waits = |waiting: &Waiting| waiting.call == call && waiting.attempts() == 0;
        if !self.calls.any_waiting(waits) {
            return false;
        }
        let _ = self.calls.take_waiting(call);
        self.answer(call, Reply::Cancelled);
        self.send_calls();
        true
    }
}

/// Sending.
impl Connection {
    /// Returns `true` if a call that is made now leaves before this returns, unless it must be written first.
    pub(super) fn sends_at_once(&self) -> bool {
        self.ready
            && !self.calls.has_waiting()
            && !self.calls.has_suspects_in_flight()
            && self.calls.in_flight() < self.config.limits.max_calls_in_flight
            && !self.is_asking()
    }

    fn is_asking(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.is_asking())
    }

    /// Sends the calls that wait, in their order, as many as may be unanswered at once.
    pub(super) fn send_calls(&mut self) {
        if !self.ready || self.is_asking() {
            return;
        }
        // Only the first call is looked at: what it waits for, those behind it wait for too, so calls leave in the order in
        // which they were made. Each round sends it, or moves it out of the way, or ends the loop.
        while self.calls.in_flight() < self.config.limits.max_calls_in_flight
            && !self.first_waits_for_ids()
            && let Some(gate) = self.calls.first().map(Waiting::gate)
        {
            // Something in flight may end the connection, and would take this call along.
            if gate != Gate::Probing && !self.calls.may_send_first() {
                return;
            }
            match gate {
                Gate::Open => self.send_first(),
                Gate::Marking(ticket) if self.is_stored(ticket) => self.send_first(),
                // The disk's answer, or the probe's, comes here again.
                Gate::Marking(_) | Gate::Probing => return,
                // Persisted and at most once: what is not known to be marked as sent must not be on the wire, for after a
                // crash it would be sent a second time.
                Gate::Unmarked => return self.mark_sent(),
                Gate::Unprobed => {
                    let request_id = self.transmit.request_id();
                    if let Some(message) = self.calls.probe(request_id) {
                        self.send(&message);
                    }
                    return;
                }
            }
        }
    }

    fn send_first(&mut self) {
        let seq = self.calls.first().and_then(Waiting::seq);
        if let (Some(seq), Some(journal)) = (seq, &mut self.journal) {
            journal.sent(seq);
        }
        let request_id = self.transmit.request_id();
        if let Some(message) = self.calls.send(request_id) {
            self.send(&message);
            self.calls.keep_args(message);
        }
    }

    fn is_stored(&self, ticket: u64) -> bool {
        self.journal.as_ref().is_none_or(|journal| journal.is_stored(ticket))
    }

    /// Writes that the next calls are sent; they are when that is on disk.
    fn mark_sent(&mut self) {
        let Some(journal) = &mut self.journal else { return };
        let window = journal.config().sent_window.max(1);
        journal.mark(self.calls.next_unmarked(window));
    }

    /// Returns `true` if the first call that waits has to wait for a call in flight whose ids it names. One that waits for a
    /// call which is not in flight is put aside.
    fn first_waits_for_ids(&mut self) -> bool {
        loop {
            let first = self.calls.first().and_then(|first| first.tracking.as_ref());
            let Some(name) = first.and_then(|tracking| tracking.names().first()) else {
                return false;
            };
            let Some(owner) = self.temp_ids.owner(name.number()) else {
                // Its end is under way.
                return true;
            };
            if self.temp_ids.is_blocking(owner) {
                return true;
            }
            if self.calls.is_in_flight(owner) {
                self.temp_ids.block(owner);
                return true;
            }
            self.calls.put_first_aside();
        }
    }

    /// The probe of the first call is answered.
    pub(super) fn probed(&mut self, result: Result<QueryRows, Text>) {
        let Some(call) = self.calls.first().map(|first| first.call) else { return };
        let has_run = match result {
            Ok(rows) => rows.tables.iter().any(|table| !table.rows.is_empty()),
            Err(why) => {
                // It cannot be found out, so nobody knows.
                let why = excerpt(&why);
                log!(warn, %why, "the server refused a call's probe");
                let _ = self.calls.take_waiting(call);
                self.answer(call, Reply::Unknown);
                return self.send_calls();
            }
        };
        if has_run {
            let _ = self.calls.take_waiting(call);
            let timestamp = crate::types::Timestamp::UNIX_EPOCH;
            self.answer(call, Reply::Committed { returned: bytes::Bytes::new(), timestamp });
        } else if let Some(tracking) = self.calls.first_tracked() {
            // On disk it is marked as sent, and asked about again after a crash: that it need not be marked.
            tracking.open();
            self.hold_misfits();
        }
        self.send_calls();
    }
}

/// Completing.
impl Connection {
    /// Answers a call that was sent, unless the application was told that it timed out.
    pub(super) fn complete_call(&mut self, call: InFlight, reply: Reply) {
        if !call.timed_out {
            let times = self.answered_now(call.made, call.sent);
            self.answer_timed(call.call, reply, times);
        }
    }

    /// Answers a call; with it goes what was expected of it, unless that may yet be.
    pub(super) fn answer(&mut self, call: CallId, reply: Reply) {
        self.answer_timed(call, reply, CallTimes::default());
    }

    /// As [`answer`](Self::answer), with when what happened to the call.
    fn answer_timed(&mut self, call: CallId, reply: Reply, times: CallTimes) {
        let may_have_run = matches!(
            reply,
            Reply::Unknown | Reply::Abandoned { .. } | Reply::TimedOut { sent: true }
        );
        // Where the rows have been resynced since it was sent, they say what came of it.
        let is_open = may_have_run && (!self.ready || self.calls.is_in_flight(call));
        let answered = Event::Answered { call, reply, times };
        let ends = self.mutation_of(call);
        if is_open || ends.is_empty() {
            // The prediction stays, if there is one: the resync brings the truth, and takes it back in the same change.
            self.say(answered);
        } else {
            // The prediction ends in a change of its own, and the answer follows that: whoever awaits the call sees no row that
            // it was wrong about.
            let change = Change { parts: Vec::new(), ends };
            self.apply(change, Cause::Reverted([call].into()), vec![Then::Say(answered)]);
        }
    }

    /// The call's mutation, if it has one.
    pub(super) fn mutation_of(&self, call: CallId) -> Vec<MutationId> {
        let mutation = MutationId(call.0);
        if self.cache.has_mutation(mutation) { vec![mutation] } else { Vec::new() }
    }
}
