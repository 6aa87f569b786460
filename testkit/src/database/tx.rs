//! A transaction: what reducers get.

use std::borrow::Borrow;

use lightlike_core::bsatn::Encode;
use lightlike_core::schema::{Column, FindIn, HasKey, Table, TableKind};
use lightlike_core::types::{ConnectionId, Identity, Timestamp};

use super::delta::Change;
use super::{Database, Delta, InsertError, TableMut, TableRef};
use crate::module::Module;

/// A transaction on the server's tables.
///
/// Nothing that it does is seen by anybody else until it commits, and nothing remains of it when its reducer returns an
/// error or panics. Methods that name only a row act on the table that the row's type is the marker of; for further
/// tables with the same row type there are [`table`](Self::table) and [`table_mut`](Self::table_mut).
///
/// # Panics
///
/// Every method that reads or writes a table panics if the server was not given it.
#[derive(Debug)]
pub struct Tx {
    pub(super) database: Database,
    pub(super) changes: Vec<Change>,
    /// Last numbers that the sequences of tables gave before the transaction, oldest first.
    pub(super) ids: Vec<(usize, u64)>,
    caller: Caller,
}

/// On whose behalf a transaction runs, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    pub(crate) sender: Identity,
    pub(crate) connection_id: Option<ConnectionId>,
    pub(crate) timestamp: Timestamp,
}

impl Tx {
    /// Takes the tables until [`commit`](Self::commit) or [`roll_back`](Self::roll_back) gives them back.
    pub(crate) fn begin(database: Database, caller: Caller) -> Self {
        Self { database, changes: Vec::new(), ids: Vec::new(), caller }
    }

    /// Identity of the caller. In a transaction of the server's own, the database itself.
    pub fn sender(&self) -> Identity {
        self.caller.sender
    }

    /// The connection that the call came in on; none in a transaction of the server's own, and in a view.
    pub fn connection_id(&self) -> Option<ConnectionId> {
        self.caller.connection_id
    }

    /// Time at which the transaction began, by the server's clock.
    pub fn timestamp(&self) -> Timestamp {
        self.caller.timestamp
    }

    /// The table `T`, to read.
    pub fn table<T: Table>(&self) -> TableRef<'_, T> {
        TableRef::new(&self.database)
    }

    /// The table `T`, to read and write.
    pub fn table_mut<T: Table>(&mut self) -> TableMut<'_, T> {
        TableMut::new(self)
    }

    /// Inserts a row; one that is there already changes nothing.
    ///
    /// # Panics
    ///
    /// If another row has the same value in a unique column, as in a module: the reducer then fails with an internal
    /// error. See [`try_insert`](Self::try_insert).
    pub fn insert<R: Table<Row = R>>(&mut self, row: R) {
        self.table_mut::<R>().insert(row);
    }

    /// Inserts a row; one that is there already changes nothing.
    ///
    /// # Errors
    ///
    /// [`InsertError`] if another row has the same value in a unique column.
    pub fn try_insert<R: Table<Row = R>>(&mut self, row: R) -> Result<(), InsertError> {
        self.table_mut::<R>().try_insert(row)
    }

    /// Replaces the row that has the same primary key.
    ///
    /// # Panics
    ///
    /// If there is none, or if another row has the same value in a unique column.
    pub fn update<R: Table<Row = R> + HasKey>(&mut self, row: R) {
        self.table_mut::<R>().update(row);
    }

    /// Replaces the row that has the same primary key, or inserts this one.
    ///
    /// # Panics
    ///
    /// If another row has the same value in a unique column.
    pub fn upsert<R: Table<Row = R> + HasKey>(&mut self, row: R) {
        self.table_mut::<R>().upsert(row);
    }

    /// Deletes exactly this row; whether it was there.
    pub fn delete<R: Table<Row = R>>(&mut self, row: &R) -> bool {
        self.table_mut::<R>().delete(row)
    }

    /// Deletes the row with this value in a unique column; whether there was one.
    pub fn delete_by<R, V, K, Q>(&mut self, column: Column<R, V, K>, value: &Q) -> bool
    where
        R: Table<Row = R>,
        K: FindIn<R>,
        V: Borrow<Q>,
        Q: Encode + ?Sized,
    {
        self.table_mut::<R>().delete_by(column, value)
    }

    /// The row with this value in a unique column.
    pub fn find<R, V, K, Q>(&self, column: Column<R, V, K>, value: &Q) -> Option<R>
    where
        R: Table<Row = R>,
        K: FindIn<R>,
        V: Borrow<Q>,
        Q: Encode + ?Sized,
    {
        self.table::<R>().find(column, value)
    }

    /// The rows of a table, oldest first.
    pub fn iter<T: Table>(&self) -> impl DoubleEndedIterator<Item = T::Row> {
        self.table::<T>().iter()
    }

    /// Number of rows in a table.
    pub fn len<T: Table>(&self) -> usize {
        self.table::<T>().len()
    }

    /// Returns `true` if a table has no rows.
    pub fn is_empty<T: Table>(&self) -> bool {
        self.len::<T>() == 0
    }

    /// The next number of a table's sequence: 1, 2, 3, .. as `#[auto_inc]` gives them. Numbers that a failed transaction
    /// took are given again.
    pub fn next_id<T: Table>(&mut self) -> u64 {
        self.table_mut::<T>().next_id()
    }

    /// All rows of a table; of a view, those that its closure in `module` computes for the sender.
    pub(crate) fn rows<T: Table>(&self, module: &Module) -> Vec<T::Row> {
        match module.views.get(&self.database.position::<T>()) {
            Some(view) => view(self).iter().map(|row| super::decode(row)).collect(),
            None => self.iter::<T>().collect(),
        }
    }

    /// Runs `body` as if somebody else had called.
    pub(crate) fn as_caller<T>(&mut self, caller: Caller, body: impl FnOnce(&mut Self) -> T) -> T {
        let own = std::mem::replace(&mut self.caller, caller);
        let result = body(self);
        self.caller = own;
        result
    }

    /// Changes of the transaction so far.
    pub(crate) fn delta(&self) -> Delta {
        Delta::net(&self.changes)
    }

    /// Keeps what was done. Rows of event tables have been delivered by then, and go.
    pub(crate) fn commit(mut self) -> Database {
        for change in &self.changes {
            if self.database.schemas[change.table].kind == TableKind::Event {
                self.database.stores[change.table].clear();
            }
        }
        self.database
    }

    /// Undoes what was done.
    pub(crate) fn roll_back(self) -> Database {
        let mut database = self.database;
        for (table, last_id) in self.ids.iter().rev() {
            database.stores[*table].last_id = *last_id;
        }
        for change in self.changes.iter().rev() {
            let (schema, store) =
                (&database.schemas[change.table], &mut database.stores[change.table]);
            if change.inserted {
                store.remove(schema, &change.row);
            } else {
                store.restore(schema, change.age, &change.row);
            }
        }
        database
    }
}
