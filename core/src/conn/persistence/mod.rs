//! State that outlives the program: calls in the journal, and rows.
//!
//! The machine says what is to be written ([`poll_commit`](Connection::poll_commit)) and is told when it is
//! ([`handle_stored`](Connection::handle_stored)). Everything that happens between two polls is one batch, which is
//! written whole or not at all: so a call leaves the journal together with the rows that it caused.
//!
//! - A call that cannot leave at once is put into the journal; it counts as queued when that is written.
//! - A call that waited leaves when its being sent is written: after a crash it is known that it may have run. If it must
//!   not run twice it is not sent again then.
//! - A call that may run twice and need not wait leaves at once, and enters the journal as sent.
//! - When the disk fails, nothing more is kept. Calls that the disk says are not sent stay there, and are not sent now,
//!   because the next run would send them again.

mod config;
mod dead;
mod live;
mod open;
mod queue;
mod replay;
mod rows;
mod sync;
mod unclaimed;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::time::Instant;

use self::dead::DeadLetters;
use super::{Accepted, CallId, Connection, Event};
use crate::calls::Gate;
use crate::deadline::after;
use crate::guard::log;
use crate::journal::{Batch, Delivery, Elsewhere, Entry, Held, Op, QueuedCall, QueuedState, Scope};
use crate::types::{Timestamp, Uuid};

pub use self::config::{CallOptions, OfflineConfig, Overflow, Replay};
pub use self::live::{LiveReducer, SchemaRound};
pub use self::open::Restored;
pub use self::rows::table_fingerprint;
pub use self::sync::{Storage, SyncState};

/// State of a machine with a journal.
#[derive(Debug)]
pub(super) struct Offline {
    pub(super) config: OfflineConfig,
    scope: u32,
    record: Scope,
    /// Other users of the same database.
    others: Vec<Elsewhere>,
    clock: Clock,
    random: Random,
    next_entry: u64,
    /// Calls that are not over, by their number.
    queue: BTreeMap<u64, Queued>,
    by_call: HashMap<CallId, u64>,
    /// Number of those that are held.
    held: usize,
    /// Calls that failed, oldest first.
    dead: DeadLetters,
    /// Dead letters forgotten in this run because there were too many.
    forgotten: usize,
    rows: rows::Kept,
    /// The arguments that reducers have in this program.
    arguments: HashMap<Box<str>, u64>,
    /// Those that they have on the server.
    live: live::Live,
    /// Operations to be written.
    ops: Vec<Op>,
    urgent: bool,
    /// The number of the next batch.
    ticket: u64,
    /// The last one that a call waits for.
    urgent_ticket: u64,
    /// The last one that is written.
    stored: u64,
    /// Calls that are accepted when a batch is written.
    accepting: VecDeque<(u64, CallId, Accepted)>,
    degraded: Option<Box<str>>,
    put_aside: Option<PathBuf>,
    /// The application is to say what becomes of the calls that wait.
    pub(super) asking: bool,
    pub(super) told: SyncState,
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
}

/// The time of day, out of the machine's time.
#[derive(Debug, Clone, Copy)]
struct Clock {
    at: Instant,
    wall: Timestamp,
}

impl Clock {
    fn wall(&self, now: Instant) -> Timestamp {
        crate::journal::wall_after(self.wall, now.saturating_duration_since(self.at))
    }

    /// Moment at which it is that time of day; now, if that is over.
    fn instant(&self, now: Instant, wall: Timestamp) -> Option<Instant> {
        let left = wall.since(self.wall(now)).and_then(|left| left.to_duration());
        after(now, left.unwrap_or_default())
    }
}

/// SplitMix64, seeded with true randomness: names of calls need to be different, not secret.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn uuid(&mut self, wall: Timestamp) -> Uuid {
        let mut random = [0; 10];
        random[..8].copy_from_slice(&self.next().to_le_bytes());
        random[8..].copy_from_slice(&self.next().to_le_bytes()[..2]);
        Uuid::v7(wall, random)
    }
}

/// The driver's side.
impl Connection {
    /// Returns `true` if a batch is to be written.
    pub fn has_commits(&self) -> bool {
        self.offline.as_ref().is_some_and(|offline| !offline.ops.is_empty())
    }

    /// Returns the next batch to be written. Batches are to be written in their order.
    pub fn poll_commit(&mut self) -> Option<Batch> {
        let offline = self.offline.as_mut()?;
        if offline.ops.is_empty() {
            return None;
        }
        let ops = std::mem::take(&mut offline.ops);
        let urgent = std::mem::take(&mut offline.urgent);
        let ticket = offline.ticket;
        offline.ticket += 1;
        if urgent {
            offline.urgent_ticket = ticket;
        }
        Some(Batch { ticket, ops, urgent })
    }

    /// A batch, and all before it, are written; or could not be, with these words.
    pub fn handle_stored(&mut self, ticket: u64, result: Result<(), Box<str>>) {
        let Some(offline) = &mut self.offline else { return };
        if offline.degraded.is_some() {
            return;
        }
        match result {
            Ok(()) => offline.stored = offline.stored.max(ticket),
            Err(why) => return self.degrade(why),
        }
        while let Some((put, call, accepted)) = offline.accepting.front().copied()
            && put <= offline.stored
        {
            offline.accepting.pop_front();
            // It may be over by now; then it was told so.
            if offline.by_call.contains_key(&call) {
                self.events.push_back(Event::Accepted { call, accepted });
            }
        }
        self.send_calls();
    }

    /// Returns `true` if everything that calls wait for is written, or cannot be.
    pub fn has_stored(&self) -> bool {
        self.offline.as_ref().is_none_or(|offline| {
            !offline.is_good() || !offline.urgent && offline.is_stored(offline.urgent_ticket)
        })
    }

    /// Tells the time of day, whenever it may have been changed.
    pub fn handle_clock(&mut self, now: Instant, wall: Timestamp) {
        if let Some(offline) = &mut self.offline {
            offline.clock = Clock { at: now, wall };
        }
    }

    /// The disk failed: from now on only what can be sent is taken.
    fn degrade(&mut self, why: Box<str>) {
        log!(error, %why, "the offline store failed; nothing more is kept");
        let Some(offline) = &mut self.offline else { return };
        offline.degraded = Some(why);
        offline.ops.clear();
        offline.urgent = false;
        for (_, call, accepted) in std::mem::take(&mut offline.accepting) {
            if offline.by_call.contains_key(&call) {
                let accepted = match accepted {
                    Accepted::Queued => Accepted::Waiting,
                    sent => sent,
                };
                self.events.push_back(Event::Accepted { call, accepted });
            }
        }
        let stored = offline.stored;
        let mut stuck = Vec::new();
        let mut forgotten = Vec::new();
        for keep in self.calls.kept_mut() {
            match keep.gate {
                Gate::Unmarked => (),
                Gate::Marking(ticket) if ticket > stored => (),
                _ => continue,
            }
            if keep.delivery == Delivery::AtLeastOnce {
                // The next run may send it once more.
                keep.gate = Gate::Open;
                continue;
            }
            let Some(seq) = keep.seq else { continue };
            let Some(queued) = offline.queue.get(&seq) else { continue };
            if queued.put <= stored {
                stuck.push(queued.call);
            } else {
                // The disk knows nothing of it.
                keep.gate = Gate::Open;
                keep.seq = None;
                forgotten.push((seq, queued.call));
            }
        }
        for (seq, call) in forgotten {
            offline.queue.remove(&seq);
            offline.by_call.remove(&call);
        }
        for call in stuck {
            if let Some(waiting) = self.calls.take_waiting(call) {
                self.calls.put_aside(waiting);
            }
        }
        self.send_calls();
    }
}

impl Offline {
    fn is_good(&self) -> bool {
        self.degraded.is_none()
    }

    pub(super) fn write(&mut self, op: Op) {
        if self.is_good() {
            self.ops.push(op);
        }
    }

    fn write_urgently(&mut self, op: Op) {
        self.write(op);
        self.urgent = true;
    }

    /// Returns `true` if the batch is written.
    pub(super) fn is_stored(&self, ticket: u64) -> bool {
        ticket <= self.stored
    }
}
