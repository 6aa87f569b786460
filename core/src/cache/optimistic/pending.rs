//! The mutations that have not ended, running one for the first time, and what is to be known of them.

use core::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use foldhash::HashMap;

use super::footprint::{Footprint, Turn};
use super::new_ids::Handed;
use super::temp_id::{AnyId, NewIds};
use super::tx::writes::{identity_hash, same_row};
use super::tx::{Touch, Want};
use super::{LocalTx, Mutation, MutationError, MutationId};
use crate::cache::read::epoch::View;
use crate::cache::storage::stamp::Stamp;
use crate::cache::transaction::apply::Applying;
use crate::cache::transaction::diff::Transaction;
use crate::cache::{Cache, RegisterError, SetFailure, TableId};
use crate::guard::Fenced;
use crate::schema::Table;

/// The mutations that have not ended, in order.
#[derive(Default)]
pub(in crate::cache) struct Mutations {
    list: BTreeMap<Turn, Pending>,
    /// Those that name temporary ids of others.
    naming: BTreeSet<Turn>,
    /// Owners of temporary ids.
    handed: HashMap<AnyId, Turn>,
    by_id: BTreeSet<(MutationId, Turn)>,
    next: u64,
    /// Tables that mutations named and that have other types.
    pub(super) refused: Vec<(TypeId, RegisterError)>,
    /// Number of times that the change under way was started anew because a mutation came in between.
    restarts: u32,
    /// Those that have to run again with the next change: a table that they read or wrote started over.
    rerun: BTreeSet<Turn>,
}

pub(super) struct Pending {
    pub(super) id: MutationId,
    /// Number that distinguishes its temporary ids from those of others.
    pub(super) number: u64,
    pub(super) mutation: Fenced<Box<dyn Mutation>>,
    /// A row type panicked over what it wrote: it does not run again.
    pub(super) is_silenced: bool,
    pub(super) error: Option<MutationError>,
    pub(super) footprints: Vec<(TableId, Footprint)>,
    pub(super) handed: Handed,
}

/// Result of a mutation that ran again.
pub(super) struct Ran {
    pub(super) turn: Turn,
    pub(super) footprints: Vec<(TableId, Footprint)>,
    pub(super) handed: Handed,
    pub(super) result: Result<(), MutationError>,
}

impl Mutations {
    fn add(&mut self, turn: Turn, pending: Pending) {
        self.by_id.insert((pending.id, turn));
        if pending.mutation.get().is_some_and(|mutation| mutation.names_ids()) {
            self.naming.insert(turn);
        }
        self.handed.extend(pending.handed.ids.iter().map(|id| (*id, turn)));
        self.list.insert(turn, pending);
    }

    /// Those that name temporary ids of others.
    pub(super) fn naming(&self) -> impl Iterator<Item = (Turn, &Pending)> {
        self.naming.iter().filter_map(|turn| Some((*turn, self.list.get(turn)?)))
    }

    /// Puts a mutation in the place of one, which comes to the same but for ids that it names.
    pub(super) fn rebind(&mut self, turn: Turn, mutation: Box<dyn Mutation>) {
        if !mutation.names_ids() {
            self.naming.remove(&turn);
        }
        if let Some(pending) = self.list.get_mut(&turn) {
            pending.mutation = Fenced::new(MUTATOR, mutation);
        }
    }

    pub(super) fn turns_of(&self, id: MutationId) -> impl Iterator<Item = Turn> {
        let turns = (id, Turn(0))..=(id, Turn(u64::MAX));
        self.by_id.range(turns).map(|&(_, turn)| turn)
    }

    pub(super) fn get(&self, turn: Turn) -> Option<&Pending> {
        self.list.get(&turn)
    }

    pub(super) fn footprints_of(&self, turn: Turn) -> &[(TableId, Footprint)] {
        self.list.get(&turn).map_or(&[], |pending| &pending.footprints)
    }

    pub(super) fn turns(&self) -> impl Iterator<Item = Turn> {
        self.list.keys().copied()
    }

    pub(super) fn remove(&mut self, turn: Turn) -> Option<Pending> {
        let pending = self.list.remove(&turn)?;
        self.by_id.remove(&(pending.id, turn));
        self.naming.remove(&turn);
        for id in &pending.handed.ids {
            self.handed.remove(id);
        }
        Some(pending)
    }

    /// Notes what became of one that ran again; what it read and wrote before is returned.
    pub(super) fn ran(&mut self, ran: Ran) -> Vec<(TableId, Footprint)> {
        let Some(pending) = self.list.get_mut(&ran.turn) else { return Vec::new() };
        for id in &pending.handed.ids {
            self.handed.remove(id);
        }
        self.handed.extend(ran.handed.ids.iter().map(|id| (*id, ran.turn)));
        pending.handed = ran.handed;
        pending.error = ran.result.err();
        core::mem::replace(&mut pending.footprints, ran.footprints)
    }

    /// Sees to it that a mutation does not run again.
    pub(super) fn silence(&mut self, turn: Turn, message: &str) {
        if let Some(pending) = self.list.get_mut(&turn) {
            pending.error = Some(MutationError::Panicked(message.into()));
            pending.is_silenced = true;
            self.rerun.insert(turn);
        }
    }

    /// A table starts over because its row type panicked: what mutations did there is gone. Those that wrote to it may be
    /// why, and do not run again.
    pub(in crate::cache) fn table_started_over(&mut self, table: TableId, message: &str) {
        let mut wrote = Vec::new();
        for (&turn, pending) in &mut self.list {
            let before = pending.footprints.len();
            wrote.extend(
                pending
                    .footprints
                    .iter()
                    .any(|(of, footprint)| *of == table && !footprint.written().is_empty())
                    .then_some(turn),
            );
            pending.footprints.retain(|(of, _)| *of != table);
            if pending.footprints.len() < before {
                self.rerun.insert(turn);
            }
        }
        wrote.into_iter().for_each(|turn| self.silence(turn, message));
    }

    pub(super) fn to_rerun(&self) -> impl Iterator<Item = Turn> {
        self.rerun.iter().copied()
    }

    pub(super) fn have_rerun(&mut self) {
        self.rerun.clear();
    }

    pub(in crate::cache) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// Result of adding a mutation.
#[derive(Debug)]
pub struct Mutated {
    /// Changes that it made, if any.
    pub transaction: Transaction,
    /// Sets that ended, because it mentioned a table first whose rows are not what its Rust type says.
    pub failed: Vec<SetFailure>,
    /// Error, if it contributes nothing. It is pending all the same.
    pub error: Option<MutationError>,
}

/// Origin of a row: the server, or a mutation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowStatus {
    /// The server's, and kept up to date by it.
    Confirmed,
    /// The server's, as it was when it was last heard.
    Stale,
    /// These pending mutations', in their order.
    Pending(Vec<MutationId>),
}

impl fmt::Display for RowStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confirmed => f.write_str("the server's"),
            Self::Stale => f.write_str("the server's, as it was when it was last heard"),
            Self::Pending(mutations) => {
                write!(f, "expected of {} calls that are not answered", mutations.len())
            }
        }
    }
}

/// Number of times that a change is started anew before it is finished at once.
const RESTARTS_MAX: u32 = 3;

/// The name of panics of mutations, where these are dropped.
const MUTATOR: &str = "mutator";

impl Cache {
    /// Adds a mutation behind the others and runs it: its rows are visible when this returns.
    ///
    /// A change under way that has to do with the same tables starts from its beginning, or, after it did so a few
    /// times, ought to be [finished](Self::must_finish_first) before this is called.
    pub fn mutate(&mut self, id: MutationId, mutation: Box<dyn Mutation>) -> Mutated {
        self.mutate_numbered(id, id.0, mutation)
    }

    /// As [`mutate`](Self::mutate), with the number that distinguishes the mutation's temporary ids from those of others:
    /// the same number gives the same ids, and greater ones give greater ids.
    pub fn mutate_numbered(
        &mut self,
        id: MutationId,
        number: u64,
        mutation: Box<dyn Mutation>,
    ) -> Mutated {
        let mutation = Fenced::new(MUTATOR, mutation);
        let mutated = self.fenced(|cache| cache.run_first((id, number), mutation));
        mutated.unwrap_or_else(|| Mutated {
            transaction: self.empty_transaction(),
            failed: Vec::new(),
            error: Some(MutationError::Panicked("code of a row type".into())),
        })
    }

    fn run_first(
        &mut self,
        (id, number): (MutationId, u64),
        mutation: Fenced<Box<dyn Mutation>>,
    ) -> Mutated {
        let mut failed = Vec::new();
        let (result, touches, handed) = loop {
            let mut tx = LocalTx::new(self.reader().read(), self.mutations.refused.clone());
            let result = match mutation.get() {
                Some(mutation) => tx.run((id, number), &**mutation),
                None => Ok(()),
            };
            let wanted = tx.take_wanted();
            if wanted.is_empty() {
                break (result, tx.take_touches(), tx.take_handed());
            }
            failed.extend(self.give_types(wanted));
        };
        let restart = self.stop_if_touched(&touches);
        let turn = Turn(self.mutations.next);
        self.mutations.next += 1;
        let tables: Vec<_> = touches.iter().map(|touch| touch.table).collect();
        let (error, footprints, is_silenced) = (result.err(), Vec::new(), false);
        let pending = Pending { id, number, mutation, is_silenced, error, footprints, handed };
        self.mutations.add(turn, pending);
        touches.into_iter().for_each(|touch| self.enter(turn, touch));
        let transaction = self.commit_writes(&tables);
        let error = self.mutations.get(turn).and_then(|pending| pending.error.clone());
        self.resume(restart);
        Mutated { transaction, failed, error }
    }

    /// Notes what a mutation did to a table when it ran for the first time.
    fn enter(&mut self, turn: Turn, touch: Touch) {
        let Touch { table, reads, writes } = touch;
        self.tables.touch(table);
        let written = self.fenced(|cache| {
            cache.name(table);
            let store = &mut cache.tables[table];
            writes.map_or_else(Vec::new, |writes| writes.push(store, turn))
        });
        if written.is_none() {
            let recent = self.resets.take_recent().pop().map(|(_, reason)| reason.to_string());
            self.mutations.silence(turn, &recent.unwrap_or_default());
        }
        let footprint = Footprint::new(reads, written.unwrap_or_default());
        self.tables[table].any_layer().watch(turn, &footprint);
        if let Some(pending) = self.mutations.list.get_mut(&turn) {
            pending.footprints.push((table, footprint));
        }
    }

    /// Gives tables their types, or notes that they have others: each is wanted once.
    pub(super) fn give_types(&mut self, wanted: Vec<Want>) -> Vec<SetFailure> {
        let mut failed = Vec::new();
        for Want { marker, register } in wanted {
            match register(self) {
                Ok(more) => failed.extend(more),
                Err(error) => self.mutations.refused.push((marker, error)),
            }
        }
        failed
    }

    /// Undoes the change under way, if the mutation's rows are among what it works on.
    fn stop_if_touched(&mut self, touches: &[Touch]) -> Option<Applying> {
        let applying = self.applying.as_ref()?;
        let touches = touches.iter().any(|touch| applying.touches(touch.table));
        if !applying.would_show() && !touches {
            return None;
        }
        self.mutations.restarts += 1;
        self.suspend()
    }

    /// Shows what was written to these tables.
    fn commit_writes(&mut self, touched: &[TableId]) -> Transaction {
        let version = self.versions.next();
        let mut moved = false;
        for &table in touched {
            moved |= self.show_layer(table, Stamp::of(version));
        }
        let mut tables = self.publish_resets();
        let before = self.versions.view();
        if !moved && tables.is_empty() {
            let view = before.clone();
            return Transaction {
                before: view,
                after: before,
                tables: Vec::new(),
                failed: Vec::new(),
                new_ids: NewIds::default(),
            };
        }
        let horizon = self.versions.horizon();
        let finish = |table: &TableId| self.tables[*table].finish(version, horizon);
        tables.extend(touched.iter().filter_map(finish));
        let after = View { epoch: self.publish(version) };
        Transaction { before, after, tables, failed: Vec::new(), new_ids: NewIds::default() }
    }

    /// Returns `true` if a change under way was interrupted by mutations so often that it should be stepped to its end
    /// before the next one is added.
    pub fn must_finish_first(&self) -> bool {
        self.is_applying() && self.mutations.restarts >= RESTARTS_MAX && !self.waiting
    }

    pub(in crate::cache) fn change_is_over(&mut self) {
        self.mutations.restarts = 0;
    }

    /// Returns `true` if the mutation is pending.
    pub fn has_mutation(&self, id: MutationId) -> bool {
        self.mutations.turns_of(id).next().is_some()
    }

    /// The pending mutations, in order.
    pub fn mutations(&self) -> impl Iterator<Item = MutationId> {
        self.mutations.list.values().map(|pending| pending.id)
    }

    /// Returns `true` if pending mutations have been given temporary ids.
    pub fn has_temp_ids(&self) -> bool {
        !self.mutations.handed.is_empty()
    }

    /// Pending mutation that was given this temporary id.
    pub fn temp_id_owner(&self, id: AnyId) -> Option<MutationId> {
        let turn = self.mutations.handed.get(&id)?;
        self.mutations.list.get(turn).map(|pending| pending.id)
    }

    /// Error for which a pending mutation contributes nothing, if so.
    pub fn mutation_error(&self, id: MutationId) -> Option<&MutationError> {
        let turn = self.mutations.turns_of(id).next()?;
        self.mutations.list.get(&turn)?.error.as_ref()
    }

    /// Origin of a row; none if there is no such row now.
    pub fn row_status<T: Table>(&self, row: &T::Row) -> Option<RowStatus> {
        let store = self.tables.typed::<T::Row>(self.table_of::<T>()?)?;
        let rows = store.rows();
        let hash = identity_hash::<T::Row>(row, rows.is_keyed(), rows.indexes().hasher());
        let is = |other: &T::Row| same_row::<T::Row>(row, other, rows.is_keyed());
        if let Some(writers) = store.overlay().shown_writers(rows, row) {
            let pending = writers.into_iter().filter_map(|turn| self.mutations.get(turn));
            return Some(RowStatus::Pending(pending.map(|pending| pending.id).collect()));
        }
        let id = rows.find_live(hash, is)?;
        let holders = rows.membership().members(id);
        // No set holds a row that a change under way deletes.
        let stale = !holders.is_empty() && holders.iter().all(|(set, _)| self.sets.is_stale(*set));
        Some(if stale { RowStatus::Stale } else { RowStatus::Confirmed })
    }

    pub(super) fn table_of<T: Table>(&self) -> Option<TableId> {
        self.tables.of_type(TypeId::of::<T>())
    }
}

impl core::fmt::Debug for Mutations {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.list.values().map(|pending| pending.id)).finish()
    }
}
