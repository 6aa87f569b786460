//! Whether a row, or a pair of joined rows, passes a WHERE clause.

use core::cmp::Ordering;

use lightlike_core::types::Identity;

use super::ast::CompareOp;
use super::check::{Filter, Operand};
use super::value::{self, Value};
use crate::database::schema::TableSchema;

/// A row's comparable columns, read once.
#[derive(Debug)]
pub(crate) struct Columns(Vec<Option<Value>>);

impl Columns {
    /// Reads `row`, which is of the table `schema`. Columns that SQL cannot compare are left out.
    pub(crate) fn read(schema: &TableSchema, row: &[u8]) -> Self {
        let mut values = Vec::with_capacity(schema.columns.len());
        let read = schema.for_each_column(row, |column, bytes| {
            values.push(value::read(schema.columns[usize::from(column)].ty, bytes));
        });
        debug_assert!(read.is_ok(), "stored rows are encodings of their row type: {read:?}");
        Self(values)
    }

    fn get(&self, column: u16) -> Option<&Value> {
        self.0.get(usize::from(column))?.as_ref()
    }
}

/// What an operand can refer to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bindings<'a> {
    /// The caller.
    pub(crate) sender: Identity,
    pub(crate) own: &'a Columns,
    /// The joined row.
    pub(crate) other: Option<&'a Columns>,
}

impl Filter {
    /// Whether the clause holds.
    pub(crate) fn holds(&self, bindings: Bindings<'_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(bindings)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(bindings)),
            Self::Is(operand) => operand.with(bindings, |value| *value == Value::Bool(true)).unwrap_or(false),
            Self::Compare(left, op, right) => {
                let order = left.with(bindings, |a| right.with(bindings, |b| a.compare(b)));
                order.flatten().flatten().is_some_and(|order| op.accepts(order))
            }
        }
    }
}

impl Operand {
    fn with<T>(&self, bindings: Bindings<'_>, use_value: impl FnOnce(&Value) -> T) -> Option<T> {
        match self {
            Self::Value(value) => Some(use_value(value)),
            Self::Sender => Some(use_value(&Value::identity(bindings.sender))),
            Self::SenderBytes => Some(use_value(&Value::Bytes(bindings.sender.to_le_bytes().to_vec()))),
            Self::Own(column) => bindings.own.get(*column).map(use_value),
            Self::Other(column) => bindings.other?.get(*column).map(use_value),
            Self::Condition(filter) => Some(use_value(&Value::Bool(filter.holds(bindings)))),
        }
    }
}

impl CompareOp {
    fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::Ne => order.is_ne(),
            Self::Lt => order.is_lt(),
            Self::Le => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::Ge => order.is_ge(),
        }
    }
}
