//! Steps of applying: messages are read, changes made, and what follows them done.

use std::time::Instant;

use super::{Connection, Progress};
use crate::cache::{Change, RowMismatch, SetFailure, SetId, Step, TableDiff, Transaction};
use crate::conn::apply::changes::{Aborted, Pending, Then};
use crate::conn::apply::messages::Violation;
use crate::conn::calls::CallId;
use crate::conn::event::{Cause, Event, Reply, SetEnd, TransactionEvent};
use crate::conn::lifecycle::phase::State;
use crate::conn::lifecycle::state::{CloseReason, Lost};
use crate::conn::subscriptions::{Arrival, Released};
use crate::conn::telemetry::times::CallTimes;
use crate::guard::log;
use crate::wire::{Protocol, ServerMessage};

/// Most refused calls that one change takes back.
const REFUSALS_MAX: usize = 1024;

/// Stepping.
impl Connection {
    /// Applies what came, about `max_rows` rows of it at most. Does nothing while events wait to be delivered.
    pub fn step(&mut self, now: Instant, max_rows: usize) -> Progress {
        self.set_clock(now);
        let slow = self.slow.step_begins(now, self.inbox.waiting_bytes());
        self.report_slow(slow);
        if !self.events.is_empty() {
            return Progress::More;
        }
        let progress = if self.is_applying() {
            self.step_change(now, max_rows)
        } else {
            self.step_inbox(now, max_rows)
        };
        self.tell_panics();
        self.slow.step_ends(now, !self.events.is_empty(), progress == Progress::Idle);
        progress
    }

    /// Goes on with the change under way, or starts the next one.
    pub(super) fn step_change(&mut self, now: Instant, max_rows: usize) -> Progress {
        if self.cache.is_applying() {
            return self.step_cache(now, max_rows);
        }
        if self.cache.has_resets() {
            return self.step_resets(now, max_rows);
        }
        if let Some((mut change, mut pending)) = self.changes.pop() {
            // Asked now and not when it was queued: changes before it may have brought rows in since.
            if pending.then.iter().any(|then| matches!(then, Then::Reloaded)) {
                change.parts.extend(self.drops_of_the_rest(&change));
            }
            if change.is_empty() {
                self.follow(now, pending.then, &[]);
            } else {
                // Persisted only when it is committed, but taken here, because the cache consumes the change.
                pending.persisted = self.parts_to_persist(&change);
                self.changes.begin(pending);
                self.cache.begin(change);
                return self.step_cache(now, max_rows);
            }
        }
        Progress::More
    }

    /// Ends the sets whose row types panicked while no change was under way.
    fn step_resets(&mut self, now: Instant, max_rows: usize) -> Progress {
        let (change, persisted) = (Change::default(), self.parts_to_persist(&Change::default()));
        self.changes.begin(Pending { cause: Cause::Other, then: Vec::new(), persisted });
        self.cache.begin(change);
        self.step_cache(now, max_rows)
    }

    /// Reports code of the application that panicked inside of the cache.
    pub(super) fn tell_panics(&mut self) {
        let panics = self.cache.take_panics().into_iter();
        self.events.extend(panics.map(Event::Panicked));
    }

    fn step_inbox(&mut self, now: Instant, max_rows: usize) -> Progress {
        let (State::Greeting { protocol, .. }
        | State::Online { protocol, .. }
        | State::Closing { protocol, .. }
        | State::Draining { protocol, .. }) = self.state
        else {
            return self.rest(now, max_rows);
        };
        match self.inbox.next(protocol, &self.config.limits) {
            Some(Ok(message)) => {
                self.take_message(now, message);
                self.gather_refusals(now, protocol);
            }
            Some(Err(error)) => self.fault(now, Lost::Wire(error)),
            None if matches!(self.state, State::Draining { .. }) => self.drained(now),
            None => return self.rest(now, max_rows),
        }
        Progress::More
    }

    fn take_message(&mut self, now: Instant, message: ServerMessage) {
        self.stats.messages_received += 1;
        let (came, waiting) = (self.inbox.came(), self.inbox.waiting_bytes());
        let slow = self.slow.message_read(now, came, waiting);
        self.report_slow(slow);
        match self.handle_message(now, message) {
            Ok(()) => self.bound_resync(),
            Err(Violation(what)) => self.fault(now, Lost::Violation(what)),
        }
    }

    /// Takes the refusals that follow one that is to be applied: see [`ChangeQueue::push`](crate::conn::apply::changes::ChangeQueue::push).
    fn gather_refusals(&mut self, now: Instant, protocol: Protocol) {
        // Taking one prediction back runs those above it again, so a burst of refusals is taken back as one change. Nothing else
        // may come in between: a message of another kind ends the burst, and stays in the inbox.
        for _ in 1..REFUSALS_MAX {
            let limits = &self.config.limits;
            if !self.changes.ends_with_refusals()
                || !self.inbox.next_is(protocol, limits, ServerMessage::is_refusal)
            {
                return;
            }
            if let Some(Ok(message)) = self.inbox.next(protocol, limits) {
                self.take_message(now, message);
            }
        }
    }

    fn rest(&mut self, now: Instant, max_rows: usize) -> Progress {
        if self.close_if_finished(now) {
            return Progress::More;
        }
        if self.cache.reclaim(max_rows) {
            return Progress::More;
        }
        self.vacuum.rest(now, self.cache.garbage_bytes());
        Progress::Idle
    }

    pub(super) fn step_cache(&mut self, now: Instant, max_rows: usize) -> Progress {
        let step = self.cache.step(max_rows);
        self.tell_panics();
        match step {
            Step::More if self.cache.is_waiting_for_views() => return self.wait_for_views(now),
            Step::More => (),
            Step::Committed(transaction) => self.committed(now, transaction),
            Step::OutOfSync(error) => {
                let then = self.changes.end().map(|pending| pending.then);
                then.into_iter().flatten().for_each(|then| self.skip(then));
                self.fault(now, Lost::OutOfSync(error));
            }
        }
        Progress::More
    }

    /// Gives up what cannot be applied if the connection is closing, which waits for no view.
    fn wait_for_views(&mut self, now: Instant) -> Progress {
        match self.state {
            State::Draining { reason: CloseReason::Requested, .. } => self.close_at_once(now),
            State::Closing { .. } => self.stop_applying(),
            _ => {
                let slow = self.slow.views_held(now, self.inbox.waiting_bytes());
                self.report_slow(slow);
                return Progress::Waiting;
            }
        }
        Progress::More
    }

    /// Gives up what was received and is not applied, and what is still received.
    fn stop_applying(&mut self) {
        self.has_stopped = true;
        self.inbox.clear();
        self.abort_all();
    }

    /// Returns `true` if a change is under way or waits.
    pub fn is_applying(&self) -> bool {
        let has_resets = self.cache.has_resets() && !self.is_closed();
        has_resets || !self.changes.is_empty()
    }

    /// The changes that are not made.
    pub(super) fn changes_to_make(&self) -> impl Iterator<Item = &Change> {
        self.cache.under_way().into_iter().chain(self.changes.waiting())
    }

    /// Makes a change, and then what follows it.
    pub(super) fn apply(&mut self, change: Change, cause: Cause, then: Vec<Then>) {
        self.changes.push(change, cause, then);
    }

    /// Gives up what the server said and is not applied. Rows of sets that are over go all the same, what was expected of
    /// calls stays to be taken back, and what can be told of the others is.
    pub(super) fn abort_all(&mut self) {
        for aborted in self.changes.abort(&mut self.cache) {
            match aborted {
                Aborted::Stays(change, pending) => self.changes.put_back(change, pending),
                Aborted::Drops(sets, pending) => {
                    let transaction = self.drop_now(&sets);
                    self.tell(transaction, pending.cause);
                    pending.then.into_iter().for_each(|then| self.skip(then));
                }
                Aborted::Skipped(then) => then.into_iter().for_each(|then| self.skip(then)),
            }
        }
    }

    /// Drops sets at once, ahead of whatever is queued.
    pub(super) fn drop_now(&mut self, sets: &[SetId]) -> Transaction {
        if let Some(journal) = &mut self.journal {
            sets.iter().for_each(|set| journal.drop_rows(*set));
        }
        self.cache.drop_now(sets.iter().copied())
    }

    /// Consequences of a change that is not made.
    fn skip(&mut self, then: Then) {
        match then {
            // It was committed; its rows are not here, so nobody can rely on it.
            Then::Say(Event::Answered { call, reply: Reply::Committed { .. }, .. }) => {
                self.say(unknown(call));
            }
            // Any other answer is as true as it was. What was expected goes with the next resync, or with the end.
            Then::Say(event @ (Event::Answered { .. } | Event::Ended { .. })) => self.say(event),
            Then::Arrived(arrivals) => {
                arrivals.iter().for_each(|arrival| self.subs.missed(arrival));
            }
            Then::Say(_) | Then::Over(_) | Then::Reloaded | Then::Ready => (),
        }
    }

    /// Forgets every change that is not made, as [`abort_all`](Self::abort_all) does, and leaves the cache alone.
    pub(super) fn forget_changes(&mut self) {
        self.changes.take_consequences().for_each(|then| self.skip(then));
    }

    /// Gives up every change that is not made, and says what was to be told of them, as it was to be told.
    pub(super) fn skip_all(&mut self) {
        drop(self.cache.abort());
        let events = self.changes.take_consequences().filter_map(|then| match then {
            Then::Say(event) => Some(event),
            Then::Over(_) | Then::Arrived(_) | Then::Reloaded | Then::Ready => None,
        });
        events.for_each(|event| self.say(event));
    }

    /// The server said something that cannot be: nothing more of this socket's is believed.
    fn fault(&mut self, now: Instant, reason: Lost) {
        self.inbox.clear();
        self.lose(now, reason);
    }

    /// A change was made: says what changed, then what follows.
    fn committed(&mut self, now: Instant, transaction: Transaction) {
        let Some(Pending { cause, then, persisted }) = self.changes.end() else { return };
        if cause.is_servers() {
            self.recovery.progress();
        }
        self.slow.views_released();
        // Sets that fail while they still have an earlier run's rows lose those, and are asked for; sets that fail with the
        // server's rows are over.
        let failures = transaction.failed_sets().iter().cloned();
        let (loaded, failed): (Vec<_>, Vec<_>) =
            failures.partition(|failure| self.is_loaded(failure.set));
        if let Some(parts) = persisted {
            let failed: Vec<SetId> = failed.iter().map(|failure| failure.set).collect();
            self.persist_rows(parts, &failed);
        }
        // Rows first, then ids, then answers: when a call's future resolves its rows are there, and the calls that waited for
        // its ids have left. Failures last, because ending a set queues another change.
        let new_ids = transaction.new_ids().clone();
        self.tell(transaction, cause);
        self.learn_ids(&new_ids);
        self.follow(now, then, &failed);
        for failure in loaded.into_iter().chain(failed) {
            self.fail_set(failure);
        }
    }

    pub(super) fn tell(&mut self, transaction: Transaction, cause: Cause) {
        if !transaction.is_empty() {
            self.stats.count_transaction(transaction.tables().iter().map(TableDiff::len).sum());
            self.events.push(Event::Transaction(TransactionEvent { transaction, cause }));
        }
    }

    fn follow(&mut self, now: Instant, then: Vec<Then>, failed: &[SetFailure]) {
        for then in then {
            match then {
                Then::Say(Event::Answered { call, reply, times }) => {
                    let times = times.applied(self.inbox.came(), now);
                    self.say(Event::Answered { call, reply, times });
                }
                Then::Say(event) => self.say(event),
                Then::Arrived(arrivals) => {
                    arrivals.iter().for_each(|arrival| self.arrived(arrival, failed));
                }
                Then::Reloaded => self.reloaded(),
                Then::Over(call) => self.ids_are_over(call),
                Then::Ready => self.become_ready(now),
            }
        }
    }

    /// Rows of a set are in the cache: they are the set's, or nobody's.
    fn arrived(&mut self, arrival: &Arrival, failed: &[SetFailure]) {
        if !self.subs.arrived(arrival) {
            let drops = Released::one(arrival.rows).into_drops();
            self.apply(Change::of(drops), Cause::Unsubscribed(arrival.set), Vec::new());
        } else if failed.iter().all(|failure| failure.set != arrival.rows) {
            self.events.push(Event::Applied(arrival.set));
        }
    }

    /// Rows of a set do not decode as their Rust type, or that panicked: it is over, here and on the server.
    pub(super) fn fail_set(&mut self, failure: SetFailure) {
        if self.is_loaded(failure.set) {
            log!(info, %failure, "kept rows are dropped");
            self.cache.readmit(failure.set);
            return self.drop_loaded_table(failure.set, &failure.table_name);
        }
        let Some(set) = self.subs.by_rows(failure.set) else { return };
        if let Some(end) = self.subs.fail(set) {
            let reason = match failure.reason {
                RowMismatch::Panicked { .. } => SetEnd::Panicked(failure),
                _ => SetEnd::Undecodable(failure),
            };
            self.end_set(set, end, reason);
        }
    }
}

fn unknown(call: CallId) -> Event {
    Event::Answered { call, reply: Reply::Unknown, times: CallTimes::default() }
}
