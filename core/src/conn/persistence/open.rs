//! Opening the journal, and the greeting that says whose it is.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Instant;

use bytes::Bytes;

use super::dead::DeadLetters;
use super::live::Live;
use super::{Clock, Offline, OfflineConfig, Queued, Random, SyncState, rows};
use crate::calls::{Gate, Keep, Request, Waiting};
use crate::conn::{CallId, Connection, Event, Greeting, Lost, Reply};
use crate::journal::{Delivery, Elsewhere, Entry, EntryState, Op, Opened, QueuedState};
use crate::named_ids::NamedId;
use crate::types::{Timestamp, Uuid};
use crate::wire::Text;

/// A call that an earlier run of the program made, made again: under a new number, in its old place.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Restored {
    /// Its number in this run.
    pub call: CallId,
    /// Its name, for good.
    pub id: Uuid,
    /// The reducer's name.
    pub reducer: Text,
    /// The BSATN of its arguments.
    pub args: Bytes,
    /// The name of the mutator that shows what it will come to.
    pub optimistic: Option<Text>,
    /// The places in the arguments with temporary ids of calls that are not answered.
    pub names: Vec<NamedId>,
}

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
        let Opened { scope, record, entries, sets, tables, others, next, first, put_aside } =
            opened;
        self.credentials.restore_token(record.token.clone());
        self.offline = Some(Box::new(Offline {
            config,
            scope,
            record,
            others,
            clock: Clock { at: now, wall },
            random: Random(seed),
            next_entry: next.entry,
            queue: BTreeMap::new(),
            by_call: HashMap::new(),
            held: 0,
            dead: DeadLetters::default(),
            forgotten: 0,
            rows: rows::Kept::new(next.rows, next.set, tables),
            arguments: HashMap::new(),
            live: Live::default(),
            ops: first,
            urgent: true,
            ticket: 1,
            urgent_ticket: 0,
            stored: 0,
            accepting: VecDeque::new(),
            degraded: None,
            put_aside,
            asking: false,
            told: SyncState::default(),
        }));
        self.load_rows(sets);
        let mut restored = Vec::new();
        for entry in entries {
            self.restore(now, entry, |_, call| restored.push(call));
        }
        self.fail_unknown_ids(self.calls.naming().collect());
        restored
    }

    /// Makes a call again that is in the journal. Its batch was written long ago. It is told before its answer, if it has
    /// one at once.
    fn restore(&mut self, now: Instant, entry: Entry, tell: impl FnOnce(&mut Self, Restored)) {
        let Some(offline) = &mut self.offline else { return };
        if let EntryState::Dead(_) = entry.state {
            offline.dead.push(entry);
            return;
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
        let was_sent = entry.state == EntryState::Sent;
        let mut keep = Keep::new(entry.delivery.clone(), None);
        keep.seq = Some(entry.seq);
        keep.attempts = entry.attempts.max(u32::from(was_sent));
        keep.is_suspect = entry.attempts > 0 && keep.may_go_again();
        keep.blame = entry.blame;
        keep.names.clone_from(&entry.names);
        keep.gate = match &entry.delivery {
            Delivery::AtLeastOnce if was_sent => Gate::Open,
            Delivery::Probe(_) if was_sent => Gate::Unprobed,
            _ => Gate::Unmarked,
        };
        if keep.attempts == 0 {
            let expires = entry.expires_at.and_then(|wall| offline.clock.instant(now, wall));
            keep.expires = expires;
        }
        let lost = was_sent && entry.delivery == Delivery::AtMostOnce;
        let request = Request::Reducer { name: entry.reducer.clone(), args: entry.args.clone() };
        offline.by_call.insert(call, entry.seq);
        let state = QueuedState::Queued;
        let (number, names) = (entry.number, entry.names.clone());
        let queued = Queued { entry, call, state, held: None, put: 0 };
        offline.queue.insert(queued.entry.seq, queued);
        if let Some(number) = number {
            self.temp_ids.register(number, call);
        }
        self.waits_for_ids(call, &names);
        tell(self, restored);
        if lost {
            self.answer(call, Reply::Unknown);
        } else {
            self.calls.push(Waiting::new(call, request, None, Some(Box::new(keep))));
        }
    }

    /// The server has said who we are: whether what is kept is that one's.
    pub(in crate::conn) fn check_scope(&mut self, greeting: &Greeting) -> Result<(), Lost> {
        let Some(offline) = &mut self.offline else { return Ok(()) };
        if let Some(before) = offline.record.identity
            && before != greeting.identity
        {
            return Err(Lost::IdentityChanged { before, now: greeting.identity });
        }
        let is_new = offline.record.identity.is_none();
        let renewed = offline.record.token.as_deref() != Some(&greeting.token);
        if is_new || renewed {
            offline.record.identity = Some(greeting.identity);
            offline.record.token = Some(greeting.token.clone());
            offline.write_urgently(Op::Scope(offline.scope, offline.record.clone()));
        }
        let here = |other: &Elsewhere| other.record.identity == Some(greeting.identity);
        if is_new && let Some(at) = offline.others.iter().position(here) {
            let other = offline.others.swap_remove(at);
            self.move_in(other);
        }
        Ok(())
    }

    /// This user was here before, under another token: what was left then comes in front of what was made since. The
    /// rows of then are dropped, because the server's come now.
    fn move_in(&mut self, other: Elsewhere) {
        let Some(offline) = &mut self.offline else { return };
        for set in other.sets {
            offline.write(Op::ForgetSet { scope: other.scope, set });
        }
        let made_since = self.calls.take_all_waiting(|waiting| waiting.seq().is_some());
        let now = offline.clock.at;
        for mut entry in other.entries {
            if let Some(offline) = &mut self.offline {
                entry.scope = offline.scope;
                offline.write_urgently(Op::Entry(Box::new(entry.clone())));
            }
            self.restore(now, entry, |connection, call| {
                connection.events.push_back(Event::Restored(Box::new(call)));
            });
        }
        for waiting in made_since {
            self.calls.push(waiting);
        }
        self.fail_unknown_ids(self.calls.naming().collect());
    }
}
