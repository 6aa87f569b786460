//! Query sets: what the application wants, how far the server is with it, and who owns which rows of the cache.
//!
//! Two things move at different times. A set's [`Stage`] moves when a message is received or a command is given; its rows
//! move when the change that brings or drops them is committed, which may be many steps later. Three rules keep them
//! together:
//!
//! - Changes of the cache are made in the order in which they are queued, and a stage says what holds when all of them
//!   have been made. So a command is decided against the end of the queue, and queues its own change behind it.
//! - The cache knows rows by names of the machine's own ([`SetId`]). From its making on, a name is owned by one set. It
//!   leaves its set as [`Released`], for which a drop is queued: behind everything that may still bring rows in under it.
//! - A change that brings a set's rows in carries an [`Arrival`]: which set, under which name, in place of which other.
//!   When the change is committed the arrival is checked against the owner; rows without an owner are dropped.
//!
//! Transitions are methods here, and give back what is left to be done; nothing else sets a stage.

mod net;
mod outcome;
mod release;
pub(super) mod resync;
mod set;
pub(super) mod verify;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::cache::SetId;
use crate::wire::QuerySetId;

pub(crate) use self::outcome::{Answer, Arrival, Destination, End, Ended, Orphan, Refused, Route};
pub(crate) use self::release::Released;
pub(crate) use self::set::{QuerySet, Stage, queries_bytes};

/// One query set as the application knows it: the same over all reconnects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId(pub u32);

/// All query sets that are not over.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    /// Bytes that `sets` take.
    bytes: usize,
    next: u32,
    next_rows: u32,
    next_wire: u32,
    // The keys are numbers of our own, so the hashes need no secret.
    sets: HashMap<SubscriptionId, QuerySet, FixedState>,
    /// The sets that the server knows, by the name that it knows them by.
    by_wire: HashMap<QuerySetId, SubscriptionId, FixedState>,
    /// The owner of each name of rows.
    by_rows: HashMap<SetId, SubscriptionId, FixedState>,
    /// Names of rows that stay readable after the end of the connection.
    retained: Vec<SetId>,
}

/// Making and looking up.
impl Subscriptions {
    pub(crate) fn add(&mut self, queries: Vec<Box<str>>) -> SubscriptionId {
        let id = self.next_id();
        let rows = self.name_rows(id);
        self.insert(id, QuerySet::new(queries, Stage::Waiting, rows));
        id
    }

    /// Adds a set whose rows are in the cache, as they were some time ago.
    pub(crate) fn add_stale(&mut self, queries: Vec<Box<str>>, rows: SetId) -> SubscriptionId {
        let id = self.next_id();
        self.by_rows.insert(rows, id);
        self.insert(id, QuerySet::new(queries, Stage::Stale, rows));
        id
    }

    fn insert(&mut self, id: SubscriptionId, set: QuerySet) {
        self.bytes += set.bytes();
        self.sets.insert(id, set);
    }

    /// Memory of the sets that are not over.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// As [`bytes`](Self::bytes), counted anew.
    pub(crate) fn recounted_bytes(&self) -> usize {
        self.sets.values().map(QuerySet::bytes).sum()
    }

    /// The number of a set that is over before it begins.
    pub(crate) fn skip(&mut self) -> SubscriptionId {
        self.next_id()
    }

    /// A name for rows of no set yet.
    pub(crate) fn reserve_rows(&mut self) -> SetId {
        let rows = SetId(self.next_rows);
        self.next_rows += 1;
        rows
    }

    fn next_id(&mut self) -> SubscriptionId {
        let id = SubscriptionId(self.next);
        self.next += 1;
        id
    }

    fn name_rows(&mut self, id: SubscriptionId) -> SetId {
        let rows = self.reserve_rows();
        self.by_rows.insert(rows, id);
        rows
    }

    /// The name that the next set gets on the wire.
    pub(crate) fn seed(&mut self, next: QuerySetId) {
        self.next_wire = next.0;
    }

    /// A name on the wire for one more set.
    pub(crate) fn new_wire(&mut self) -> QuerySetId {
        let wire = QuerySetId(self.next_wire);
        self.next_wire = self.next_wire.wrapping_add(1);
        wire
    }

    pub(crate) fn get(&self, id: SubscriptionId) -> Option<&QuerySet> {
        self.sets.get(&id)
    }

    pub(crate) fn stage(&self, id: SubscriptionId) -> Option<Stage> {
        Some(self.sets.get(&id)?.stage)
    }

    /// The set that the server calls `wire`.
    fn by_wire(&self, wire: QuerySetId) -> Option<(SubscriptionId, &QuerySet)> {
        let id = *self.by_wire.get(&wire)?;
        Some((id, self.sets.get(&id)?))
    }

    /// The set that owns the rows of this name.
    pub(crate) fn by_rows(&self, rows: SetId) -> Option<SubscriptionId> {
        self.by_rows.get(&rows).copied()
    }

    /// Returns `true` if the rows of this name are a set's that has none yet.
    pub(crate) fn is_early(&self, rows: SetId) -> bool {
        let set = self.by_rows(rows).and_then(|id| self.sets.get(&id));
        set.is_some_and(|set| matches!(set.stage, Stage::Waiting | Stage::Sent))
    }

    /// Returns `true` if the rows of this name are, or will be, as the server has them.
    pub(crate) fn keeps_in_step(&self, rows: SetId) -> bool {
        let set = self.by_rows(rows).and_then(|id| self.sets.get(&id));
        set.is_some_and(|set| set.is_in_step() && set.latest() == rows)
    }

    /// The names that are owned, and whether their rows, if there are any, are stale.
    pub(crate) fn names(&self) -> impl Iterator<Item = (SetId, bool)> {
        let names = self.by_rows.iter();
        names.filter_map(|(rows, id)| Some((*rows, self.sets.get(id)?.is_stale(*rows))))
    }

    /// Returns `true` if the rows of this name stay readable after the end of the connection.
    pub(crate) fn retains(&self, rows: SetId) -> bool {
        self.retained.contains(&rows)
    }

    /// Returns `true` if the server has not answered everything that was asked of it.
    pub(crate) fn any_unanswered(&self) -> bool {
        let waits = |stage| match stage {
            Stage::Sent | Stage::Resyncing | Stage::Ending { .. } | Stage::Failed => true,
            Stage::Waiting | Stage::Applied | Stage::Stale | Stage::Answered => false,
        };
        self.sets.values().any(|set| waits(set.stage))
    }

    /// The sets that are at a stage, oldest first.
    pub(crate) fn at(&self, stage: Stage) -> Vec<SubscriptionId> {
        let sets = self.sets.iter().filter(|(_, set)| set.stage == stage);
        let mut ids: Vec<_> = sets.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }
}

/// Asking, and being answered.
impl Subscriptions {
    /// Names a set for the wire, and marks it sent; one with stale rows gets a name for the new ones.
    pub(crate) fn send(&mut self, id: SubscriptionId) -> Option<(QuerySetId, &[Box<str>])> {
        let resyncs = self.stage(id)? == Stage::Stale;
        let incoming = resyncs.then(|| self.name_rows(id));
        let wire = self.new_wire();
        self.by_wire.insert(wire, id);
        let set = self.sets.get_mut(&id)?;
        set.stage = if resyncs { Stage::Resyncing } else { Stage::Sent };
        set.incoming = incoming;
        set.wire = Some(wire);
        Some((wire, &set.queries))
    }

    /// The server has answered with a set's rows.
    pub(crate) fn answered(&mut self, wire: QuerySetId) -> Answer {
        let Some(&id) = self.by_wire.get(&wire) else { return Answer::Unknown };
        let Some(set) = self.sets.get_mut(&id) else { return Answer::Unknown };
        match (set.stage, set.incoming) {
            (Stage::Sent, _) => {
                set.stage = Stage::Applied;
                Answer::First(Arrival { set: id, rows: set.rows, replaces: None })
            }
            (Stage::Resyncing, Some(rows)) => {
                set.stage = Stage::Answered;
                Answer::Again(Arrival { set: id, rows, replaces: Some(set.rows) })
            }
            (Stage::Ending { holds_rows: false } | Stage::Failed, _) => Answer::Unwanted,
            _ => Answer::Twice,
        }
    }

    /// The change that brings in the rows of a set that was asked for again is about to be queued. False if the set has
    /// left meanwhile: then its rows are not to be in that change.
    pub(crate) fn join(&mut self, arrival: &Arrival) -> bool {
        let Some(set) = self.sets.get_mut(&arrival.set) else { return false };
        let joins = set.stage == Stage::Answered && set.incoming == Some(arrival.rows);
        if joins {
            set.stage = Stage::Applied;
        }
        joins
    }

    /// The change with these rows is committed. False if they have no owner any more: then they are to be dropped.
    #[must_use]
    pub(crate) fn arrived(&mut self, arrival: &Arrival) -> bool {
        if self.by_rows(arrival.rows) != Some(arrival.set) {
            return false;
        }
        let Some(set) = self.sets.get_mut(&arrival.set) else { return false };
        if set.incoming == Some(arrival.rows) {
            self.by_rows.remove(&set.rows);
            set.rows = arrival.rows;
            set.incoming = None;
        }
        true
    }

    /// The change with these rows is not made: the set has what it had, if that was anything.
    pub(crate) fn missed(&mut self, arrival: &Arrival) {
        let Some(set) = self.sets.get_mut(&arrival.set) else { return };
        if set.incoming == Some(arrival.rows) {
            set.incoming = None;
            self.by_rows.remove(&arrival.rows);
        } else if arrival.replaces.is_none() && set.rows == arrival.rows {
            set.unanswer();
        }
    }

    /// Routes the server's changes of a set.
    pub(crate) fn route(&self, wire: QuerySetId) -> Route {
        let Some((_, set)) = self.by_wire(wire) else { return Route::Unknown };
        let to = |rows| Destination { rows, may_repeat: set.may_repeat };
        match set.stage {
            Stage::Applied | Stage::Ending { holds_rows: true } => Route::Cache(to(set.latest())),
            Stage::Resyncing | Stage::Answered => {
                set.incoming.map_or(Route::Nowhere, |rows| Route::Gathered(to(rows)))
            }
            _ => Route::Nowhere,
        }
    }
}

/// Ending.
impl Subscriptions {
    /// The application lets go of a set.
    pub(crate) fn end(&mut self, id: SubscriptionId) -> End {
        let Some(set) = self.sets.get_mut(&id) else { return End::Nothing };
        let holds_rows = set.stage == Stage::Applied;
        match (set.stage, set.wire) {
            (Stage::Ending { .. } | Stage::Failed, _) => End::Nothing,
            (Stage::Sent | Stage::Applied, Some(wire)) => {
                set.stage = Stage::Ending { holds_rows };
                End::Asked(wire)
            }
            // Its old rows go now, its new ones never come in; the server still has to let go of it.
            (Stage::Resyncing | Stage::Answered, Some(wire)) => {
                End::Over { rows: self.disown(id), wire: Some(wire) }
            }
            _ => End::Over { rows: self.remove(id), wire: None },
        }
    }

    /// Rows of a set cannot be had: it is over here. None if it is over already.
    pub(crate) fn fail(&mut self, id: SubscriptionId) -> Option<End> {
        let set = self.sets.get(&id)?;
        Some(match (set.stage, set.wire) {
            (Stage::Failed, _) => return None,
            // The server has been told.
            (Stage::Ending { .. }, Some(_)) => End::Over { rows: self.disown(id), wire: None },
            (_, Some(wire)) => End::Over { rows: self.disown(id), wire: Some(wire) },
            (_, None) => End::Over { rows: self.remove(id), wire: None },
        })
    }

    /// The application lets go of a set, and of all that is still to come of it. None if it is over already.
    pub(crate) fn end_now(&mut self, id: SubscriptionId) -> Option<End> {
        self.fail(id)
    }

    /// The server says that a set is over.
    pub(crate) fn ended(&mut self, wire: QuerySetId) -> Ended {
        let Some((id, set)) = self.by_wire(wire) else { return Ended::Unknown };
        match set.stage {
            Stage::Ending { .. } => Ended::Over(id, self.remove(id)),
            Stage::Failed => {
                let owned = self.remove(id);
                debug_assert!(owned.is_empty(), "its rows were released when it failed");
                Ended::Failed
            }
            _ => Ended::Unasked,
        }
    }

    /// The server refuses a set, or cannot keep it up.
    pub(crate) fn refused(&mut self, wire: QuerySetId) -> Refused {
        let Some((id, set)) = self.by_wire(wire) else { return Refused::Unknown };
        match set.stage {
            Stage::Resyncing | Stage::Answered => {
                self.keep_old(id);
                Refused::KeepsRows(id)
            }
            Stage::Failed => {
                let owned = self.remove(id);
                debug_assert!(owned.is_empty(), "its rows were released when it failed");
                Refused::Unknown
            }
            stage => {
                let was_ending = matches!(stage, Stage::Ending { .. });
                Refused::Over { set: id, rows: self.remove(id), was_ending }
            }
        }
    }

    /// A set that was asked for again keeps what it has. Nothing is queued under its other name.
    fn keep_old(&mut self, id: SubscriptionId) {
        let Some(set) = self.sets.get_mut(&id) else { return };
        set.stage = Stage::Stale;
        if let Some(rows) = set.incoming.take() {
            self.by_rows.remove(&rows);
        }
        if let Some(wire) = set.wire.take() {
            self.by_wire.remove(&wire);
        }
    }

    /// The rows of a stale set are gone: it is as if it had just been asked for. False if it is not stale.
    pub(crate) fn start_over(&mut self, id: SubscriptionId) -> bool {
        if self.stage(id) != Some(Stage::Stale) {
            return false;
        }
        let rows = self.name_rows(id);
        if let Some(set) = self.sets.get_mut(&id) {
            self.by_rows.remove(&set.rows);
            (set.rows, set.stage) = (rows, Stage::Waiting);
        }
        true
    }

    /// Every set is as if it had just been made: there is no server that knows of it, and its rows are to be dropped. Gives the
    /// names of all rows that any had, and the sets that were about to end, which have. Oldest first.
    pub(crate) fn restart(&mut self) -> (Vec<SetId>, Vec<SubscriptionId>) {
        self.by_wire.clear();
        let mut names: Vec<_> = self.by_rows.drain().map(|(rows, _)| rows).collect();
        names.sort_unstable();
        let over = |stage| matches!(stage, Stage::Ending { .. } | Stage::Failed);
        let gone = self.sets.extract_if(|_, set| over(set.stage));
        let mut ended: Vec<_> =
            gone.filter(|(_, set)| set.stage != Stage::Failed).map(|(id, _)| id).collect();
        ended.sort_unstable();
        let mut ids: Vec<_> = self.sets.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let rows = self.name_rows(id);
            if let Some(set) = self.sets.get_mut(&id) {
                *set = QuerySet::new(std::mem::take(&mut set.queries), Stage::Waiting, rows);
            }
        }
        self.bytes = self.recounted_bytes();
        (names, ended)
    }

    /// Takes its rows from a set that the server still has.
    fn disown(&mut self, id: SubscriptionId) -> Released {
        let Some(set) = self.sets.get_mut(&id) else { return Released::default() };
        let names = [Some(set.rows), set.incoming.take()];
        let holds_rows = set.holds_rows();
        set.stage = Stage::Failed;
        for rows in names.into_iter().flatten() {
            self.by_rows.remove(&rows);
        }
        if holds_rows { Released::new(names) } else { Released::default() }
    }

    /// Forgets a set.
    fn remove(&mut self, id: SubscriptionId) -> Released {
        let released = self.disown(id);
        let set = self.sets.remove(&id);
        self.bytes -= set.as_ref().map_or(0, QuerySet::bytes);
        if let Some(wire) = set.and_then(|set| set.wire) {
            self.by_wire.remove(&wire);
        }
        released
    }

    /// The connection is gone, and with it all that the server knew. Nothing is queued that brings rows in. Oldest first.
    pub(crate) fn orphan(&mut self) -> Vec<Orphan> {
        self.by_wire.clear();
        let mut ids: Vec<_> = self.sets.keys().copied().collect();
        ids.sort_unstable();
        ids.into_iter().filter_map(|id| self.orphan_one(id)).collect()
    }

    fn orphan_one(&mut self, id: SubscriptionId) -> Option<Orphan> {
        let set = self.sets.get_mut(&id)?;
        set.wire = None;
        match set.stage {
            Stage::Waiting => None,
            Stage::Sent => {
                set.stage = Stage::Waiting;
                None
            }
            Stage::Applied | Stage::Stale | Stage::Resyncing | Stage::Answered => {
                let rows = set.rows;
                self.keep_old(id);
                Some(Orphan::Stale(rows))
            }
            Stage::Ending { .. } => Some(Orphan::Ended(id, self.remove(id))),
            Stage::Failed => {
                let owned = self.remove(id);
                debug_assert!(owned.is_empty(), "its rows were released when it failed");
                None
            }
        }
    }

    /// Forgets all sets, oldest first; those that had failed before were reported then. Their rows stay readable.
    pub(crate) fn drain(&mut self) -> Vec<SubscriptionId> {
        self.by_wire.clear();
        self.retained.extend(self.by_rows.drain().map(|(rows, _)| rows));
        self.bytes = 0;
        let open = self.sets.drain().filter(|(_, set)| set.stage != Stage::Failed);
        let mut ids: Vec<_> = open.map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids
    }
}
