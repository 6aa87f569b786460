//! A whole transaction.

use std::fmt;
use std::sync::Arc;

use lightlike_core::cache::{RowChange, TableDiff, Transaction};
use lightlike_core::conn::Cause;
use lightlike_core::schema::Table;

/// Everything that one transaction changed, by table.
///
/// Cheap to clone. As long as one is held, so are the rows that the transaction removed: do not keep it for long.
#[derive(Clone)]
pub struct Changes {
    transaction: Arc<Transaction>,
    cause: Cause,
}

impl Changes {
    pub(crate) fn new(transaction: Transaction, cause: Cause) -> Self {
        Self { transaction: Arc::new(transaction), cause }
    }

    /// Cause of the changes.
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// The names of the tables that changed, in the server's order.
    pub fn table_names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.diffs().iter().map(TableDiff::name)
    }

    /// Changes of the table `T`, in the server's order; nothing, for most transactions.
    pub fn of<T: Table>(&self) -> impl Iterator<Item = RowChange<'_, T::Row>> {
        let diffs = self.diffs().iter().filter(|diff| diff.name() == T::DEF.name);
        diffs.flat_map(|diff| self.rows::<T>(diff))
    }

    pub(crate) fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    pub(crate) fn diffs(&self) -> &[TableDiff] {
        self.transaction.tables()
    }

    pub(crate) fn rows<'a, T: Table>(
        &'a self,
        diff: &'a TableDiff,
    ) -> impl Iterator<Item = RowChange<'a, T::Row>> {
        diff.changes::<T>(&self.transaction).into_iter().flatten()
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes")
            .field("cause", &self.cause)
            .field("tables", &self.table_names().collect::<Vec<_>>())
            .finish()
    }
}
