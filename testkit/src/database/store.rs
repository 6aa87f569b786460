//! The rows of one table, encoded.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

use super::schema::TableSchema;

/// Time at which a row came, which is its place in the table's order.
pub(crate) type Age = u64;

/// A set of rows, in the order in which they were inserted.
///
/// # Invariants
///
/// `by_bytes` and each map of `unique` name exactly the rows in `rows`.
#[derive(Debug, Default)]
pub(crate) struct Store {
    rows: BTreeMap<Age, Bytes>,
    by_bytes: HashMap<Bytes, Age>,
    /// One map for each of the schema's unique columns, by the column's encoding.
    unique: Vec<HashMap<Bytes, Age>>,
    next_age: Age,
    /// Last number that the table's sequence gave.
    pub(crate) last_id: u64,
}

/// Result of an insert.
#[derive(Debug)]
pub(crate) enum Inserted {
    New(Age),
    /// The very same row is there already: a table is a set.
    Already,
    /// Another row has the same value in this column.
    Conflict {
        column: u16,
    },
}

impl Store {
    pub(crate) fn new(schema: &TableSchema) -> Self {
        Self { unique: vec![HashMap::new(); schema.unique.len()], ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Bytes> {
        self.rows.values()
    }

    pub(crate) fn contains(&self, row: &[u8]) -> bool {
        self.by_bytes.contains_key(row)
    }

    /// The row whose unique column number `unique` (a position in the schema's list) has the encoding `value`.
    pub(crate) fn find(&self, unique: usize, value: &[u8]) -> Option<&Bytes> {
        self.rows.get(self.unique.get(unique)?.get(value)?)
    }

    pub(crate) fn insert(&mut self, schema: &TableSchema, row: &Bytes) -> Inserted {
        if self.contains(row) {
            return Inserted::Already;
        }
        let keys = unique_values(schema, row);
        let taken = keys.iter().zip(&self.unique).position(|(key, map)| map.contains_key(key));
        if let Some(position) = taken {
            return Inserted::Conflict { column: schema.unique[position] };
        }
        let age = self.next_age;
        self.next_age += 1;
        self.place(keys, age, row);
        Inserted::New(age)
    }

    /// Removes exactly this row, if it is there, and says which place it had.
    pub(crate) fn remove(&mut self, schema: &TableSchema, row: &[u8]) -> Option<Age> {
        let age = self.by_bytes.remove(row)?;
        let row = self.rows.remove(&age)?;
        for (key, map) in unique_values(schema, &row).iter().zip(&mut self.unique) {
            map.remove(key);
        }
        Some(age)
    }

    /// Puts a removed row back into its place.
    pub(crate) fn restore(&mut self, schema: &TableSchema, age: Age, row: &Bytes) {
        self.place(unique_values(schema, row), age, row);
    }

    fn place(&mut self, keys: Vec<Bytes>, age: Age, row: &Bytes) {
        for (key, map) in keys.into_iter().zip(&mut self.unique) {
            map.insert(key, age);
        }
        self.by_bytes.insert(row.clone(), age);
        self.rows.insert(age, row.clone());
    }

    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.by_bytes.clear();
        self.unique.iter_mut().for_each(HashMap::clear);
    }
}

/// The encodings of `row`'s unique columns, in the schema's order of them.
fn unique_values(schema: &TableSchema, row: &Bytes) -> Vec<Bytes> {
    let mut values = vec![Bytes::new(); schema.unique.len()];
    if values.is_empty() {
        return values;
    }
    schema.for_each_column(row, |column, _, bytes| {
        if let Some(position) = schema.unique.iter().position(|unique| *unique == column) {
            values[position] = row.slice_ref(bytes);
        }
    });
    values
}
