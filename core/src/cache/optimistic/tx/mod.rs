//! Transactions of mutations: reads and writes of the one that runs.

pub(super) mod local_table;
mod locate;
mod running;
pub(super) mod writes;

use core::any::TypeId;
use core::borrow::Borrow;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::hash::Hash;
use std::collections::BTreeMap;

use foldhash::HashMap;

use self::local_table::{LocalTable, LocalTableMut};
use self::writes::AnyWrites;
use super::footprint::Reads;
use super::ids::MutationId;
use super::ids::Turn;
use super::layer::any::AnyLayer;
use super::mutation::MutationError;
use super::new_ids::{Claim, Condition, Handed};
use super::temp_id::TempId;
use crate::cache::error::RegisterError;
use crate::cache::read::view::TableView;
use crate::cache::registration::Registration;
use crate::cache::{TableId, View};
use crate::schema::{Column, FindIn, HasKey, Row, Table};

/// A transaction of a mutation's: it reads what readers see and what mutations before it and it itself wrote, and its
/// writes are kept if it does not fail.
///
/// Failing does not end the closure, it only makes the transaction void: so that `tx.insert(row)` needs no `?`.
pub struct LocalTx {
    view: View,
    mutation: MutationId,
    /// Number that distinguishes its temporary ids from those of others.
    number: u64,
    handed: Handed,
    /// Other mutations' writes, for one that runs again: it must not see those after it. What the last one finds is
    /// what readers see.
    layers: Option<Layers>,
    writes: HashMap<TableId, Box<dyn AnyWrites>>,
    /// The order of the tables' first writes.
    order: Vec<TableId>,
    /// Reads of the mutation that runs.
    reads: RefCell<BTreeMap<TableId, Reads>>,
    error: RefCell<Option<MutationError>>,
    /// Tables that were named and have no row type yet.
    wanted: RefCell<Vec<Registration>>,
    /// Tables that cannot have the types by which they are named.
    refused: Vec<(TypeId, RegisterError)>,
    /// A row type panicked over what a mutation wrote.
    panicked: Option<Rewritten>,
}

/// A mutation's rows over which the code of their type panicked.
pub(in crate::cache::optimistic) struct Rewritten {
    pub(in crate::cache::optimistic) table: TableId,
    pub(in crate::cache::optimistic) turn: Turn,
    pub(in crate::cache::optimistic) message: Box<str>,
}

/// The layers of all tables, and who reads through them.
struct Layers {
    by_table: HashMap<TableId, Box<dyn AnyLayer>>,
    turn: Turn,
}

/// Reads and writes of one table.
pub(in crate::cache::optimistic) struct Touch {
    pub(in crate::cache::optimistic) table: TableId,
    pub(in crate::cache::optimistic) reads: Reads,
    pub(in crate::cache::optimistic) writes: Option<Box<dyn AnyWrites>>,
}

/// A table as readers see it.
pub(in crate::cache::optimistic) struct Base<'t, T: Table> {
    pub(in crate::cache::optimistic) table: TableId,
    pub(in crate::cache::optimistic) view: TableView<'t, T>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::cache::optimistic) enum Mode {
    Insert,
    Update,
    Upsert,
}

std::thread_local! {
    static RUNNING: Cell<bool> = const { Cell::new(false) };
}

/// Returns `true` while a mutation runs on this thread: the cache's lock must not be taken again.
pub fn is_mutating() -> bool {
    RUNNING.get()
}

/// Operations of mutations.
impl LocalTx {
    /// The table `T`, to read.
    pub fn table<T: Table>(&self) -> LocalTable<'_, T> {
        LocalTable::new(self)
    }

    /// The table `T`, to read and write.
    pub fn table_mut<T: Table>(&mut self) -> LocalTableMut<'_, T> {
        LocalTableMut::new(self)
    }

    /// Inserts a row. Without a primary key, one that is there already changes nothing; with one, the mutation
    /// [fails](Self::fail) if it is taken.
    pub fn insert<R: Table<Row = R>>(&mut self, row: R) {
        self.table_mut::<R>().insert(row);
    }

    /// Replaces the row that has the same primary key. If there is none, the mutation [fails](Self::fail).
    ///
    /// That is looked at again whenever it changes. If another client deletes the row while the call is pending, the
    /// mutation fails from then on: the row, as this mutation would have it, is no longer seen, nor is whatever else it
    /// writes. [`upsert`](Self::upsert) keeps the row in view until the call is answered. So `update` shows what a
    /// reducer does that refuses to update a row that is gone, and `upsert` what one does that inserts it again.
    pub fn update<R: Table<Row = R> + HasKey>(&mut self, row: R) {
        self.table_mut::<R>().update(row);
    }

    /// Replaces the row that has the same primary key, or inserts this one.
    ///
    /// It reads nothing: the row stays in view until the call is answered, whatever others do to it meanwhile, even if
    /// they delete it. [`update`](Self::update) fails then.
    pub fn upsert<R: Table<Row = R> + HasKey>(&mut self, row: R) {
        self.table_mut::<R>().upsert(row);
    }

    /// Deletes the row that has this one's primary key, or, where there is none, exactly this row; whether it was there.
    pub fn delete<R: Table<Row = R>>(&mut self, row: &R) -> bool {
        self.table_mut::<R>().delete(row)
    }

    /// Deletes the row with this value in a unique column; whether there was one.
    pub fn delete_by<R, V, K, Q>(&mut self, column: Column<R, V, K>, value: &Q) -> bool
    where
        R: Table<Row = R>,
        K: FindIn<R>,
        V: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.table_mut::<R>().delete_by(column, value)
    }

    /// The row with this value in a unique column.
    pub fn find<R, V, K, Q>(&self, column: Column<R, V, K>, value: &Q) -> Option<&R>
    where
        R: Table<Row = R>,
        K: FindIn<R>,
        V: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.table::<R>().find(column, value)
    }

    /// All rows of a table, in no order. A mutation that asks for them runs again whenever the table changes.
    pub fn iter<T: Table>(&self) -> impl Iterator<Item = &T::Row> {
        self.table::<T>().iter()
    }

    /// A key to stand in for the one that the server will give: no row of the server's has it, nor one of another pending
    /// mutation, and each run of this mutation gets the same ones in the same order.
    ///
    /// The row that carries it goes with the mutation, in the same transaction in which the server's row comes. It sorts
    /// behind all of the server's rows, and behind those of earlier calls that are pending.
    ///
    /// Calls that are made meanwhile may name it: a call with a temporary id of another call's in its arguments waits for
    /// that one's answer, and is then sent with the id that the server gave. That is found by comparing the rows that the
    /// call inserted with those that the mutation inserted: it must be the row that is the same but for its key, or else
    /// the only one. Where that leaves a choice (several rows with columns that only the server knows, such as the time),
    /// [`temp_id_where`](Self::temp_id_where) says which is meant.
    pub fn temp_id<K: TempId>(&mut self) -> K {
        let index = self.handed.ids.len() as u32;
        if index >= K::LIMIT {
            self.fail_with(MutationError::TooManyTempIds { limit: K::LIMIT });
        }
        let id = K::temp_id(self.number, index % K::LIMIT);
        self.handed.ids.push(id.to_any());
        id
    }

    /// As [`temp_id`](Self::temp_id), for a row of the table `R`, with a condition by which the server's form of it is known:
    /// of the rows that the call inserts, it is the one for which `is` says yes. If there are several or none, nothing is
    /// known of the server's id.
    ///
    /// `is` runs under the machine's lock, as the mutation does. If it panics, it says no.
    pub fn temp_id_where<R: Table<Row = R> + HasKey + Row>(
        &mut self,
        is: impl Fn(&R) -> bool + Send + 'static,
    ) -> R::Key
    where
        R::Key: TempId,
    {
        let key: R::Key = self.temp_id();
        let is: Condition<R> = Box::new(is);
        self.handed.claims.push(Claim { id: key.to_any(), is: Box::new(is) });
        key
    }

    /// Makes the mutation contribute nothing: this call is expected to be refused. It runs again when what it read
    /// changes.
    pub fn fail(&mut self, why: impl AsRef<str>) {
        self.fail_with(MutationError::Refused(why.as_ref().into()));
    }
}

impl fmt::Debug for LocalTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalTx").field("mutation", &self.mutation).finish_non_exhaustive()
    }
}
