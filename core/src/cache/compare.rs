//! Comparing the rows of a set with those that the server says it has.

use std::fmt;

use foldhash::{HashMap, HashMapExt};

use super::TableId;
use super::membership::sets::SetId;
use super::tables::TableSet;
use crate::wire::{QueryRows, RowList};

/// Difference of a table from the server's rows, in one query set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drift {
    /// The table's name on the wire.
    pub table: Box<str>,
    /// Number of the server's rows that are missing here.
    pub missing: u64,
    /// Number of rows here that the server does not have. A row that differs is one of each.
    pub surplus: u64,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, missing, surplus } = self;
        write!(
            f,
            "table `{table}` lacks {missing} of the server's rows and has {surplus} that the server has not"
        )
    }
}

/// Differences of the rows that a set holds from `rows`, table by table; each table is named before its rows' code runs.
pub(super) fn compare(
    tables: &TableSet,
    name: impl Fn(TableId),
    set: SetId,
    rows: &QueryRows,
) -> Vec<Drift> {
    let mut theirs: HashMap<&str, Vec<&RowList>> = HashMap::new();
    for list in &rows.tables {
        theirs.entry(&list.table).or_default().push(&list.rows);
    }
    let mut drifts = Vec::new();
    for (table, store) in tables.iter() {
        let table_name = &**store.name();
        let mut counts: HashMap<Box<[u8]>, i64> = HashMap::new();
        for rows in theirs.remove(table_name).unwrap_or_default() {
            rows.iter().for_each(|row| *counts.entry(row.into()).or_default() += 1);
        }
        name(table);
        store.rows_of_set(set, &mut |row, count| {
            *counts.entry(row.into()).or_default() -= i64::from(count);
        });
        drifts.extend(drift(table_name, counts.into_values()));
    }
    // Tables that are not here at all.
    drifts.extend(
        theirs
            .into_iter()
            .filter_map(|(table, lists)| drift(table, lists.iter().map(|rows| rows.len() as i64))),
    );
    drifts
}

fn drift(table: &str, counts: impl Iterator<Item = i64>) -> Option<Drift> {
    let (mut missing, mut surplus) = (0, 0);
    for count in counts {
        missing += count.max(0).unsigned_abs();
        surplus += count.min(0).unsigned_abs();
    }
    (missing + surplus > 0).then(|| Drift { table: table.into(), missing, surplus })
}
