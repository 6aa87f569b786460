//! Calls in the journal that are not over.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::log::Log;
use crate::conn::calls::CallId;
use crate::conn::event::Accepted;
use crate::journal::{Entry, EntryState, Held, Op, QueuedCall, QueuedState};
use crate::types::Uuid;

/// Persisted calls that are not over, by their numbers in the journal.
#[derive(Debug, Default)]
pub(super) struct CallQueue {
    next: u64,
    calls: BTreeMap<u64, Queued>,
    by_call: HashMap<CallId, u64>,
    /// Number of those that are held.
    held: usize,
    /// Calls that are accepted when a batch is written.
    accepting: VecDeque<(u64, CallId, Accepted)>,
}

/// A call that is not over.
#[derive(Debug)]
struct Queued {
    entry: Entry,
    call: CallId,
    state: QueuedState,
    /// Reason for which it is held, if it is.
    held: Option<Held>,
    /// The batch that put it there.
    put: u64,
}

impl Queued {
    fn shown(&self) -> QueuedCall {
        self.entry.shown(self.state, self.held.clone())
    }

    fn is_held(&self) -> bool {
        self.state == QueuedState::NeedsMigration
    }
}

impl CallQueue {
    /// An empty queue, whose next call gets this number.
    pub(super) fn new(next: u64) -> Self {
        Self { next, ..Self::default() }
    }

    /// A number for one more call.
    pub(super) fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }

    /// Adds a call, and writes it.
    pub(super) fn add(&mut self, log: &mut Log, entry: Entry, call: CallId) {
        log.write_urgently(Op::Entry(Box::new(entry.clone())));
        self.insert(entry, call, log.ticket());
    }

    /// Adds a call that was written long ago.
    pub(super) fn restore(&mut self, entry: Entry, call: CallId) {
        self.insert(entry, call, 0);
    }

    fn insert(&mut self, entry: Entry, call: CallId, put: u64) {
        self.by_call.insert(call, entry.seq);
        let state = QueuedState::Queued;
        let queued = Queued { call, state, held: None, put, entry };
        self.calls.insert(queued.entry.seq, queued);
    }

    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Number of calls that are held.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Returns `true` if a call is in the queue and not held.
    pub(super) fn is_sendable(&self, call: CallId) -> bool {
        let queued = self.by_call.get(&call).and_then(|seq| self.calls.get(seq));
        queued.is_some_and(|queued| !queued.is_held())
    }

    /// The call with an idempotency key.
    pub(super) fn call_of(&self, id: Uuid) -> Option<CallId> {
        self.calls.values().find(|queued| queued.entry.id == id).map(|queued| queued.call)
    }

    /// All calls, in the order of their making.
    pub(super) fn shown(&self) -> Vec<QueuedCall> {
        self.calls.values().map(Queued::shown).collect()
    }

    /// The calls that are neither sent nor held.
    pub(super) fn shown_waiting(&self) -> Vec<QueuedCall> {
        self.waiting().map(Queued::shown).collect()
    }

    fn waiting(&self) -> impl Iterator<Item = &Queued> {
        self.calls.values().filter(|queued| queued.state == QueuedState::Queued)
    }

    /// The calls that wait and for which there is a reason to hold them.
    pub(super) fn misfits(&self, why: impl Fn(&Entry) -> Option<Held>) -> Vec<(CallId, Held)> {
        self.waiting().filter_map(|queued| Some((queued.call, why(&queued.entry)?))).collect()
    }

    /// Takes a call out that is over. Writes nothing.
    pub(super) fn remove(&mut self, call: CallId) -> Option<Entry> {
        let seq = self.by_call.remove(&call)?;
        let queued = self.calls.remove(&seq)?;
        self.held -= usize::from(queued.is_held());
        Some(queued.entry)
    }

    /// Leaves a call to the next run of the program: what happens to it now is not written.
    pub(super) fn leave(&mut self, call: CallId) {
        self.by_call.remove(&call);
    }

    /// Takes a held call out by its idempotency key, and writes that.
    pub(super) fn take_held(&mut self, log: &mut Log, id: Uuid) -> Option<(CallId, Entry)> {
        let is_it = |queued: &&Queued| queued.entry.id == id && queued.is_held();
        let call = self.calls.values().find(is_it)?.call;
        let entry = self.remove(call)?;
        log.write(Op::Forget(entry.seq));
        Some((call, entry))
    }

    /// Changes a call's entry, and returns it to be written.
    pub(super) fn edit(&mut self, call: CallId, edit: impl FnOnce(&mut Entry)) -> Option<Op> {
        let seq = self.by_call.get(&call)?;
        let entry = &mut self.calls.get_mut(seq)?.entry;
        edit(entry);
        Some(Op::Entry(Box::new(entry.clone())))
    }

    /// Changes the entry of the call of a number, and returns it to be written.
    pub(super) fn edit_at(&mut self, seq: u64, edit: impl FnOnce(&mut Entry)) -> Option<Op> {
        let entry = &mut self.calls.get_mut(&seq)?.entry;
        edit(entry);
        Some(Op::Entry(Box::new(entry.clone())))
    }

    /// Notes that a call is on the wire, or is not any more.
    pub(super) fn set_state(&mut self, seq: u64, state: QueuedState) {
        if let Some(queued) = self.calls.get_mut(&seq) {
            queued.state = state;
        }
    }

    /// Holds a call. A call that was marked as sent, and is not, is written as such. False if there is no such call.
    pub(super) fn hold(&mut self, log: &mut Log, seq: u64, why: Held, is_marked: bool) -> bool {
        let Some(queued) = self.calls.get_mut(&seq) else { return false };
        let (id, reducer) = (queued.entry.id, &queued.entry.reducer);
        crate::guard::log!(warn, %id, %reducer, %why, "a kept call is held");
        queued.state = QueuedState::NeedsMigration;
        queued.held = Some(why);
        self.held += 1;
        if is_marked {
            queued.entry.state = EntryState::Queued;
            log.write_urgently(Op::Entry(Box::new(queued.entry.clone())));
        }
        true
    }

    /// Accepts a call when the batch is written that has what is written now.
    pub(super) fn accept(&mut self, ticket: u64, call: CallId, accepted: Accepted) {
        self.accepting.push_back((ticket, call, accepted));
    }

    /// Takes the calls that are accepted with a batch, but for those that are over: these were answered.
    pub(super) fn take_accepted(&mut self, log: &Log) -> Vec<(CallId, Accepted)> {
        let mut accepted = Vec::new();
        while let Some((put, call, place)) = self.accepting.front().copied()
            && log.is_stored(put)
        {
            self.accepting.pop_front();
            if self.by_call.contains_key(&call) {
                accepted.push((call, place));
            }
        }
        accepted
    }

    /// Takes all calls that wait to be accepted: nothing more is written, so they wait in memory.
    pub(super) fn take_all_accepted(&mut self) -> Vec<(CallId, Accepted)> {
        let accepting = std::mem::take(&mut self.accepting).into_iter();
        let accepting = accepting.filter(|(_, call, _)| self.by_call.contains_key(call));
        let in_memory = |accepted| match accepted {
            Accepted::Queued => Accepted::Waiting,
            sent => sent,
        };
        accepting.map(|(_, call, accepted)| (call, in_memory(accepted))).collect()
    }

    /// Call of a number, and whether the disk knows it.
    pub(super) fn at(&self, log: &Log, seq: u64) -> Option<(CallId, bool)> {
        self.calls.get(&seq).map(|queued| (queued.call, log.is_stored(queued.put)))
    }
}
