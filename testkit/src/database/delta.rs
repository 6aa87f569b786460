//! Net changes of a transaction.

use std::collections::HashMap;

use bytes::Bytes;

use super::store::Age;

/// The net change of one transaction.
#[derive(Debug, Default, Clone)]
pub(crate) struct Delta {
    /// By the table's position in the database; tables that did not change are missing.
    pub(crate) tables: HashMap<usize, TableDelta>,
}

/// The net change of one table: no row is in both lists, or twice in one.
#[derive(Debug, Default, Clone)]
pub(crate) struct TableDelta {
    /// In the order in which they were inserted.
    pub(crate) inserts: Vec<Bytes>,
    /// In the order in which they were deleted.
    pub(crate) deletes: Vec<Bytes>,
}

/// One change, as it happened.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) table: usize,
    pub(crate) row: Bytes,
    /// The row's place in its table.
    pub(crate) age: Age,
    pub(crate) inserted: bool,
}

impl Delta {
    /// A row that came and went leaves no trace, and neither does one that went and came back.
    pub(crate) fn net(changes: &[Change]) -> Self {
        let mut balance: HashMap<(usize, &Bytes), i32> = HashMap::new();
        for change in changes {
            *balance.entry((change.table, &change.row)).or_default() +=
                if change.inserted { 1 } else { -1 };
        }
        let mut delta = Self::default();
        for change in changes {
            let Some(left) = balance.get_mut(&(change.table, &change.row)) else { continue };
            let wanted = if change.inserted { 1 } else { -1 };
            if *left == wanted {
                // Once is enough: a table is a set.
                *left = 0;
                let table = delta.tables.entry(change.table).or_default();
                let rows = if change.inserted { &mut table.inserts } else { &mut table.deletes };
                rows.push(change.row.clone());
            }
        }
        delta
    }
}

impl TableDelta {
    /// Difference of the rows `after` from the rows `before`.
    pub(crate) fn between(before: &[Bytes], after: &[Bytes]) -> Self {
        let missing_in = |rows: &[Bytes], others: &[Bytes]| -> Vec<Bytes> {
            let others: std::collections::HashSet<_> = others.iter().collect();
            rows.iter().filter(|row| !others.contains(row)).cloned().collect()
        };
        Self { inserts: missing_in(after, before), deletes: missing_in(before, after) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.inserts.is_empty() && self.deletes.is_empty()
    }
}
