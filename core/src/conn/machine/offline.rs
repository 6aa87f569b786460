//! The journal's side of a connection: opening it, what the disk says, persisted calls and rows.

use std::time::Instant;

use bytes::Bytes;

use super::Connection;
use crate::conn::calls::{CallId, Gate, Request, Tracking, Waiting, WhileDisconnected};
use crate::conn::event::{Event, Greeting, Reply, Restored, SyncState};
use crate::conn::lifecycle::phase::State;
use crate::conn::lifecycle::state::Lost;
use crate::conn::persistence::{
    AfterFailure, Journal, LiveReducer, OfflineConfig, Replay, SchemaRound,
};
use crate::guard::log;
use crate::journal::{
    Batch, DeadLetter, Delivery, Elsewhere, Entry, EntryState, Held, Opened, QueuedCall,
};
use crate::types::{Timestamp, Uuid};

/// Opening.
impl Connection {
    /// Goes on with what an earlier run of the program left: its rows are readable at once, and stale; its calls are made
    /// again in their order. A call that may have run and must not run twice is answered as
    /// [`Unknown`](Reply::Unknown). Without a token of our own, the journal's is presented.
    ///
    /// To be called once, before anything else. `wall` is the time of day at `now`; `seed` is random.
    pub fn open_journal(
        &mut self,
        now: Instant,
        wall: Timestamp,
        opened: Opened,
        config: OfflineConfig,
        seed: u64,
    ) -> Vec<Restored> {
        let (journal, entries, sets) = Journal::open((now, wall), opened, config, seed);
        self.credentials.restore_token(journal.token());
        self.journal = Some(Box::new(journal));
        self.load_rows(sets);
        let mut restored = Vec::new();
        for entry in entries {
            if let Some((call, waiting, is_lost)) = self.restore(now, entry) {
                restored.push(call);
                self.resume(waiting, is_lost);
            }
        }
        self.fail_unknown_ids(self.calls.naming().collect());
        restored
    }

    /// Makes a call again that is in the journal. Its batch was written long ago. It is to be told, and then
    /// [resumed](Self::resume).
    fn restore(&mut self, now: Instant, entry: Entry) -> Option<(Restored, Waiting, bool)> {
        let journal = self.journal.as_mut()?;
        if let EntryState::Dead(_) = entry.state {
            journal.restore_dead(entry);
            return None;
        }
        let call = self.calls.name();
        let restored = Restored {
            call,
            id: entry.id,
            reducer: entry.reducer.clone(),
            args: entry.args.clone(),
            optimistic: entry.optimistic.clone(),
            names: entry.names.clone(),
        };
        let is_lost = entry.state == EntryState::Sent && entry.delivery == Delivery::AtMostOnce;
        let number = entry.number;
        let tracking = journal.restore(now, entry, call);
        if let Some(number) = number {
            self.temp_ids.register(number, call);
        }
        self.temp_ids.wait(call, &restored.names);
        let (name, args) = (restored.reducer.clone(), restored.args.clone());
        let request = Request::Reducer { name, args };
        Some((restored, Waiting::new(call, request, None, Some(Box::new(tracking))), is_lost))
    }

    /// Queues a call of the last run, or answers it where nobody knows whether it has run.
    fn resume(&mut self, waiting: Waiting, is_lost: bool) {
        if is_lost {
            self.answer(waiting.call, Reply::Unknown);
        } else {
            self.calls.push(waiting);
        }
    }

    /// The server has said who we are: whether what is persisted is that one's.
    pub(super) fn check_scope(&mut self, greeting: &Greeting) -> Result<(), Lost> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        if let Some(other) = journal.greeted(greeting)? {
            self.move_in(other);
        }
        Ok(())
    }

    /// This user was here before, under another token: what was left then comes in front of what was made since. The
    /// rows of then are dropped, because the server's come now.
    fn move_in(&mut self, other: Elsewhere) {
        let Some(journal) = &mut self.journal else { return };
        journal.forget_elsewhere(other.scope, other.sets);
        let now = journal.clock();
        let made_since = self.calls.take_all_waiting(|waiting| waiting.seq().is_some());
        for mut entry in other.entries {
            if let Some(journal) = &mut self.journal {
                journal.move_in(&mut entry);
            }
            if let Some((call, waiting, is_lost)) = self.restore(now, entry) {
                self.events.push(Event::Restored(Box::new(call)));
                self.resume(waiting, is_lost);
            }
        }
        for waiting in made_since {
            self.calls.push(waiting);
        }
        self.fail_unknown_ids(self.calls.naming().collect());
    }
}

/// The driver's side.
impl Connection {
    /// Returns `true` if a batch is to be written.
    pub fn has_commits(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.has_ops())
    }

    /// Returns the next batch to be written. Batches are to be written in their order.
    pub fn poll_commit(&mut self) -> Option<Batch> {
        self.journal.as_mut()?.take_batch()
    }

    /// A batch, and all before it, are written; or could not be, with these words.
    pub fn handle_stored(&mut self, ticket: u64, result: Result<(), Box<str>>) {
        let Some(journal) = &mut self.journal else { return };
        if !journal.is_good() {
            return;
        }
        let accepted = match &result {
            Ok(()) => journal.stored(ticket),
            Err(why) => {
                log!(error, %why, "the offline store failed; nothing more is kept");
                journal.fail(why.clone())
            }
        };
        let accepted = accepted.into_iter();
        self.events.extend(accepted.map(|(call, accepted)| Event::Accepted { call, accepted }));
        if result.is_err() {
            self.go_on_without_disk();
        }
        self.send_calls();
    }

    /// The disk failed: from now on only what can be sent is taken.
    fn go_on_without_disk(&mut self) {
        let Some(journal) = &mut self.journal else { return };
        let (mut left, mut forgotten) = (Vec::new(), Vec::new());
        for tracking in self.calls.tracked_mut() {
            match journal.after_failure(tracking) {
                AfterFailure::Unchanged => (),
                AfterFailure::Send => tracking.open(),
                AfterFailure::Forget(call) => {
                    tracking.forget_seq();
                    forgotten.push(call);
                }
                AfterFailure::Leave(call) => left.push(call),
            }
        }
        forgotten.into_iter().for_each(|call| journal.forget(call));
        for call in left {
            if let Some(waiting) = self.calls.take_waiting(call) {
                self.calls.put_aside(waiting);
            }
        }
    }

    /// Returns `true` if everything that calls wait for is written, or cannot be.
    pub fn has_stored(&self) -> bool {
        self.journal.as_ref().is_none_or(|journal| journal.has_stored())
    }

    /// Tells the time of day, whenever it may have been changed.
    pub fn handle_clock(&mut self, now: Instant, wall: Timestamp) {
        if let Some(journal) = &mut self.journal {
            journal.set_clock(now, wall);
        }
    }

    /// Progress of the journal.
    pub fn sync_state(&self) -> SyncState {
        let next_retry = match self.state {
            State::Waiting { until } => until,
            _ => None,
        };
        self.journal.as_ref().map(|journal| journal.sync_state(next_retry)).unwrap_or_default()
    }

    /// The state, if the application was told another one.
    pub(super) fn changed_sync(&self) -> Option<SyncState> {
        let journal = self.journal.as_ref()?;
        Some(self.sync_state()).filter(|state| journal.is_news(state))
    }
}

/// Looking at what is persisted, and changing it.
impl Connection {
    /// The calls in the journal that are not over, in the order of their making.
    pub fn queued_calls(&self) -> Vec<QueuedCall> {
        self.journal.as_ref().map(|journal| journal.queued_calls()).unwrap_or_default()
    }

    /// The calls in the journal that failed, oldest first.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.journal.as_ref().map(|journal| journal.dead_letters()).unwrap_or_default()
    }

    /// An idempotency key for a call, greater than those of milliseconds before.
    pub fn new_call_name(&mut self, now: Instant) -> Option<Uuid> {
        self.journal.as_mut().map(|journal| journal.new_key(now))
    }

    /// As [`cancel`](Self::cancel), by the call's idempotency key.
    pub fn cancel_queued(&mut self, id: Uuid) -> bool {
        let call = self.journal.as_ref().and_then(|journal| journal.call_of(id));
        call.is_some_and(|call| self.cancel(call))
    }

    /// Makes a call again that failed: as a new one, of the same idempotency key, at the end of the queue. None if there is
    /// no such dead letter, or the connection is closed.
    pub fn retry_dead_letter(&mut self, id: Uuid) -> Option<CallId> {
        if self.is_closing() {
            return None;
        }
        let entry = self.journal.as_mut()?.take_dead(id)?;
        let call = self.calls.name();
        self.make_again(entry, call);
        self.hold_misfits();
        self.send_calls();
        Some(call)
    }

    /// Forgets a call that failed. False if there is no such dead letter.
    pub fn discard_dead_letter(&mut self, id: Uuid) -> bool {
        self.journal.as_mut().is_some_and(|journal| journal.discard_dead(id))
    }

    /// Gives a held call the arguments that its reducer takes now, and puts it at the end of the queue. None if there is
    /// no such held call.
    pub fn migrate(&mut self, id: Uuid, args: Bytes, fingerprint: u64) -> Option<CallId> {
        if self.is_closing() {
            return None;
        }
        let (call, mut entry) = self.journal.as_mut()?.take_held(id)?;
        let _ = self.calls.take_waiting(call);
        (entry.args, entry.fingerprint) = (args, fingerprint);
        // Where ids are in the new arguments nobody knows.
        entry.names.clear();
        self.make_again(entry, call);
        self.send_calls();
        Some(call)
    }

    fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing { .. } | State::Closed(_))
    }

    fn make_again(&mut self, entry: Entry, call: CallId) {
        let Some(journal) = &mut self.journal else { return };
        let mut tracking = Tracking::new(entry.delivery.clone(), Some(WhileDisconnected::Wait));
        let request = Request::Reducer { name: entry.reducer.clone(), args: entry.args.clone() };
        let number = entry.number.unwrap_or_else(|| self.temp_ids.number(call));
        let names = entry.names.clone();
        tracking.set_names(names.clone());
        journal.enter_again(entry, call, &mut tracking);
        self.calls.push(Waiting::new(call, request, None, Some(Box::new(tracking))));
        self.temp_ids.register(number, call);
        self.temp_ids.wait(call, &names);
        self.name_or_fail(call);
    }
}

/// Calls that are held, and those that wait for the application.
impl Connection {
    /// It will be said what the server's reducers take, whenever that is [wanted](crate::conn::Event::SchemaWanted): when a
    /// connection is ready, persisted calls wait for it, those of an earlier run and those that were made without a connection.
    /// To be called before the first connection is ready.
    pub fn await_schema(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.await_schema();
        }
    }

    /// Returns `true` if persisted calls wait for the schema.
    pub fn wants_schema(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.wants_schema())
    }

    /// To be kept from before the schema is asked for until it is told.
    pub fn schema_round(&self) -> SchemaRound {
        self.journal.as_ref().map(|journal| journal.schema_round()).unwrap_or_default()
    }

    /// Takes the parameters of the server's reducers; none if they cannot be known. Calls that wait and do not fit are
    /// held, and the others are sent.
    ///
    /// It counts until the connection is lost, because the module may be another one when it is back: nothing is done if
    /// it was lost since `round`. It may be told more than once.
    pub fn handle_schema(&mut self, round: SchemaRound, reducers: Option<Vec<LiveReducer>>) {
        let Some(journal) = &mut self.journal else { return };
        let Some(unchecked) = journal.set_schema(round, reducers) else { return };
        self.hold_misfits();
        self.release(unchecked);
        self.send_calls();
    }

    /// Fingerprint of the arguments that a reducer takes in this program, or on the server; none if there is no such
    /// reducer. Calls of it that were made with others are held, not sent.
    pub fn expect_arguments(&mut self, reducer: &str, fingerprint: Option<u64>) {
        let Some(journal) = &mut self.journal else { return };
        let Some(misfits) = journal.expect_arguments(reducer, fingerprint) else { return };
        self.hold(misfits);
        self.send_calls();
    }

    /// Holds the calls that do not fit the server's reducers, as far as that is known.
    pub(super) fn hold_misfits(&mut self) {
        let misfits = self.journal.as_ref().map(|journal| journal.misfits());
        self.hold(misfits.unwrap_or_default());
    }

    /// Holds those of the calls that wait.
    fn hold(&mut self, misfits: Vec<(CallId, Held)>) {
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
        if let Some(journal) = &mut self.journal
            && let Some(tracking) = &mut waiting.tracking
            && let Some(seq) = tracking.seq()
        {
            let is_marked = matches!(tracking.gate(), Gate::Marking(_));
            if journal.hold(seq, why, is_marked) && is_marked {
                tracking.unmark();
            }
        }
        self.calls.put_aside(waiting);
    }

    /// Takes the calls that were persisted out of the way, if it is to be known first whether they fit.
    fn put_unchecked_aside(&mut self) {
        let Some(journal) = self.journal.as_mut().filter(|journal| journal.awaits_schema()) else {
            return;
        };
        for waiting in self.calls.take_all_waiting(|waiting| waiting.seq().is_some()) {
            journal.wait_for_schema(waiting.call);
            self.calls.put_aside(waiting);
        }
        if journal.wants_schema() {
            self.events.push(Event::SchemaWanted);
        }
    }

    /// Puts calls back in front of those that wait, in their order, but for those that are held or over.
    fn release(&mut self, calls: Vec<CallId>) {
        let Some(journal) = &self.journal else { return };
        let mut released = Vec::new();
        for call in calls {
            if !journal.is_sendable(call) {
                continue;
            }
            let Some(mut waiting) = self.calls.take_waiting(call) else { continue };
            if !journal.is_good()
                && let Some(tracking) = &mut waiting.tracking
                && tracking.gate() == Gate::Unmarked
            {
                if *tracking.delivery() != Delivery::AtLeastOnce {
                    // The disk will never say that it is sent, and the next run will send it.
                    self.calls.put_aside(waiting);
                    continue;
                }
                tracking.open();
            }
            released.push(waiting);
        }
        released.sort_by_key(Waiting::seq);
        self.calls.put_back(released);
    }

    /// The connection is ready: sends what waits, or asks the application first.
    pub(super) fn start_replay(&mut self) {
        self.put_unchecked_aside();
        if let Some(calls) = self.journal.as_mut().and_then(|journal| journal.ask()) {
            return self.events.push(Event::BeforeReplay(calls));
        }
        self.send_calls();
    }

    /// Takes the decisions on the calls of [`Event::BeforeReplay`]; those that are not named are sent. A call that may
    /// have run already is not dropped.
    pub fn replay(&mut self, verdicts: &[(Uuid, Replay)]) {
        let Some(journal) = &mut self.journal else { return };
        journal.stop_asking();
        for (id, verdict) in verdicts {
            let call = self.journal.as_ref().and_then(|journal| journal.call_of(*id));
            let Some(call) = call else { continue };
            let unsent = |waiting: &Waiting| waiting.call == call && waiting.attempts() == 0;
            if *verdict == Replay::Drop && self.calls.any_waiting(unsent) {
                let _ = self.calls.take_waiting(call);
                self.answer(call, Reply::Dropped);
            }
        }
        self.send_calls();
    }
}
