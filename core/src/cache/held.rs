//! Numbers of rows by query set, for checks that every row has an owner.

use core::fmt;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::membership::sets::SetId;
use super::optimistic::LOCAL;
use super::tables::TableSet;

/// Rows of one table that a set holds: those in slots, and those that optimistic rows stand in for.
#[doc(hidden)]
#[derive(Clone, PartialEq, Eq)]
pub struct Held {
    /// The set.
    pub set: SetId,
    /// The table's name on the wire.
    pub table: Arc<str>,
    /// Their number.
    pub rows: usize,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows of `{}` in {}", self.rows, self.table, self.set)
    }
}

/// Every set that holds rows, by table.
pub(super) fn held(tables: &TableSet) -> Vec<Held> {
    let mut held = Vec::new();
    for (_, table) in tables.iter() {
        let mut sets: BTreeMap<SetId, usize> = BTreeMap::new();
        let mut count = |set, rows| *sets.entry(set).or_default() += rows;
        table.held(&mut count);
        sets.remove(&LOCAL);
        let of_table = |(set, rows)| Held { set, table: Arc::clone(table.name()), rows };
        held.extend(sets.into_iter().map(of_table));
    }
    held
}
