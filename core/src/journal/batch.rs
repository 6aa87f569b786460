//! Batches of journal operations, as the machine makes them.

use super::Write;
use super::entry::Entry;
use super::format::{self, Key};
use super::saved::{Scope, SetRecord};
use crate::wire::{RowList, TableName};

/// Changes of the journal that are made together, or not at all.
#[derive(Debug, Default)]
pub struct Batch {
    /// Batches are numbered in their order, from 1; who writes one says its number.
    pub ticket: u64,
    /// Operations, in order.
    pub ops: Vec<Op>,
    /// `true` if a call waits for it. What is not urgent may be written later, together with what follows.
    pub urgent: bool,
}

/// One change of the journal.
#[derive(Debug)]
pub enum Op {
    /// The store is empty: it begins with the format's number.
    Format,
    /// Identity that the server gives us, and the token for it.
    Scope(u32, Scope),
    /// A call came, or is further.
    Entry(Box<Entry>),
    /// A call is over.
    Forget(u64),
    /// A query set whose rows are kept from now on.
    Set {
        /// The scope.
        scope: u32,
        /// Its number there.
        set: u32,
        /// Record of it.
        record: SetRecord,
    },
    /// A query set's rows are not kept any more.
    ForgetSet {
        /// The scope.
        scope: u32,
        /// Its number there.
        set: u32,
    },
    /// Fingerprint of a table's rows.
    Table {
        /// The scope.
        scope: u32,
        /// The table's name.
        name: Box<str>,
        /// Of the row's type.
        fingerprint: u64,
    },
    /// Rows that the server sent.
    Rows {
        /// The scope.
        scope: u32,
        /// Its place in the log.
        number: u64,
        /// Parts of the change.
        parts: Vec<KeptPart>,
    },
}

/// Changes of one table's rows in one query set within a transaction, or of a whole set.
#[derive(Debug, Clone)]
pub enum KeptPart {
    /// Rows that came into a set.
    Inserts(u32, TableName, RowList),
    /// Rows that left a set.
    Deletes(u32, TableName, RowList),
    /// The set holds nothing any more.
    Drop(u32),
    /// The set holds no row of the table any more.
    DropTable(u32, TableName),
}

impl Batch {
    /// Records to be written. Copies the rows.
    pub fn writes(&self) -> Vec<Write> {
        self.ops.iter().map(Op::write).collect()
    }

    /// Number of row bytes among it.
    pub fn row_bytes(&self) -> usize {
        let rows = self.ops.iter().map(|op| match op {
            Op::Rows { parts, .. } => parts.iter().map(KeptPart::bytes).sum(),
            _ => 0,
        });
        rows.sum()
    }
}

impl KeptPart {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Inserts(_, _, rows) | Self::Deletes(_, _, rows) => rows.encoded().len(),
            Self::Drop(_) | Self::DropTable(..) => 0,
        }
    }
}

impl Op {
    fn write(&self) -> Write {
        match self {
            Self::Format => Key::Format.put(format::number()),
            Self::Scope(scope, record) => Key::Scope(*scope).put(format::encode(record)),
            Self::Entry(entry) => Key::Entry(entry.seq).put(format::encode(&**entry)),
            Self::Forget(seq) => Key::Entry(*seq).delete(),
            Self::Set { scope, set, record } => Key::Set(*scope, *set).put(format::encode(record)),
            Self::ForgetSet { scope, set } => Key::Set(*scope, *set).delete(),
            Self::Table { scope, name, fingerprint } => {
                Key::Table(*scope, name).put(format::encode(fingerprint))
            }
            Self::Rows { scope, number, parts } => {
                Key::Rows(*scope, *number).put(format::encode_parts(parts))
            }
        }
    }
}
