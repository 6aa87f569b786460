//! State that outlives the program: calls in the journal, and rows.
//!
//! The journal says what is to be written, batch by batch, and is told when a batch is. Everything that happens between two
//! batches is one, which is written whole or not at all: so a call leaves the journal together with the rows that it caused.
//! It sends nothing: the sender of calls asks it what the disk knows of each.
//!
//! - A call that cannot leave at once is put into the journal; it counts as queued when that is written.
//! - A call that waited leaves when its being sent is written: after a crash it is known that it may have run. If it must
//!   not run twice it is not sent again then.
//! - A call that may run twice and need not wait leaves at once, and enters the journal as sent.
//! - When the disk fails, nothing more is persisted. Calls that the disk says are not sent stay there, and are not sent now,
//!   because the next run would send them again.

mod calls;
mod clock;
mod config;
mod dead;
mod fit;
mod log;
mod queue;
mod rows;
mod unclaimed;

use std::path::PathBuf;
use std::time::Instant;

use self::clock::{Clock, Random};
use self::dead::DeadLetters;
use self::fit::Reducers;
use self::log::Log;
use self::queue::CallQueue;
use self::rows::RowLog;
use crate::cache::{Change, Part, SetId};
use crate::conn::calls::{CallId, Gate, Tracking};
use crate::conn::event::{Accepted, Greeting, Storage, SyncState};
use crate::conn::lifecycle::state::Lost;
use crate::journal::{
    Batch, Delivery, Elsewhere, Entry, EntryState, LoadedSet, Op, Opened, Scope, SetRecord,
};
use crate::types::{Timestamp, Uuid};
use crate::wire::TableName;

pub use self::config::{CallOptions, OfflineConfig, Overflow, Replay};
pub(super) use self::fit::UNKNOWN_ARGUMENTS;
pub use self::fit::{LiveReducer, SchemaRound};
pub use self::rows::table_fingerprint;

/// Journal of one user of a database.
#[derive(Debug)]
pub(super) struct Journal {
    config: OfflineConfig,
    scope: u32,
    record: Scope,
    /// Other users of the same database.
    others: Vec<Elsewhere>,
    clock: Clock,
    random: Random,
    log: Log,
    queue: CallQueue,
    dead: DeadLetters,
    rows: RowLog,
    reducers: Reducers,
    put_aside: Option<PathBuf>,
    /// The application is to say what becomes of the calls that wait.
    is_asking: bool,
    /// State that the application was told last.
    reported: SyncState,
}

/// Decision on a call that waits, after the disk has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterFailure {
    /// It goes on as it was.
    Unchanged,
    /// It is sent without waiting for the disk, which may know of it: the next run may send it once more.
    Send,
    /// The same, and the disk knows nothing of it.
    Forget(CallId),
    /// The disk has it as not sent, so the next run sends it, and this one does not.
    Leave(CallId),
}

/// Opening, and the user.
impl Journal {
    /// The journal that was read, and what is to be loaded from it: entries of calls, and rows of query sets.
    pub(super) fn open(
        clock: (Instant, Timestamp),
        opened: Opened,
        config: OfflineConfig,
        seed: u64,
    ) -> (Self, Vec<Entry>, Vec<LoadedSet>) {
        let Opened { scope, record, entries, sets, tables, others, next, log: _, first, put_aside } =
            opened;
        let journal = Self {
            config,
            scope,
            record,
            others,
            clock: Clock::new(clock.0, clock.1),
            random: Random::new(seed),
            log: Log::new(first),
            queue: CallQueue::new(next.entry),
            dead: DeadLetters::default(),
            rows: RowLog::new(scope, next.rows, next.set, tables),
            reducers: Reducers::default(),
            put_aside,
            is_asking: false,
            reported: SyncState::default(),
        };
        (journal, entries, sets)
    }

    /// Adds a dead letter of the last run.
    pub(super) fn restore_dead(&mut self, entry: Entry) {
        self.dead.push(entry);
    }

    /// Adds a call of the last run under a new name, and returns how it goes on.
    pub(super) fn restore(&mut self, now: Instant, entry: Entry, call: CallId) -> Tracking {
        let was_sent = entry.state == EntryState::Sent;
        let mut tracking = Tracking::new(entry.delivery.clone(), None);
        tracking.restore(entry.seq, entry.attempts, entry.blame, was_sent);
        tracking.set_names(entry.names.clone());
        if tracking.attempts() == 0 {
            let expires = entry.expires_at.and_then(|wall| self.clock.instant(now, wall));
            tracking.set_expires(expires);
        }
        self.queue.restore(entry, call);
        tracking
    }

    /// The server has said who we are: an error if what is persisted is another user's. Returns what this user left here
    /// before, under another token; it is to be [moved in](Self::move_in).
    pub(super) fn greeted(&mut self, greeting: &Greeting) -> Result<Option<Elsewhere>, Lost> {
        if let Some(before) = self.record.identity
            && before != greeting.identity
        {
            return Err(Lost::IdentityChanged { before, now: greeting.identity });
        }
        let is_new = self.record.identity.is_none();
        let renewed = self.record.token.as_deref() != Some(&greeting.token);
        if is_new || renewed {
            self.record.identity = Some(greeting.identity);
            self.record.token = Some(greeting.token.clone());
            self.log.write_urgently(Op::Scope(self.scope, self.record.clone()));
        }
        let here = |other: &Elsewhere| other.record.identity == Some(greeting.identity);
        let at = self.others.iter().position(here).filter(|_| is_new);
        Ok(at.map(|at| self.others.swap_remove(at)))
    }

    /// Token of the last run.
    pub(super) fn token(&self) -> Option<Box<str>> {
        self.record.token.clone()
    }

    /// Writes that rows of another scope are gone.
    pub(super) fn forget_elsewhere(&mut self, scope: u32, sets: Vec<u32>) {
        for set in sets {
            self.log.write(Op::ForgetSet { scope, set });
        }
    }

    /// Makes an entry of another scope one of this scope.
    pub(super) fn move_in(&mut self, entry: &mut Entry) {
        entry.scope = self.scope;
        self.log.write_urgently(Op::Entry(Box::new(entry.clone())));
    }
}

/// The disk and the clock.
impl Journal {
    pub(super) fn has_ops(&self) -> bool {
        self.log.has_ops()
    }

    pub(super) fn take_batch(&mut self) -> Option<Batch> {
        self.log.take_batch()
    }

    /// Returns `true` unless the disk has failed.
    pub(super) fn is_good(&self) -> bool {
        self.log.is_good()
    }

    /// Returns `true` if a batch is written.
    pub(super) fn is_stored(&self, ticket: u64) -> bool {
        self.log.is_stored(ticket)
    }

    /// Returns `true` if everything that calls wait for is written, or cannot be.
    pub(super) fn has_stored(&self) -> bool {
        self.log.has_stored()
    }

    /// A batch, and all before it, are written. Returns the calls that are accepted with it.
    pub(super) fn stored(&mut self, ticket: u64) -> Vec<(CallId, Accepted)> {
        self.log.stored(ticket);
        self.queue.take_accepted(&self.log)
    }

    /// The disk failed: from now on nothing is written. Returns the calls that are accepted without it.
    pub(super) fn fail(&mut self, why: Box<str>) -> Vec<(CallId, Accepted)> {
        self.log.fail(why);
        self.queue.take_all_accepted()
    }

    /// Decides on a call that waits, after the disk has failed.
    pub(super) fn after_failure(&self, tracking: &Tracking) -> AfterFailure {
        match tracking.gate() {
            Gate::Unmarked => (),
            Gate::Marking(ticket) if !self.log.is_stored(ticket) => (),
            _ => return AfterFailure::Unchanged,
        }
        if *tracking.delivery() == Delivery::AtLeastOnce {
            return AfterFailure::Send;
        }
        match tracking.seq().and_then(|seq| self.queue.at(&self.log, seq)) {
            Some((call, true)) => AfterFailure::Leave(call),
            Some((call, false)) => AfterFailure::Forget(call),
            None => AfterFailure::Unchanged,
        }
    }

    /// Forgets a call that the disk knows nothing of.
    pub(super) fn forget(&mut self, call: CallId) {
        let _ = self.queue.remove(call);
    }

    /// Takes the time of day.
    pub(super) fn set_clock(&mut self, now: Instant, wall: Timestamp) {
        self.clock = Clock::new(now, wall);
    }

    /// The moment at which the time of day was told last.
    pub(super) fn clock(&self) -> Instant {
        self.clock.at()
    }

    /// An idempotency key, greater than those of milliseconds before.
    pub(super) fn new_key(&mut self, now: Instant) -> Uuid {
        let wall = self.clock.wall(now);
        self.random.uuid(wall)
    }
}

/// Rows.
impl Journal {
    /// A set of an earlier run has its rows in the cache, under this name.
    pub(super) fn rows_loaded(&mut self, set: SetId, record: SetRecord, tables: Vec<TableName>) {
        self.rows.loaded(set, record, tables);
    }

    /// The journal has a set under a number.
    pub(super) fn number_rows(&mut self, set: SetId, number: u32) {
        self.rows.number(set, number);
    }

    /// Takes the set of an earlier run that these queries asked for.
    pub(super) fn claim_rows(&mut self, queries: &[Box<str>]) -> Option<SetId> {
        self.rows.claim(&mut self.log, queries)
    }

    /// Rows of earlier runs that nobody asked for again may stay a while: the connection is ready.
    pub(super) fn start_unclaimed(&mut self, now: Instant) {
        let grace = self.config.unclaimed_after;
        self.rows.start_unclaimed(&mut self.log, now, self.clock, grace);
    }

    /// Time at which the next set expires that nobody asked for again.
    pub(super) fn unclaimed_until(&self) -> Option<Instant> {
        self.rows.unclaimed_until()
    }

    /// Takes the sets that have expired.
    pub(super) fn take_expired(&mut self, now: Instant) -> Vec<SetId> {
        self.rows.take_expired(now)
    }

    pub(super) fn forget_unclaimed(&mut self) {
        self.rows.forget_unclaimed();
    }

    /// Returns `true` if nobody has asked yet for these rows of the last run.
    pub(super) fn is_unclaimed(&self, rows: SetId) -> bool {
        self.rows.is_unclaimed(rows)
    }

    /// Returns `true` if a set's rows are those of the last run.
    pub(super) fn is_loaded(&self, set: SetId) -> bool {
        self.rows.is_loaded(set)
    }

    /// Sets of the last run that have rows of a table under another fingerprint: these are not to become visible.
    pub(super) fn outdated_rows(&self, table: &str, fingerprint: u64) -> Vec<SetId> {
        self.rows.outdated(table, fingerprint)
    }

    /// Notes the fingerprint of a table; false if it is noted already.
    pub(super) fn note_table(&mut self, table: &str, fingerprint: u64) -> bool {
        self.rows.note_table(&mut self.log, table, fingerprint)
    }

    /// Notes that a set of the last run has no rows of a table any more. False if it has no rows of any then.
    pub(super) fn drop_table(&mut self, set: SetId, table: &str) -> bool {
        self.rows.drop_table(&mut self.log, set, table)
    }

    /// The rows of a set are not those of the last run any more.
    pub(super) fn forget_loaded(&mut self, rows: SetId) {
        self.rows.forget_loaded(rows);
    }

    /// The rows of a set are gone.
    pub(super) fn drop_rows(&mut self, set: SetId) {
        self.rows.drop_set(&mut self.log, set);
    }

    fn persists_rows(&self) -> bool {
        self.config.keeps_rows && self.is_good()
    }

    /// The sets whose rows are in the journal, as far as it is kept up.
    pub(super) fn sets(&self) -> impl Iterator<Item = SetId> {
        self.persists_rows().then(|| self.rows.sets()).into_iter().flatten()
    }

    /// Parts of a change that are to be persisted, if it is made.
    pub(super) fn parts_to_persist(&self, change: &Change) -> Option<Vec<Part>> {
        let stored = |part: &&Part| !matches!(part, Part::Events { .. });
        self.persists_rows().then(|| change.parts.iter().filter(stored).cloned().collect())
    }

    /// Persists a change that was made, but for sets that failed, whose rows are gone. `queries` has those of a set.
    pub(super) fn persist_rows(
        &mut self,
        parts: Vec<Part>,
        failed: &[SetId],
        queries: impl Fn(SetId) -> Option<Vec<Box<str>>>,
    ) {
        self.rows.persist(&mut self.log, parts, failed, queries);
    }
}

/// Progress.
impl Journal {
    /// Progress towards the server. `next_retry` is the time of the next attempt to connect.
    pub(super) fn sync_state(&self, next_retry: Option<Instant>) -> SyncState {
        SyncState {
            pending: self.queue.len(),
            held: self.queue.held(),
            failed: self.dead.failed(),
            dead_letters: self.dead.len(),
            next_retry,
            storage: match self.log.failure() {
                Some(why) => Storage::Degraded(why.into()),
                None => Storage::Good,
            },
            put_aside: self.put_aside.clone(),
        }
    }

    /// Returns `true` if the application was told another state than this.
    pub(super) fn is_news(&self, state: &SyncState) -> bool {
        self.reported != *state
    }

    /// The application is told this state.
    pub(super) fn reported(&mut self, state: SyncState) {
        self.reported = state;
    }
}
