//! Query sets: what the application wants, and how far the server is with it. Pure bookkeeping.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::cache::SetId;
use crate::wire::QuerySetId;

/// All query sets that are not over.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    next_set: u32,
    next_wire: u32,
    // The keys are numbers of our own, so the hashes need no secret.
    sets: HashMap<SetId, QuerySet, FixedState>,
    /// The sets that the server knows, by the name that it knows them by.
    by_wire: HashMap<QuerySetId, SetId, FixedState>,
}

/// One query set.
#[derive(Debug)]
pub(crate) struct QuerySet {
    pub(crate) queries: Vec<Box<str>>,
    pub(crate) stage: Stage,
    /// Its name on this connection, once it was sent.
    pub(crate) wire: Option<QuerySetId>,
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
    /// The application ended it, and the server has not confirmed that. Until then it is kept in step if it holds rows.
    Ending {
        /// Whether its rows are in the cache.
        holds_rows: bool,
    },
    /// It failed here, its rows are gone, and the server has not confirmed yet that it sends no more of it.
    Failed,
}

impl Stage {
    /// Whether the server's updates of the set are to be applied.
    pub(crate) fn follows_updates(self) -> bool {
        matches!(self, Self::Applied | Self::Ending { holds_rows: true })
    }
}

impl Subscriptions {
    pub(crate) fn add(&mut self, queries: Vec<Box<str>>) -> SetId {
        let id = SetId(self.next_set);
        self.next_set += 1;
        self.sets.insert(id, QuerySet { queries, stage: Stage::Waiting, wire: None });
        id
    }

    pub(crate) fn get(&self, id: SetId) -> Option<&QuerySet> {
        self.sets.get(&id)
    }

    pub(crate) fn stage(&self, id: SetId) -> Option<Stage> {
        self.sets.get(&id).map(|set| set.stage)
    }

    pub(crate) fn set_stage(&mut self, id: SetId, stage: Stage) {
        if let Some(set) = self.sets.get_mut(&id) {
            set.stage = stage;
        }
    }

    /// The set that the server calls `wire`, and how far it is.
    pub(crate) fn by_wire(&self, wire: QuerySetId) -> Option<(SetId, Stage)> {
        let id = *self.by_wire.get(&wire)?;
        Some((id, self.sets.get(&id)?.stage))
    }

    /// The sets that wait for a connection, oldest first.
    pub(crate) fn waiting(&self) -> Vec<SetId> {
        let waiting = self.sets.iter().filter(|(_, set)| set.stage == Stage::Waiting);
        let mut ids: Vec<SetId> = waiting.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    /// Names a waiting set for the wire and marks it sent.
    pub(crate) fn send(&mut self, id: SetId) -> Option<(QuerySetId, &[Box<str>])> {
        let set = self.sets.get_mut(&id)?;
        let wire = QuerySetId(self.next_wire);
        self.next_wire = self.next_wire.wrapping_add(1);
        set.stage = Stage::Sent;
        set.wire = Some(wire);
        self.by_wire.insert(wire, id);
        Some((wire, &set.queries))
    }

    /// Forgets a set; says whether there was one.
    pub(crate) fn remove(&mut self, id: SetId) -> bool {
        let Some(set) = self.sets.remove(&id) else { return false };
        if let Some(wire) = set.wire {
            self.by_wire.remove(&wire);
        }
        true
    }

    /// Forgets all sets, oldest first; those that had failed before were reported then.
    pub(crate) fn drain(&mut self) -> Vec<SetId> {
        self.by_wire.clear();
        let open = self.sets.drain().filter(|(_, set)| set.stage != Stage::Failed);
        let mut ids: Vec<SetId> = open.map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids
    }

    /// The name that the next set gets on the wire.
    pub(crate) fn seed(&mut self, next: QuerySetId) {
        self.next_wire = next.0;
    }
}
