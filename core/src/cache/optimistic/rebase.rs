//! Running mutations: when they are added, and again when the server's rows change beneath them.

use core::any::{Any, TypeId};
use std::sync::Arc;

use foldhash::HashMap;

use super::tx::{Ran, Reads, Want};
use super::writes::{identity_hash, same_row};
use super::{LocalTx, Mutation, MutationError, MutationId};
use crate::cache::apply::Applying;
use crate::cache::diff::Transaction;
use crate::cache::epoch::{Epoch, Tables, View};
use crate::cache::slots::{RowId, SlotState};
use crate::cache::stamp::Stamp;
use crate::cache::store::TableStore;
use crate::cache::{Cache, SetFailure, TableId};
use crate::schema::{Row, Table};

/// The mutations that have not ended, in order.
#[derive(Default)]
pub(in crate::cache) struct Mutations {
    list: Vec<Pending>,
    /// Tables that a mutation named when they could not be given their types.
    wanted: Vec<Want>,
    /// How often the change under way was started anew because a mutation came in between.
    restarts: u32,
}

struct Pending {
    id: MutationId,
    mutation: Box<dyn Mutation>,
    error: Option<MutationError>,
}

/// What became of a mutation that was added.
#[derive(Debug)]
pub struct Mutated {
    /// What it changed, if anything.
    pub transaction: Transaction,
    /// Sets that ended, because it mentioned a table first whose rows are not what its Rust type says.
    pub failed: Vec<SetFailure>,
    /// Why it contributes nothing, if so. It is pending all the same.
    pub error: Option<MutationError>,
}

/// Whose word a row is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowStatus {
    /// The server's, and it would tell if the row changed.
    Confirmed,
    /// The server's, as it was when it was last heard.
    Stale,
    /// These pending mutations', in their order.
    Pending(Vec<MutationId>),
}

/// How often a change is started anew before it is finished at once.
const RESTARTS_MAX: u32 = 3;

impl Cache {
    /// Adds a mutation behind the others and runs it: its rows are visible when this returns.
    ///
    /// A change under way that has to do with the same tables starts from its beginning, or, after it did so a few
    /// times, ought to be [finished](Self::must_finish_first) before this is called.
    pub fn mutate(&mut self, id: MutationId, mutation: Box<dyn Mutation>) -> Mutated {
        let mut failed = Vec::new();
        let (mut tx, mut result) = self.try_run(id, &*mutation);
        for _ in 0..MENTIONS_MAX {
            let wanted = tx.take_wanted();
            if wanted.is_empty() {
                break;
            }
            match self.give_types(wanted) {
                Ok(more) => failed.extend(more),
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
            (tx, result) = self.try_run(id, &*mutation);
        }
        let error = result.err();
        self.mutations.list.push(Pending { id, mutation, error: error.clone() });
        let ran = tx.into_ran();
        let restart = self.stop_if_touched(&ran);
        let transaction = self.commit_writes(ran);
        if let Some(change) = restart {
            self.begin(change);
        }
        Mutated { transaction, failed, error }
    }

    fn try_run(
        &self,
        id: MutationId,
        mutation: &dyn Mutation,
    ) -> (LocalTx, Result<(), MutationError>) {
        let mut tx = LocalTx::new(self.reader().read());
        let result = tx.run_as(id, |tx| mutation.run(tx));
        (tx, result)
    }

    fn give_types(&mut self, wanted: Vec<Want>) -> Result<Vec<SetFailure>, MutationError> {
        let mut failed = Vec::new();
        for want in wanted {
            failed.extend(want(self)?);
        }
        Ok(failed)
    }

    /// Whether a change under way was interrupted by mutations so often that it should be stepped to its end before
    /// the next one is added.
    pub fn must_finish_first(&self) -> bool {
        self.is_applying() && self.mutations.restarts >= RESTARTS_MAX && !self.waiting
    }

    /// Whether the mutation is pending.
    pub fn has_mutation(&self, id: MutationId) -> bool {
        self.mutations.list.iter().any(|pending| pending.id == id)
    }

    /// The pending mutations, in order.
    pub fn mutations(&self) -> impl Iterator<Item = MutationId> {
        self.mutations.list.iter().map(|pending| pending.id)
    }

    /// Why a pending mutation contributes nothing, if so.
    pub fn mutation_error(&self, id: MutationId) -> Option<&MutationError> {
        let pending = self.mutations.list.iter().find(|pending| pending.id == id)?;
        pending.error.as_ref()
    }

    /// Whose word a row is; none if there is no such row now.
    pub fn row_status<T: Table>(&self, row: &T::Row) -> Option<RowStatus> {
        let store = self.store::<T::Row>(self.table_of::<T>()?)?;
        let hash = identity_hash::<T>(row, &store.snapshot.hasher);
        let is = |other: &T::Row| same_row::<T>(row, other);
        if let Some(by) = store.pending_by(hash, is) {
            return Some(RowStatus::Pending(by.to_vec()));
        }
        let id = store.snapshot.primary.find(hash, |id| {
            let slot = store.slot(RowId(id)).filter(|slot| slot.state() == SlotState::Live)?;
            is(slot.row()?).then_some(RowId(id))
        })?;
        let mut holders = store.lists.members(store.list(id)).iter();
        let stale = holders.all(|(set, _)| self.stale.contains(set));
        Some(if stale { RowStatus::Stale } else { RowStatus::Confirmed })
    }

    /// Gives tables their types that a mutation named while it ran over a change. It has its share from its next run on.
    pub fn register_wanted(&mut self) -> Vec<SetFailure> {
        let wanted = core::mem::take(&mut self.mutations.wanted);
        // A table of another type stays the mutation's error.
        wanted.into_iter().filter_map(|want| want(self).ok()).flatten().collect()
    }

    /// Undoes the change under way, if the mutation's rows are among what it works on.
    fn stop_if_touched(&mut self, ran: &Ran) -> Option<crate::cache::Change> {
        let applying = self.applying.as_ref()?;
        let read =
            ran.reads.keys().filter_map(|&table| self.catalog.by_type.get(table).map(TableId));
        let mut written = ran.writes.iter().filter_map(|writes| writes.table(self));
        let mut named = read.chain(&mut written);
        if !applying.would_show() && !named.any(|table| applying.touches(table)) {
            return None;
        }
        let applying = self.applying.take()?;
        self.undo(&applying);
        self.mutations.restarts += 1;
        Some(applying.into_change())
    }

    fn commit_writes(&mut self, ran: Ran) -> Transaction {
        let version = self.version + 1;
        let touched = self.overlay(ran, Stamp::of(version));
        for &table in &touched {
            self.tables[table.0 as usize].rebase();
        }
        let before = View { epoch: self.shared.current() };
        let horizon = self.horizon();
        if !touched.iter().any(|table| self.tables[table.0 as usize].has_changes()) {
            let view = before.clone();
            return Transaction {
                before: view,
                after: before,
                tables: Vec::new(),
                failed: Vec::new(),
            };
        }
        let finish = |table: &TableId| self.tables[table.0 as usize].finish(version, horizon);
        let tables = touched.iter().filter_map(finish).collect();
        let after = View { epoch: self.publish(version) };
        Transaction { before, after, tables, failed: Vec::new() }
    }

    /// Makes the writes, and notes the reads. The tables that were written, in order.
    fn overlay(&mut self, Ran { writes, reads }: Ran, at: Stamp) -> Vec<TableId> {
        self.watch(reads);
        let mut touched = Vec::new();
        for writes in writes {
            let Some(table) = writes.table(self) else { continue };
            // Two markers of one table.
            if !touched.contains(&table) {
                touched.push(table);
            }
            self.touch(table);
            writes.apply(self, at);
        }
        touched
    }

    fn watch(&mut self, reads: HashMap<TypeId, Reads>) {
        for (table, Reads { hashes, scanned }) in reads {
            if let Some(table) = self.catalog.by_type.get(table) {
                self.tables[table as usize].watch(&mut hashes.into_iter(), scanned);
            }
        }
    }

    pub(super) fn table_of<T: Table>(&self) -> Option<TableId> {
        self.catalog.by_type.get(TypeId::of::<T>()).map(TableId)
    }

    fn store<R: Row>(&self, table: TableId) -> Option<&TableStore<R>> {
        let table: &dyn Any = &**self.tables.get(table.0 as usize)?;
        table.downcast_ref()
    }

    pub(super) fn store_mut<R: Row>(&mut self, table: TableId) -> Option<&mut TableStore<R>> {
        let table: &mut dyn Any = &mut **self.tables.get_mut(table.0 as usize)?;
        table.downcast_mut()
    }
}

/// How often a mutation may name a table that nobody mentioned before, one after the other.
const MENTIONS_MAX: usize = 64;

/// Around a change of the server's.
impl Cache {
    /// Whether the change has to be applied between lifting and rebasing, as far as can be said without looking at
    /// its rows.
    pub(in crate::cache) fn must_lift(&self, applying: &Applying) -> bool {
        !self.mutations.list.is_empty() && applying.ends_or_drops()
    }

    /// Whether changes have to be looked at for what mutations read and wrote.
    pub(in crate::cache) fn has_mutations(&self) -> bool {
        !self.mutations.list.is_empty()
    }

    /// Puts the server's rows back everywhere, for nobody to see.
    pub(in crate::cache) fn lift(&mut self, applying: &mut Applying) {
        let at = Stamp::of(self.version + 1);
        for table in (0..self.tables.len() as u32).map(TableId) {
            let store = &mut self.tables[table.0 as usize];
            if store.has_overlay() {
                store.lift(at);
                applying.add_touched(table);
                self.touch(table);
            }
        }
    }

    /// Runs the mutations that do not end with the change over its rows, and nets what came of both.
    pub(in crate::cache) fn rebase(&mut self, applying: &mut Applying) {
        self.mutations.list.retain(|pending| !applying.ends(pending.id));
        for table in &mut self.tables {
            table.unwatch();
        }
        let ran = self.run_all();
        let written = self.overlay(ran, Stamp::of(self.version + 1));
        written.into_iter().for_each(|table| applying.add_touched(table));
        for &table in applying.touched() {
            self.tables[table.0 as usize].rebase();
        }
    }

    fn run_all(&mut self) -> Ran {
        let mut tx = LocalTx::new(self.unpublished());
        for pending in &mut self.mutations.list {
            pending.error = tx.run_as(pending.id, |tx| pending.mutation.run(tx)).err();
        }
        self.mutations.wanted.extend(tx.take_wanted());
        tx.into_ran()
    }

    /// The tables as they will be when the change under way is published.
    fn unpublished(&self) -> View {
        let current = self.shared.current();
        let mut tables = Tables::clone(&current.tables);
        for (place, table) in self.tables.iter().enumerate() {
            match tables.snapshots.get_mut(place) {
                Some(snapshot) => *snapshot = table.peek(),
                None => tables.snapshots.push(table.peek()),
            }
        }
        tables.catalog = Arc::clone(&self.catalog);
        View { epoch: Arc::new(Epoch::new(self.version + 1, Arc::new(tables))) }
    }

    pub(in crate::cache) fn change_is_over(&mut self) {
        self.mutations.restarts = 0;
    }
}

impl core::fmt::Debug for Mutations {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.list.iter().map(|pending| pending.id)).finish()
    }
}
