//! The tables and their rows: no socket, no subscription.

mod delta;
pub(crate) mod schema;
mod store;
mod table;
mod tx;

use std::any::{TypeId, type_name};
use std::collections::HashMap;

use bytes::Bytes;
use lightlike_core::bsatn;
use lightlike_core::schema::Table;

pub(crate) use delta::{Delta, TableDelta};
use schema::TableSchema;
use store::Store;
pub use table::{InsertError, TableMut, TableRef};
pub(crate) use tx::Caller;
pub use tx::Tx;

/// All tables, and the Rust types that name them.
#[derive(Debug, Default)]
pub(crate) struct Database {
    pub(crate) schemas: Vec<TableSchema>,
    stores: Vec<Store>,
    by_type: HashMap<TypeId, usize>,
}

impl Database {
    /// Adds a table.
    ///
    /// # Panics
    ///
    /// If there is one of this name.
    pub(crate) fn add<T: Table>(&mut self, private: bool) -> usize {
        let name = T::DEF.name;
        assert!(
            self.schemas.iter().all(|schema| schema.name != name),
            "the server has a table `{name}` already: give each table to the builder once",
        );
        let position = self.schemas.len();
        let schema = TableSchema::new(T::DEF, private);
        self.stores.push(Store::new(&schema));
        self.schemas.push(schema);
        self.by_type.insert(TypeId::of::<T>(), position);
        position
    }

    /// The position of `T`.
    ///
    /// # Panics
    ///
    /// If the server was not given this table.
    pub(crate) fn position<T: Table>(&self) -> usize {
        match self.by_type.get(&TypeId::of::<T>()) {
            Some(position) => *position,
            None => panic!(
                "the server has no table `{name}`: add `.table::<{ty}>()` to its builder",
                name = T::DEF.name,
                ty = type_name::<T>(),
            ),
        }
    }

    /// The stored rows of the table at `position`, oldest first. A view has none: its rows are computed.
    pub(crate) fn rows(&self, position: usize) -> impl DoubleEndedIterator<Item = &Bytes> {
        self.stores[position].iter()
    }

    /// Adds committed rows without a transaction: the ones that a server starts with.
    ///
    /// # Panics
    ///
    /// If two of them have the same value in a unique column.
    pub(crate) fn seed<T: Table>(&mut self, rows: impl IntoIterator<Item = T::Row>) {
        let position = self.position::<T>();
        for row in rows {
            let row = encode(&row);
            let inserted = self.stores[position].insert(&self.schemas[position], &row);
            if let store::Inserted::Conflict { column } = inserted {
                let column = self.schemas[position].columns[usize::from(column)].name;
                panic!(
                    "two initial rows of `{}` have the same `{column}`, which is unique",
                    T::DEF.name
                );
            }
        }
    }
}

/// The encoding of a value of the test's own types.
///
/// # Panics
///
/// If a string or an array in it is longer than 4 GiB.
pub(crate) fn encode<T: bsatn::Encode + ?Sized>(value: &T) -> Bytes {
    match bsatn::to_vec(value) {
        Ok(bytes) => bytes.into(),
        Err(error) => panic!("{error}"),
    }
}

/// Decodes a row that [`encode`] made.
///
/// # Panics
///
/// If the type does not decode what it encodes.
pub(crate) fn decode<R: for<'a> bsatn::Decode<'a>>(row: &[u8]) -> R {
    match bsatn::from_slice(row) {
        Ok(row) => row,
        Err(error) => panic!("`{}` does not decode what it encodes: {error}", type_name::<R>()),
    }
}
