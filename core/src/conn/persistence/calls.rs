//! Calls in the journal: what is written when they are made, sent, held and answered.

use std::time::Instant;

use bytes::Bytes;

use super::Journal;
use super::config::{CallOptions, OfflineConfig};
use super::fit::{LiveReducer, Reducers, SchemaRound};
use crate::conn::calls::{CallId, Gate, Request, Tracking};
use crate::conn::event::{Accepted, NotSent, Reply};
use crate::deadline::after;
use crate::journal::{
    DeadLetter, Entry, EntryState, Failure, Held, Op, QueuedCall, QueuedState, wall_after,
};
use crate::named_ids::NamedId;
use crate::types::Uuid;

/// Calls.
impl Journal {
    pub(in crate::conn) fn config(&self) -> &OfflineConfig {
        &self.config
    }

    /// Returns `true` if as many calls are persisted as may be.
    pub(in crate::conn) fn is_full(&self) -> bool {
        self.queue.len() >= self.config.max_queued
    }

    /// Persists a call: as sent if it leaves at once. `tracking` gets its number and what it waits for.
    pub(in crate::conn) fn enter(
        &mut self,
        now: Option<Instant>,
        (call, number): (CallId, u64),
        request: &Request,
        options: CallOptions,
        (tracking, leaves): (&mut Tracking, bool),
    ) {
        let Request::Reducer { name, args } = request else { return };
        let now = now.unwrap_or_else(|| self.clock.at());
        let created_at = self.clock.wall(now);
        let id = options.id.unwrap_or_else(|| self.random.uuid(created_at));
        let age = [options.ttl, self.config.max_age].into_iter().flatten().min();
        let entry = Entry {
            seq: self.queue.number(),
            scope: self.scope,
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
        tracking.persist(entry.seq, if leaves { Gate::Open } else { Gate::Unmarked });
        tracking.set_expires(age.and_then(|age| after(now, age)));
        self.queue.add(&mut self.log, entry, call);
    }

    /// Persists a call once more, as a new one. `tracking` gets its number and what it waits for, unless the disk has failed.
    pub(in crate::conn) fn enter_again(
        &mut self,
        mut entry: Entry,
        call: CallId,
        tracking: &mut Tracking,
    ) {
        entry.seq = self.queue.number();
        (entry.state, entry.attempts, entry.expires_at) = (EntryState::Queued, 0, None);
        entry.blame = 0;
        if self.is_good() {
            tracking.persist(entry.seq, Gate::Unmarked);
            self.queue.add(&mut self.log, entry, call);
        }
    }

    /// Accepts a call when what is written now is on disk.
    pub(in crate::conn) fn accept(&mut self, call: CallId, accepted: Accepted) {
        self.queue.accept(self.log.ticket(), call, accepted);
    }

    /// A call is answered: it leaves the journal, or becomes a dead letter there.
    pub(in crate::conn) fn complete(&mut self, call: CallId, reply: &Reply) {
        if let Reply::Kept = reply {
            return self.queue.leave(call);
        }
        let Some(mut entry) = self.queue.remove(call) else { return };
        let Some(failure) = failure_of(reply) else {
            return self.log.write_urgently(Op::Forget(entry.seq));
        };
        entry.state = EntryState::Dead(failure);
        self.log.write_urgently(Op::Entry(Box::new(entry.clone())));
        self.dead.push(entry);
        self.dead.bound(&mut self.log, &self.config);
    }

    /// The calls that are not over, in the order of their making.
    pub(in crate::conn) fn queued_calls(&self) -> Vec<QueuedCall> {
        self.queue.shown()
    }

    /// The call with an idempotency key.
    pub(in crate::conn) fn call_of(&self, id: Uuid) -> Option<CallId> {
        self.queue.call_of(id)
    }

    /// The calls that failed, oldest first.
    pub(in crate::conn) fn dead_letters(&self) -> Vec<DeadLetter> {
        self.dead.shown()
    }

    /// Takes a dead letter out, to be made again: its end is written with what becomes of it.
    pub(in crate::conn) fn take_dead(&mut self, id: Uuid) -> Option<Entry> {
        let entry = self.dead.remove(id)?;
        self.log.write(Op::Forget(entry.seq));
        Some(entry)
    }

    /// Forgets a dead letter; false if there is none.
    pub(in crate::conn) fn discard_dead(&mut self, id: Uuid) -> bool {
        let entry = self.dead.remove(id);
        entry.is_some_and(|entry| {
            self.log.write_urgently(Op::Forget(entry.seq));
            true
        })
    }

    /// Takes a held call out.
    pub(in crate::conn) fn take_held(&mut self, id: Uuid) -> Option<(CallId, Entry)> {
        self.queue.take_held(&mut self.log, id)
    }

    /// A call has other arguments now.
    pub(in crate::conn) fn set_args(&mut self, call: CallId, args: Bytes, names: Vec<NamedId>) {
        let edit = |entry: &mut Entry| (entry.args, entry.names) = (args, names);
        self.queue.edit(call, edit).into_iter().for_each(|op| self.log.write(op));
    }
}

/// Sending.
impl Journal {
    /// The application is asked about the calls that wait.
    pub(in crate::conn) fn is_asking(&self) -> bool {
        self.is_asking
    }

    /// The application has decided, or need not any more.
    pub(in crate::conn) fn stop_asking(&mut self) {
        self.is_asking = false;
    }

    /// Asks the application about the calls that wait, if it wants to be asked and there are any.
    pub(in crate::conn) fn ask(&mut self) -> Option<Vec<QueuedCall>> {
        if !self.config.asks_before_replay {
            return None;
        }
        let calls = self.queue.shown_waiting();
        self.is_asking = !calls.is_empty();
        self.is_asking.then_some(calls)
    }

    /// A call is on the wire.
    pub(in crate::conn) fn sent(&mut self, seq: u64) {
        self.queue.set_state(seq, QueuedState::Sent);
    }

    /// Writes that calls are sent, which are when that is written.
    pub(in crate::conn) fn mark<'k>(&mut self, calls: impl Iterator<Item = &'k mut Tracking>) {
        for tracking in calls {
            tracking.mark(self.log.ticket());
            self.write_state(tracking.seq(), EntryState::Sent);
        }
    }

    /// Calls that were to be sent when that was written were not.
    pub(in crate::conn) fn unmark(&mut self, seq: Option<u64>) {
        self.write_state(seq, EntryState::Queued);
    }

    fn write_state(&mut self, seq: Option<u64>, state: EntryState) {
        let edited = seq.and_then(|seq| self.queue.edit_at(seq, |entry| entry.state = state));
        edited.into_iter().for_each(|op| self.log.write_urgently(op));
    }

    /// The connection ended before the answer to a call that is sent again.
    pub(in crate::conn) fn sent_in_vain(&mut self, seq: u64, attempts: u32) {
        self.queue.set_state(seq, QueuedState::Queued);
        let edited = self.queue.edit_at(seq, |entry| entry.attempts = attempts);
        edited.into_iter().for_each(|op| self.log.write(op));
    }

    /// A call may be why a connection ended.
    pub(in crate::conn) fn blamed(&mut self, seq: u64, blame: u32) {
        let edited = self.queue.edit_at(seq, |entry| entry.blame = blame);
        edited.into_iter().for_each(|op| self.log.write(op));
    }
}

/// Arguments that fit.
impl Journal {
    /// The connection is lost: nothing is asked, and the module may be another one when it is back.
    pub(in crate::conn) fn lost(&mut self) {
        self.is_asking = false;
        self.reducers.lost();
    }

    /// It will be told what the server's reducers take.
    pub(in crate::conn) fn await_schema(&mut self) {
        self.reducers.await_server();
    }

    pub(in crate::conn) fn awaits_schema(&self) -> bool {
        self.reducers.is_awaited()
    }

    /// A call waits for the schema.
    pub(in crate::conn) fn wait_for_schema(&mut self, call: CallId) {
        self.reducers.wait(call);
    }

    /// Returns `true` if calls wait for the schema.
    pub(in crate::conn) fn wants_schema(&self) -> bool {
        self.reducers.has_waiting()
    }

    pub(in crate::conn) fn schema_round(&self) -> SchemaRound {
        self.reducers.round()
    }

    /// Takes what the server's reducers take, and returns the calls that waited for it. None if it is of another
    /// connection.
    pub(in crate::conn) fn set_schema(
        &mut self,
        round: SchemaRound,
        reducers: Option<Vec<LiveReducer>>,
    ) -> Option<Vec<CallId>> {
        self.reducers.set_server(round, reducers)
    }

    /// Takes the fingerprint of a reducer's arguments in the program, and returns the calls that do not fit them. None if
    /// it is known.
    pub(in crate::conn) fn expect_arguments(
        &mut self,
        reducer: &str,
        fingerprint: Option<u64>,
    ) -> Option<Vec<(CallId, Held)>> {
        let is_new = self.reducers.set_program(reducer, fingerprint);
        let misfit = |entry: &Entry| Reducers::program_misfit(entry, reducer, fingerprint);
        is_new.then(|| self.queue.misfits(misfit))
    }

    /// The calls that do not fit the server's reducers, as far as those are known.
    pub(in crate::conn) fn misfits(&self) -> Vec<(CallId, Held)> {
        self.queue.misfits(|entry| self.reducers.server_misfit(entry))
    }

    /// Returns `true` if a call is in the journal and not held.
    pub(in crate::conn) fn is_sendable(&self, call: CallId) -> bool {
        self.queue.is_sendable(call)
    }

    /// Holds a call; false if it is not in the journal.
    pub(in crate::conn) fn hold(&mut self, seq: u64, why: Held, is_marked: bool) -> bool {
        self.queue.hold(&mut self.log, seq, why, is_marked)
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
