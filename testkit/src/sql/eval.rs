//! Evaluation of WHERE clauses over a row, or a pair of joined rows.

use core::cmp::Ordering;

use lightlike_core::schema::SatsValue;
use lightlike_core::types::Identity;

use super::ast::CompareOp;
use super::check::{ColumnRef, Filter, Operand};
use super::value;
use crate::database::schema::TableSchema;

/// A row's columns, read once.
#[derive(Debug)]
pub(crate) struct Columns(Vec<SatsValue>);

impl Columns {
    /// Reads `row`, which is of the table `schema`.
    pub(crate) fn read(schema: &TableSchema, row: &[u8]) -> Self {
        let mut values = Vec::with_capacity(schema.columns.len());
        schema.for_each_column(row, |_, value, _| values.push(value));
        Self(values)
    }

    pub(crate) fn get(&self, column: u16) -> Option<&SatsValue> {
        self.0.get(usize::from(column))
    }
}

/// Rows that an operand can refer to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bindings<'a> {
    /// The caller.
    pub(crate) sender: Identity,
    /// A row of each of the query's sources.
    pub(crate) rows: &'a [&'a Columns],
}

impl<'a> Bindings<'a> {
    pub(crate) fn column(self, at: ColumnRef) -> Option<&'a SatsValue> {
        self.rows.get(at.source)?.get(at.column)
    }
}

impl Filter {
    /// Returns `true` if the clause holds.
    pub(crate) fn holds(&self, bindings: Bindings<'_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(bindings)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(bindings)),
            Self::Is(operand) => {
                operand.with(bindings, |value| *value == SatsValue::Bool(true)).unwrap_or(false)
            }
            Self::Compare(left, op, right) => {
                let order = left.with(bindings, |a| right.with(bindings, |b| value::compare(a, b)));
                order.flatten().is_some_and(|order| op.accepts(order))
            }
        }
    }
}

impl Operand {
    fn with<T>(
        &self,
        bindings: Bindings<'_>,
        use_value: impl FnOnce(&SatsValue) -> T,
    ) -> Option<T> {
        match self {
            Self::Value(value) => Some(use_value(value)),
            Self::Sender => Some(use_value(&SatsValue::Identity(bindings.sender))),
            Self::SenderBytes => {
                Some(use_value(&SatsValue::Bytes(bindings.sender.to_le_bytes().to_vec())))
            }
            Self::Column(at) => bindings.column(*at).map(use_value),
            Self::Condition(filter) => Some(use_value(&SatsValue::Bool(filter.holds(bindings)))),
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
