//! Query sets: what the application wants, and how far the server is with it. Pure bookkeeping.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::cache::SetId;
use crate::wire::QuerySetId;

/// One query set as the application knows it: the same over all reconnects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId(pub u32);

/// All query sets that are not over.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    next: u32,
    next_rows: u32,
    next_wire: u32,
    // The keys are numbers of our own, so the hashes need no secret.
    sets: HashMap<SubscriptionId, QuerySet, FixedState>,
    /// The sets that the server knows, by the name that it knows them by.
    by_wire: HashMap<QuerySetId, SubscriptionId, FixedState>,
    by_rows: HashMap<SetId, SubscriptionId, FixedState>,
}

/// One query set.
#[derive(Debug)]
pub(crate) struct QuerySet {
    pub(crate) queries: Vec<Box<str>>,
    pub(crate) stage: Stage,
    /// Its name on this connection, once it was sent.
    pub(crate) wire: Option<QuerySetId>,
    /// What the cache knows it by. Asked for again after a reconnect, its rows come in under a new name.
    pub(crate) rows: SetId,
}

/// How far a query set is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Not sent yet: there is no connection.
    Waiting,
    /// Sent, not answered.
    Sent,
    /// Its rows are in the cache.
    Applied,
    /// Its rows are in the cache as they were when the connection was lost, or when the server refused to resync it.
    Stale,
    /// As `Stale`, and it was asked for again: its new rows come under this name.
    Resyncing(SetId),
    /// The application ended it, and the server has not confirmed that. Until then it is kept in step if it holds rows.
    Ending {
        /// Whether its rows are in the cache.
        holds_rows: bool,
    },
    /// It failed here, its rows are gone, and the server has not confirmed yet that it sends no more of it.
    Failed,
}

/// A set whose connection is gone, and what is left to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Orphan {
    /// It was about to end, and has: these rows go, if it held any.
    Ended(SubscriptionId, Option<SetId>),
    /// Its rows are stale now.
    Stale(SetId),
}

impl Subscriptions {
    pub(crate) fn add(&mut self, queries: Vec<Box<str>>) -> SubscriptionId {
        let id = SubscriptionId(self.next);
        self.next += 1;
        let rows = self.name_rows(id);
        self.sets.insert(id, QuerySet { queries, stage: Stage::Waiting, wire: None, rows });
        id
    }

    /// A name for rows of no set yet.
    pub(crate) fn reserve_rows(&mut self) -> SetId {
        let rows = SetId(self.next_rows);
        self.next_rows += 1;
        rows
    }

    /// Adds a set whose rows are in the cache, as they were some time ago.
    pub(crate) fn add_stale(&mut self, queries: Vec<Box<str>>, rows: SetId) -> SubscriptionId {
        let id = SubscriptionId(self.next);
        self.next += 1;
        self.by_rows.insert(rows, id);
        self.sets.insert(id, QuerySet { queries, stage: Stage::Stale, wire: None, rows });
        id
    }

    /// The rows of a stale set are gone: it is as if it had just been asked for.
    pub(crate) fn start_over(&mut self, id: SubscriptionId) {
        let rows = self.name_rows(id);
        if let Some(set) = self.sets.get_mut(&id) {
            self.by_rows.remove(&set.rows);
            (set.rows, set.stage) = (rows, Stage::Waiting);
        }
    }

    fn name_rows(&mut self, id: SubscriptionId) -> SetId {
        let rows = self.reserve_rows();
        self.by_rows.insert(rows, id);
        rows
    }

    pub(crate) fn get(&self, id: SubscriptionId) -> Option<&QuerySet> {
        self.sets.get(&id)
    }

    pub(crate) fn set_stage(&mut self, id: SubscriptionId, stage: Stage) {
        if let Some(set) = self.sets.get_mut(&id) {
            set.stage = stage;
        }
    }

    /// A name on the wire for one more set.
    pub(crate) fn new_wire(&mut self) -> QuerySetId {
        let wire = QuerySetId(self.next_wire);
        self.next_wire = self.next_wire.wrapping_add(1);
        wire
    }

    /// The set that the server calls `wire`.
    pub(crate) fn by_wire(&self, wire: QuerySetId) -> Option<(SubscriptionId, &QuerySet)> {
        let id = *self.by_wire.get(&wire)?;
        Some((id, self.sets.get(&id)?))
    }

    /// The set whose rows the cache knows by this name.
    pub(crate) fn by_rows(&self, rows: SetId) -> Option<SubscriptionId> {
        self.by_rows.get(&rows).copied()
    }

    /// The sets that are at a stage, oldest first.
    pub(crate) fn at(&self, stage: Stage) -> Vec<SubscriptionId> {
        let sets = self.sets.iter().filter(|(_, set)| set.stage == stage);
        let mut ids: Vec<_> = sets.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    /// Names a set for the wire, and marks it sent; one with stale rows gets a name for the new ones.
    pub(crate) fn send(&mut self, id: SubscriptionId) -> Option<(QuerySetId, &[Box<str>])> {
        let resyncs = self.sets.get(&id)?.stage == Stage::Stale;
        let stage = if resyncs { Stage::Resyncing(self.name_rows(id)) } else { Stage::Sent };
        let wire = self.new_wire();
        self.by_wire.insert(wire, id);
        let set = self.sets.get_mut(&id)?;
        set.stage = stage;
        set.wire = Some(wire);
        Some((wire, &set.queries))
    }

    /// The rows of a set that was asked for again are in the cache under their new name. False if it is not wanted any
    /// more.
    pub(crate) fn resynced(&mut self, id: SubscriptionId) -> bool {
        let Some(set) = self.sets.get_mut(&id) else { return false };
        let Stage::Resyncing(rows) = set.stage else { return false };
        self.by_rows.remove(&set.rows);
        set.rows = rows;
        set.stage = Stage::Applied;
        true
    }

    /// A set that was asked for again will not be answered: it keeps what it has.
    pub(crate) fn not_resynced(&mut self, id: SubscriptionId) {
        let Some(set) = self.sets.get_mut(&id) else { return };
        if let Stage::Resyncing(rows) = set.stage {
            self.by_rows.remove(&rows);
            set.stage = Stage::Stale;
        }
        if let Some(wire) = set.wire.take() {
            self.by_wire.remove(&wire);
        }
    }

    /// Forgets a set; says whether there was one.
    pub(crate) fn remove(&mut self, id: SubscriptionId) -> bool {
        let Some(set) = self.sets.remove(&id) else { return false };
        if let Some(wire) = set.wire {
            self.by_wire.remove(&wire);
        }
        self.by_rows.remove(&set.rows);
        if let Stage::Resyncing(rows) = set.stage {
            self.by_rows.remove(&rows);
        }
        true
    }

    /// The connection is gone, and with it all that the server knew. Oldest first.
    pub(crate) fn orphan(&mut self) -> Vec<Orphan> {
        self.by_wire.clear();
        let mut ids: Vec<_> = self.sets.keys().copied().collect();
        ids.sort_unstable();
        ids.into_iter().filter_map(|id| self.orphan_one(id)).collect()
    }

    fn orphan_one(&mut self, id: SubscriptionId) -> Option<Orphan> {
        let set = self.sets.get_mut(&id)?;
        set.wire = None;
        let rows = set.rows;
        match set.stage {
            Stage::Waiting => None,
            Stage::Sent => {
                set.stage = Stage::Waiting;
                None
            }
            Stage::Applied => {
                set.stage = Stage::Stale;
                Some(Orphan::Stale(rows))
            }
            Stage::Stale => Some(Orphan::Stale(rows)),
            Stage::Resyncing(new) => {
                set.stage = Stage::Stale;
                self.by_rows.remove(&new);
                Some(Orphan::Stale(rows))
            }
            Stage::Ending { holds_rows } => {
                self.remove(id);
                Some(Orphan::Ended(id, holds_rows.then_some(rows)))
            }
            Stage::Failed => {
                self.remove(id);
                None
            }
        }
    }

    /// Forgets all sets, oldest first; those that had failed before were reported then.
    pub(crate) fn drain(&mut self) -> Vec<SubscriptionId> {
        self.by_wire.clear();
        self.by_rows.clear();
        let open = self.sets.drain().filter(|(_, set)| set.stage != Stage::Failed);
        let mut ids: Vec<_> = open.map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids
    }

    /// The name that the next set gets on the wire.
    pub(crate) fn seed(&mut self, next: QuerySetId) {
        self.next_wire = next.0;
    }
}
