//! One table inside a transaction.

use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use lightlike_core::bsatn::Encode;
use lightlike_core::schema::{Column, FindIn, HasKey, Table, TableKind};

use super::delta::Change;
use super::store::{Age, Inserted};
use super::{Database, Tx, decode, encode};

/// A table, to read.
pub struct TableRef<'tx, T> {
    database: &'tx Database,
    position: usize,
    table: PhantomData<fn() -> T>,
}

/// A table, to read and write.
pub struct TableMut<'tx, T> {
    tx: &'tx mut Tx,
    position: usize,
    table: PhantomData<fn() -> T>,
}

/// A row that a table does not take.
///
/// # Source
///
/// The text is that of `spacetimedb` 2.14.0, `TryInsertError`: a module that returns it sends this to the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("insertion error on table `{table}`:duplicate unique column")]
pub struct InsertError {
    table: &'static str,
    column: &'static str,
}

impl InsertError {
    /// The table's name.
    pub fn table(&self) -> &'static str {
        self.table
    }

    /// The unique column in which another row has the same value.
    pub fn column(&self) -> &'static str {
        self.column
    }
}

impl<'tx, T: Table> TableRef<'tx, T> {
    pub(super) fn new(database: &'tx Database) -> Self {
        Self { database, position: database.position::<T>(), table: PhantomData }
    }

    /// The rows, oldest first.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = T::Row> + 'tx {
        self.database.rows(self.position).map(|row| decode(row))
    }

    /// Number of rows.
    pub fn len(self) -> usize {
        self.database.stores[self.position].len()
    }

    /// Returns `true` if there are no rows.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The row with this value in a unique column.
    pub fn find<V, K, Q>(self, column: Column<T::Row, V, K>, value: &Q) -> Option<T::Row>
    where
        K: FindIn<T>,
        V: Borrow<Q>,
        Q: Encode + ?Sized,
    {
        self.find_encoded(column.index(), &encode(value)).map(|row| decode(row))
    }

    fn find_encoded(self, column: u16, value: &[u8]) -> Option<&'tx Bytes> {
        let unique = self.database.schemas[self.position]
            .unique
            .iter()
            .position(|unique| *unique == column)?;
        self.database.stores[self.position].find(unique, value)
    }
}

impl<T: Table> TableMut<'_, T> {
    /// # Panics
    ///
    /// If the table is a view: its rows are computed.
    pub(super) fn new(tx: &mut Tx) -> TableMut<'_, T> {
        let position = tx.database.position::<T>();
        let schema = &tx.database.schemas[position];
        assert!(
            schema.kind != TableKind::View,
            "`{}` is a view: its rows come from the closure given to the builder, and cannot be written",
            schema.name
        );
        TableMut { tx, position, table: PhantomData }
    }

    /// The table, to read.
    pub fn as_ref(&self) -> TableRef<'_, T> {
        TableRef { database: &self.tx.database, position: self.position, table: PhantomData }
    }

    /// Inserts a row; one that is there already changes nothing.
    ///
    /// # Panics
    ///
    /// If another row has the same value in a unique column.
    pub fn insert(&mut self, row: T::Row) {
        if let Err(error) = self.try_insert(row) {
            panic!("{error}");
        }
    }

    /// Inserts a row; one that is there already changes nothing.
    ///
    /// # Errors
    ///
    /// [`InsertError`] if another row has the same value in a unique column.
    pub fn try_insert(&mut self, row: T::Row) -> Result<(), InsertError> {
        let row = encode(&row);
        let schema = &self.tx.database.schemas[self.position];
        match self.tx.database.stores[self.position].insert(schema, &row) {
            Inserted::New(age) => self.record(row, age, true),
            Inserted::Already => {}
            Inserted::Conflict { column } => {
                let column = schema.columns[usize::from(column)].name;
                return Err(InsertError { table: schema.name, column });
            }
        }
        Ok(())
    }

    /// Replaces the row that has the same primary key.
    ///
    /// # Panics
    ///
    /// If there is none, or if another row has the same value in a unique column.
    pub fn update(&mut self, row: T::Row)
    where
        T: HasKey,
    {
        assert!(
            self.remove_keyed(&row),
            "no row of `{}` has the primary key of the updated one",
            T::DEF.name
        );
        self.insert(row);
    }

    /// Replaces the row that has the same primary key, or inserts this one.
    ///
    /// # Panics
    ///
    /// If another row has the same value in a unique column.
    pub fn upsert(&mut self, row: T::Row)
    where
        T: HasKey,
    {
        self.remove_keyed(&row);
        self.insert(row);
    }

    /// Deletes exactly this row; whether it was there.
    pub fn delete(&mut self, row: &T::Row) -> bool {
        self.remove(encode(row))
    }

    /// Deletes the row with this value in a unique column; whether there was one.
    pub fn delete_by<V, K, Q>(&mut self, column: Column<T::Row, V, K>, value: &Q) -> bool
    where
        K: FindIn<T>,
        V: Borrow<Q>,
        Q: Encode + ?Sized,
    {
        let found = self.as_ref().find_encoded(column.index(), &encode(value)).cloned();
        found.is_some_and(|row| self.remove(row))
    }

    /// Deletes every row; how many there were.
    pub fn clear(&mut self) -> usize {
        let rows: Vec<_> = self.tx.database.rows(self.position).cloned().collect();
        rows.into_iter().map(|row| self.remove(row)).count()
    }

    /// The next number of the table's sequence: 1, 2, 3, ..
    pub fn next_id(&mut self) -> u64 {
        let store = &mut self.tx.database.stores[self.position];
        self.tx.ids.push((self.position, store.last_id));
        store.last_id += 1;
        store.last_id
    }

    /// Removes the row with the primary key of `row`; whether there was one.
    fn remove_keyed(&mut self, row: &T::Row) -> bool {
        let encoded = encode(row);
        let schema = &self.tx.database.schemas[self.position];
        let Some(key_column) = schema.primary_key else { return false };
        let mut key = Bytes::new();
        schema.for_each_column(&encoded, |column, _, bytes| {
            if column == key_column {
                key = encoded.slice_ref(bytes);
            }
        });
        let found = self.as_ref().find_encoded(key_column, &key).cloned();
        found.is_some_and(|row| self.remove(row))
    }

    fn remove(&mut self, row: Bytes) -> bool {
        let removed = self.tx.database.stores[self.position]
            .remove(&self.tx.database.schemas[self.position], &row);
        if let Some(age) = removed {
            self.record(row, age, false);
        }
        removed.is_some()
    }

    fn record(&mut self, row: Bytes, age: Age, inserted: bool) {
        self.tx.changes.push(Change { table: self.position, row, age, inserted });
    }
}

impl<T> Clone for TableRef<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for TableRef<'_, T> {}

impl<T: Table> fmt::Debug for TableRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableRef").field("name", &T::DEF.name).field("len", &self.len()).finish()
    }
}

impl<T: Table> fmt::Debug for TableMut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableMut")
            .field("name", &T::DEF.name)
            .field("len", &self.as_ref().len())
            .finish()
    }
}
