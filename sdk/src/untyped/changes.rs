//! Changes of rows, by the schema's keys.

use std::collections::HashMap;
use std::sync::Arc;

use lightlike_core::cache::{RowChange, TableDiff};
use lightlike_core::schema::ServerSchema;

use super::row::UntypedRow;
use super::shape::Shape;
use crate::events::changes::Changes;
use crate::events::event::{Change, Deleted, Inserted, Updated};

/// Change of a row of some table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct UntypedChange {
    /// The table's name.
    pub table: Arc<str>,
    /// Change.
    pub change: Change<UntypedRow>,
}

pub(super) fn of_transaction(
    schema: &Arc<ServerSchema>,
    transaction: &Changes,
) -> Vec<UntypedChange> {
    let mut all = Vec::new();
    for diff in transaction.diffs() {
        let shape = Arc::new(Shape::of(schema, diff.name()));
        let of_table = of_table(&shape, transaction, diff).into_iter();
        all.extend(of_table.map(|change| UntypedChange { table: Arc::clone(&shape.name), change }));
    }
    all
}

/// Changes of a transaction in one table, by a schema that may not have it.
pub(crate) fn changes_of_table(
    schema: &Arc<ServerSchema>,
    transaction: &Changes,
    diff: &TableDiff,
) -> Vec<Change<UntypedRow>> {
    of_table(&Arc::new(Shape::of(schema, diff.name())), transaction, diff)
}

/// Changes of a transaction in one table: inserts and updates, then deletes, then events.
pub(super) fn of_table(
    shape: &Arc<Shape>,
    transaction: &Changes,
    diff: &TableDiff,
) -> Vec<Change<UntypedRow>> {
    let cause = || transaction.cause().clone();
    let mut changes = Vec::with_capacity(diff.len());
    diff.for_each_encoded(transaction.transaction(), |change| {
        let row = |bytes| UntypedRow::new(Arc::clone(shape), bytes);
        changes.push(match change {
            RowChange::Insert(new) | RowChange::Event(new) => {
                Change::Inserted(Inserted { row: row(new), cause: cause() })
            }
            RowChange::Update { old, new } => {
                Change::Updated(Updated { old: row(old), new: row(new), cause: cause() })
            }
            RowChange::Delete(old) => Change::Deleted(Deleted { row: row(old), cause: cause() }),
        });
    });
    if shape.key.is_some() { pair(changes) } else { changes }
}

/// Makes an update of an insert and a delete of the same key, in the insert's place.
fn pair(changes: Vec<Change<UntypedRow>>) -> Vec<Change<UntypedRow>> {
    let mut left: HashMap<Box<[u8]>, UntypedRow> = HashMap::new();
    for change in &changes {
        if let Change::Deleted(Deleted { row, .. }) = change
            && let Some(key) = row.key_bytes()
        {
            left.insert(key.into(), row.clone());
        }
    }
    if left.is_empty() {
        return changes;
    }
    let mut replaced = Vec::new();
    let mut paired: Vec<_> = changes
        .into_iter()
        .map(|change| match change {
            Change::Inserted(Inserted { row: new, cause }) => {
                match new.key_bytes().and_then(|key| left.remove(key)) {
                    Some(old) => {
                        replaced.push(old.clone());
                        Change::Updated(Updated { old, new, cause })
                    }
                    None => Change::Inserted(Inserted { row: new, cause }),
                }
            }
            change => change,
        })
        .collect();
    if !replaced.is_empty() {
        let replaced: std::collections::HashSet<_> = replaced.into_iter().collect();
        paired.retain(|change| {
            !matches!(change, Change::Deleted(Deleted { row, .. }) if replaced.contains(row))
        });
    }
    paired
}
