//! Running a mutation for the first time, and the state of those that have not ended.

use core::any::TypeId;
use std::fmt;

use super::footprint::Footprint;
use super::ids::{MutationId, Turn};
use super::layer::row_identity::{identity_hash, same_row};
use super::mutation::{Mutation, MutationError};
use super::mutations::{MUTATOR, Pending};
use super::temp_id::{AnyId, NewIds};
use super::tx::{LocalTx, Touch};
use crate::cache::read::epoch::View;
use crate::cache::registration::Registration;
use crate::cache::storage::stamp::Stamp;
use crate::cache::transaction::apply::Applying;
use crate::cache::transaction::diff::Transaction;
use crate::cache::{Cache, SetFailure, TableId};
use crate::guard::Fenced;
use crate::schema::Table;

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
            let mut tx = LocalTx::new(self.reader().read(), self.mutations.refused().to_vec());
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
        let turn = self.mutations.next_turn();
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
        self.mutations.add_footprint(turn, table, footprint);
    }

    /// Gives tables their types, or notes that they have others: each is wanted once.
    pub(super) fn give_types(&mut self, wanted: Vec<Registration>) -> Vec<SetFailure> {
        let mut failed = Vec::new();
        for wanted in wanted {
            match self.register_as(&wanted, &[]) {
                Ok(registered) => failed.extend(registered.failed),
                Err(error) => self.mutations.refuse(wanted.marker(), error),
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
        self.mutations.count_restart();
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
        self.is_applying() && self.mutations.restarts() >= RESTARTS_MAX && !self.waiting
    }

    pub(in crate::cache) fn change_is_over(&mut self) {
        self.mutations.forget_restarts();
    }

    /// Returns `true` if the mutation is pending.
    pub fn has_mutation(&self, id: MutationId) -> bool {
        self.mutations.turns_of(id).next().is_some()
    }

    /// The pending mutations, in order.
    pub fn mutations(&self) -> impl Iterator<Item = MutationId> {
        self.mutations.ids()
    }

    /// Returns `true` if pending mutations have been given temporary ids.
    pub fn has_temp_ids(&self) -> bool {
        self.mutations.has_temp_ids()
    }

    /// Pending mutation that was given this temporary id.
    pub fn temp_id_owner(&self, id: AnyId) -> Option<MutationId> {
        self.mutations.owner(id)
    }

    /// Error for which a pending mutation contributes nothing, if so.
    pub fn mutation_error(&self, id: MutationId) -> Option<&MutationError> {
        let turn = self.mutations.turns_of(id).next()?;
        self.mutations.get(turn)?.error.as_ref()
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
