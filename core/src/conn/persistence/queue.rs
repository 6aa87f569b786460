//! Calls on their way into the journal and out of it.

use std::time::Instant;

use super::{CallOptions, Offline, Overflow, Queued};
use crate::calls::{Gate, Keep, Request, Waiting};
use crate::conn::{Accepted, CallId, Connection, Event, NotSent, Reply, State, WhileDisconnected};
use crate::deadline::after;
use crate::guard::log;
use crate::journal::{
    DeadLetter, Delivery, Entry, EntryState, Failure, Held, Op, QueuedCall, QueuedState, wall_after,
};
use crate::types::Uuid;

impl Connection {
    /// As [`call`](Self::call), with everything that there is to say about it.
    pub fn call_with(&mut self, now: Instant, request: Request, options: CallOptions) -> CallId {
        self.make_call(Some(now), request, options)
    }

    pub(in crate::conn) fn make_call(
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
                self.events.push_back(Event::Accepted { call, accepted: Accepted::Sent });
            }
        } else {
            self.keep_call(now, call, request, options, policy);
        }
        call
    }

    /// Makes a call that does not leave at once, or not only.
    fn keep_call(
        &mut self,
        now: Option<Instant>,
        call: CallId,
        request: Request,
        options: CallOptions,
        policy: WhileDisconnected,
    ) {
        let deadline = options.deadline;
        let tell = options.tell_accepted;
        let mut keep = Keep::new(options.delivery.clone(), options.while_disconnected);
        keep.expires = options.ttl.and_then(|ttl| after(now?, ttl));
        keep.names.clone_from(&options.names);
        self.waits_for_ids(call, &options.names);
        if let Request::Reducer { name, .. } = &request
            && options.fingerprint != UNKNOWN_ARGUMENTS
        {
            self.expect_arguments(name, Some(options.fingerprint));
        }
        if let Request::Reducer { .. } = request
            && policy == WhileDisconnected::Wait
            && self.offline.as_ref().is_some_and(|offline| offline.is_good())
        {
            if let Some(full) = self.make_room() {
                return self.answer(call, Reply::NotSent(full));
            }
            self.enter(now, call, &request, options, &mut keep);
        }
        let in_journal = keep.seq.is_some();
        self.calls.push(Waiting::new(call, request, deadline, Some(Box::new(keep))));
        self.send_calls();
        if !tell {
            return;
        }
        let waits = self.calls.last_waiting() == Some(call) || self.calls.is_aside(call);
        match &mut self.offline {
            Some(offline) if in_journal => {
                let accepted = if waits { Accepted::Queued } else { Accepted::Sent };
                offline.accepting.push_back((offline.ticket, call, accepted));
            }
            _ => {
                let accepted = if waits { Accepted::Waiting } else { Accepted::Sent };
                self.events.push_back(Event::Accepted { call, accepted });
            }
        }
    }

    /// Makes room for a call, or says why none can be kept.
    fn make_room(&mut self) -> Option<NotSent> {
        let offline = self.offline.as_ref()?;
        let limit = offline.config.max_queued;
        if offline.queue.len() < limit {
            return None;
        }
        let is_unsent = |waiting: &&Waiting| waiting.seq().is_some() && waiting.attempts() == 0;
        let oldest = self.calls.waiting().find(is_unsent).map(|waiting| waiting.call);
        match (offline.config.overflow, oldest) {
            (Overflow::DropOldest, Some(oldest)) => {
                let _ = self.calls.take_waiting(oldest);
                self.answer(oldest, Reply::Dropped);
                None
            }
            _ => Some(NotSent::QueueFull { limit }),
        }
    }

    /// Puts a call into the journal.
    fn enter(
        &mut self,
        now: Option<Instant>,
        call: CallId,
        request: &Request,
        options: CallOptions,
        keep: &mut Keep,
    ) {
        // What may be sent again leaves without waiting for the disk; that it did is written with it.
        let leaves = options.delivery == Delivery::AtLeastOnce
            && options.names.is_empty()
            && self.sends_at_once();
        let number = self.temp_ids.number(call);
        let (Some(offline), Request::Reducer { name, args }) = (&mut self.offline, request) else {
            return;
        };
        let now = now.unwrap_or(offline.clock.at);
        let created_at = offline.clock.wall(now);
        let id = options.id.unwrap_or_else(|| offline.random.uuid(created_at));
        let age = [options.ttl, offline.config.max_age].into_iter().flatten().min();
        let entry = Entry {
            seq: offline.next_entry,
            scope: offline.scope,
            id,
            reducer: name.clone(),
            args: args.clone(),
            fingerprint: options.fingerprint,
            created_at,
            expires_at: age.map(|age| wall_after(created_at, age)),
            delivery: options.delivery,
            optimistic: options.optimistic,
            attempts: 0,
            blame: 0,
            number: Some(number),
            names: options.names,
            state: if leaves { EntryState::Sent } else { EntryState::Queued },
        };
        offline.next_entry += 1;
        keep.seq = Some(entry.seq);
        keep.expires = age.and_then(|age| after(now, age));
        keep.gate = if leaves { Gate::Open } else { Gate::Unmarked };
        offline.add(entry, call);
    }

    /// A name for a call, greater than those of milliseconds before.
    pub fn new_call_name(&mut self, now: Instant) -> Option<Uuid> {
        let offline = self.offline.as_mut()?;
        let wall = offline.clock.wall(now);
        Some(offline.random.uuid(wall))
    }

    /// A call is answered: it leaves the journal, or becomes a dead letter there.
    pub(in crate::conn) fn settle_entry(&mut self, call: CallId, reply: &Reply) {
        let Some(offline) = &mut self.offline else { return };
        let Some(seq) = offline.by_call.remove(&call) else { return };
        if let Reply::Kept = reply {
            return;
        }
        let Some(Queued { mut entry, state, .. }) = offline.queue.remove(&seq) else { return };
        if state == QueuedState::NeedsMigration {
            offline.held -= 1;
        }
        let Some(failure) = failure_of(reply) else {
            return offline.write_urgently(Op::Forget(seq));
        };
        entry.state = EntryState::Dead(failure);
        offline.write_urgently(Op::Entry(Box::new(entry.clone())));
        offline.dead.push(entry);
        while let Some(oldest) = offline.dead.pop_beyond(&offline.config) {
            offline.forgotten += 1;
            offline.write(Op::Forget(oldest.seq));
        }
    }
}

/// Looking at what is kept, and changing it.
impl Connection {
    /// The calls in the journal that are not over, in the order of their making.
    pub fn queued_calls(&self) -> Vec<QueuedCall> {
        let Some(offline) = &self.offline else { return Vec::new() };
        offline.queue.values().map(Queued::shown).collect()
    }

    /// The calls in the journal that failed, oldest first.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        let Some(offline) = &self.offline else { return Vec::new() };
        offline.dead.iter().filter_map(Entry::letter).collect()
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

    /// As [`cancel`](Self::cancel), by the call's name.
    pub fn cancel_queued(&mut self, id: Uuid) -> bool {
        let Some(offline) = &self.offline else { return false };
        let queued = offline.queue.values().find(|queued| queued.entry.id == id);
        queued.map(|queued| queued.call).is_some_and(|call| self.cancel(call))
    }

    /// Makes a call again that failed: as a new one, of the same name, at the end of the queue. None if there is no such
    /// dead letter, or the connection is closed.
    pub fn retry_dead_letter(&mut self, id: Uuid) -> Option<CallId> {
        if self.is_over() {
            return None;
        }
        let offline = self.offline.as_mut()?;
        let entry = offline.dead.remove(id)?;
        offline.write(Op::Forget(entry.seq));
        let call = self.calls.name();
        self.make_again(entry, call);
        self.hold_misfits();
        self.send_calls();
        Some(call)
    }

    /// Forgets a call that failed. False if there is no such dead letter.
    pub fn discard_dead_letter(&mut self, id: Uuid) -> bool {
        let Some(offline) = &mut self.offline else { return false };
        let Some(entry) = offline.dead.remove(id) else { return false };
        offline.write_urgently(Op::Forget(entry.seq));
        true
    }

    /// Gives a held call the arguments that its reducer takes now, and puts it at the end of the queue. None if there is
    /// no such held call.
    pub fn migrate(&mut self, id: Uuid, args: bytes::Bytes, fingerprint: u64) -> Option<CallId> {
        if self.is_over() {
            return None;
        }
        let offline = self.offline.as_mut()?;
        let held = offline
            .queue
            .values()
            .find(|queued| queued.entry.id == id && queued.state == QueuedState::NeedsMigration)?;
        let call = held.call;
        let seq = held.entry.seq;
        let Queued { mut entry, .. } = offline.queue.remove(&seq)?;
        offline.by_call.remove(&call);
        offline.held -= 1;
        offline.write(Op::Forget(seq));
        let _ = self.calls.take_waiting(call);
        (entry.args, entry.fingerprint) = (args, fingerprint);
        // Where ids are in the new arguments nobody knows.
        entry.names.clear();
        self.make_again(entry, call);
        self.send_calls();
        Some(call)
    }

    /// Fingerprint of the arguments that a reducer takes in this program, or on the server; none if there is no such
    /// reducer. Calls of it that were made with others are held, not sent.
    pub fn expect_arguments(&mut self, reducer: &str, fingerprint: Option<u64>) {
        let Some(offline) = &mut self.offline else { return };
        let takes = fingerprint.unwrap_or(NO_REDUCER);
        if offline.arguments.get(reducer) == Some(&takes) {
            return;
        }
        offline.arguments.insert(reducer.into(), takes);
        let why = fingerprint.map_or(Held::NoReducer, |_| Held::Program);
        self.hold(|entry| {
            let misfits = entry.reducer == reducer
                && entry.fingerprint != UNKNOWN_ARGUMENTS
                && Some(entry.fingerprint) != fingerprint;
            misfits.then(|| why.clone())
        });
        self.send_calls();
    }

    /// Holds those of the calls that wait for which there is a reason.
    pub(super) fn hold(&mut self, why: impl Fn(&Entry) -> Option<Held>) {
        let Some(offline) = &self.offline else { return };
        let waits = offline.queue.values().filter(|queued| queued.state == QueuedState::Queued);
        let misfits = waits.filter_map(|queued| Some((queued.call, why(&queued.entry)?)));
        let misfits: Vec<_> = misfits.collect();
        for (call, why) in misfits {
            // What is on the wire already is beyond holding, or its probe is.
            let waits = |waiting: &Waiting| waiting.call == call && waiting.gate() != Gate::Probing;
            if self.calls.any_waiting(waits)
                && let Some(waiting) = self.calls.take_waiting(call)
            {
                self.hold_one(waiting, why);
            }
        }
    }

    fn hold_one(&mut self, mut waiting: Waiting, why: Held) {
        if let Some(offline) = &mut self.offline
            && let Some(queued) = waiting.seq().and_then(|seq| offline.queue.get_mut(&seq))
        {
            let (id, reducer) = (queued.entry.id, &queued.entry.reducer);
            log!(warn, %id, %reducer, %why, "a kept call is held");
            queued.state = QueuedState::NeedsMigration;
            queued.held = Some(why);
            offline.held += 1;
            if let Some(keep) = &mut waiting.keep
                && let Gate::Marking(_) = keep.gate
            {
                keep.gate = Gate::Unmarked;
                queued.entry.state = EntryState::Queued;
                let entry = Box::new(queued.entry.clone());
                offline.write_urgently(Op::Entry(entry));
            }
        }
        self.calls.put_aside(waiting);
    }

    fn is_over(&self) -> bool {
        matches!(self.state, State::Closing { .. } | State::Closed(_))
    }

    fn make_again(&mut self, mut entry: Entry, call: CallId) {
        let Some(offline) = &mut self.offline else { return };
        let mut keep = Keep::new(entry.delivery.clone(), Some(WhileDisconnected::Wait));
        entry.seq = offline.next_entry;
        offline.next_entry += 1;
        (entry.state, entry.attempts, entry.expires_at) = (EntryState::Queued, 0, None);
        entry.blame = 0;
        if offline.is_good() {
            keep.seq = Some(entry.seq);
            keep.gate = Gate::Unmarked;
        }
        let request = Request::Reducer { name: entry.reducer.clone(), args: entry.args.clone() };
        let number = entry.number.unwrap_or_else(|| self.temp_ids.number(call));
        let names = entry.names.clone();
        keep.names.clone_from(&names);
        if keep.seq.is_some() {
            offline.add(entry, call);
        }
        self.calls.push(Waiting::new(call, request, None, Some(Box::new(keep))));
        self.temp_ids.register(number, call);
        self.waits_for_ids(call, &names);
        self.name_or_fail(call);
    }
}

/// The fingerprint of arguments that nobody knows: they always fit.
pub(super) const UNKNOWN_ARGUMENTS: u64 = 0;
/// The fingerprint of a reducer that is not there: nothing fits.
const NO_REDUCER: u64 = 1;

impl Offline {
    /// A call's entry, if it has one and is not over.
    pub(in crate::conn) fn entry_of(&mut self, call: CallId) -> Option<&mut Entry> {
        let seq = self.by_call.get(&call)?;
        self.queue.get_mut(seq).map(|queued| &mut queued.entry)
    }

    fn add(&mut self, entry: Entry, call: CallId) {
        self.write_urgently(Op::Entry(Box::new(entry.clone())));
        self.by_call.insert(call, entry.seq);
        let put = self.ticket;
        let state = QueuedState::Queued;
        let queued = Queued { call, state, held: None, put, entry };
        self.queue.insert(queued.entry.seq, queued);
    }
}

/// Failure of a call, if it is worth keeping.
fn failure_of(reply: &Reply) -> Option<Failure> {
    match reply {
        Reply::Rejected { error, .. } => Some(Failure::Rejected(error.clone())),
        Reply::Failed(why) => Some(Failure::Failed(why.clone())),
        Reply::NotSent(NotSent::TempId { id }) => {
            Some(Failure::TempId { id: id.to_string().into() })
        }
        Reply::Unknown => Some(Failure::Unknown),
        Reply::Abandoned { sent, reason } => Some(Failure::Abandoned {
            sent: *sent,
            close_code: reason.close_code(),
            reason: reason.to_string().into(),
        }),
        Reply::TimedOut { sent } => Some(Failure::TimedOut { sent: *sent }),
        Reply::Expired => Some(Failure::Expired),
        Reply::Dropped => Some(Failure::Dropped),
        _ => None,
    }
}
