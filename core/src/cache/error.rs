//! Errors between a server's rows and the cache.

use std::sync::Arc;

use super::{SetId, TableId};
use crate::bsatn::DecodeError;

/// A message that cannot follow from the messages before it.
///
/// The cache is as it was before the message. Close the connection and resync.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("out of sync at the table `{table}`, {set}: {kind}")]
pub struct OutOfSync {
    table: Arc<str>,
    set: SetIds,
    kind: OutOfSyncKind,
}

/// One set, or none in particular.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SetIds(Option<SetId>);

impl core::fmt::Display for SetIds {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            Some(set) => write!(f, "{set}"),
            None => f.write_str("all sets"),
        }
    }
}

/// Kind of an inconsistency with the server's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutOfSyncKind {
    /// A row was deleted that the cache does not hold.
    #[error("the server deleted a row that the cache does not hold ({row_bytes} bytes)")]
    UnknownRow {
        /// The size of the row's encoding.
        row_bytes: usize,
    },
    /// A row was deleted from a set more often than the set holds it.
    #[error("the server deleted a row that this set does not hold ({row_bytes} bytes)")]
    NotInSet {
        /// The size of the row's encoding.
        row_bytes: usize,
    },
    /// One message has two different rows of one primary key.
    #[error("the server inserted two different rows with one primary key")]
    TwoRowsOfOneKey,
    /// A row was replaced by one with the same primary key, and a set kept the old one.
    #[error("the server replaced a row, and this or another set keeps the old one")]
    Replaced,
    /// The server names more tables that the program does not mention than
    /// [`max_table_bytes`](super::CacheConfig::max_table_bytes) has room for.
    #[error("the server names more tables than `max_table_bytes` ({limit}) has room for")]
    TooManyTables {
        /// The limit.
        limit: usize,
    },
    /// The table has more rows than row ids can name: about four billion, counting those that views hold.
    #[error("the table has too many rows")]
    TooManyRows,
}

impl OutOfSync {
    #[cold]
    pub(super) fn new(table: &Arc<str>, set: Option<SetId>, kind: OutOfSyncKind) -> Self {
        Self { table: Arc::clone(table), set: SetIds(set), kind }
    }

    /// The table's name on the wire.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The query set, if it is about one.
    pub fn set(&self) -> Option<SetId> {
        self.set.0
    }

    /// Kind of the inconsistency.
    pub fn kind(&self) -> OutOfSyncKind {
        self.kind
    }
}

/// A query set ended because rows of a table in it are not what their Rust type says, or because the type's own code
/// panicked over them.
///
/// A mistake of the type, not of the connection: all rows of the set go, everything else stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetFailure {
    /// The set.
    pub set: SetId,
    /// The table.
    pub table: TableId,
    /// The table's name on the wire.
    pub table_name: Arc<str>,
    /// The Rust type of its rows.
    pub row_type: &'static str,
    /// Mismatch of the row.
    pub reason: RowMismatch,
}

impl core::fmt::Display for SetFailure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { table_name: table, row_type, reason, .. } = self;
        match reason {
            RowMismatch::Panicked { message } => {
                write!(f, "`{row_type}`, the row type of the table `{table}`, panicked: {message}")
            }
            reason => write!(f, "rows of the table `{table}` are not `{row_type}`: {reason}"),
        }
    }
}

impl core::error::Error for SetFailure {}

/// Mismatch of a row with its Rust type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowMismatch {
    /// A column cannot be decoded.
    #[error("the column `{column}`, {expected} in Rust, does not decode: {error}")]
    Column {
        /// The column's name on the wire.
        column: &'static str,
        /// Its type in Rust, in SpacetimeDB's words.
        expected: String,
        /// Error of decoding the row.
        error: DecodeError,
    },
    /// All columns that the Rust type has could be decoded, and bytes are left: the server's row has more columns, or
    /// wider ones.
    #[error("the row goes on for {left} bytes behind `{column}`, the last column in Rust")]
    Longer {
        /// The last column's name on the wire.
        column: &'static str,
        /// Number of bytes that are left.
        left: usize,
    },
    /// An enum kept the tag of a variant that it does not know, and the rest of the row does not follow: the variant seems
    /// to have a value.
    #[error(
        "the column `{column}` has a variant with the tag {tag}, which `{name}` does not know, and what stands behind it does \
         not decode: {error}; if the variant has a value, add it to the enum, or keep the value with an `UnknownVariant`"
    )]
    UnknownVariant {
        /// The column's name on the wire.
        column: &'static str,
        /// The Rust name of the enum.
        name: &'static str,
        /// The variant's tag.
        tag: u8,
        /// Error of decoding the row.
        error: DecodeError,
    },
    /// The row as a whole cannot be decoded, though each column has a plausible encoding.
    #[error("{0}")]
    Row(DecodeError),
    /// Two rows have the same value in what is the primary key in Rust.
    #[error("two rows have one value in the column `{column}`, the primary key in Rust")]
    TwoRowsOfOneKey {
        /// The column's name on the wire.
        column: &'static str,
    },
    /// Code of the row type, or of a type in it, panicked: decoding, comparing, hashing, encoding or dropping a row.
    #[error("its code panicked: {message}")]
    Panicked {
        /// The text of the panic.
        message: Box<str>,
    },
}

/// A table cannot have this Rust type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// It has another already.
    #[error(
        "the table `{table}` has rows of the Rust type `{registered}` and cannot have rows of `{refused}` too: \
         use one type for both"
    )]
    RowType {
        /// The table's name on the wire.
        table: &'static str,
        /// The row type that it has.
        registered: &'static str,
        /// The row type that it cannot have.
        refused: &'static str,
    },
    /// Two markers of one row type say different things of the table.
    #[error(
        "the table `{table}` is defined twice, with different {what}: make the definitions agree"
    )]
    Definition {
        /// The table's name on the wire.
        table: &'static str,
        /// Part that differs.
        what: &'static str,
    },
    /// Comparing its rows panicked, for an index of the client's own.
    #[error(
        "the table `{table}` cannot have this index: comparing its rows panicked: {message}; make the order total"
    )]
    Panicked {
        /// The table's name on the wire.
        table: &'static str,
        /// The text of the panic.
        message: Box<str>,
    },
}
