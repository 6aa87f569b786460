//! Changes that go into the cache, and the step results that come back.

use super::diff::Transaction;
use crate::cache::error::OutOfSync;
use crate::cache::membership::sets::SetId;
use crate::cache::optimistic::MutationId;
use crate::wire::{RowList, TableName};

/// Row changes of one message of the server's, or of a resync.
///
/// Parts are applied whole or not at all, inserts first, then deletes, then [`DropSet`](Part::DropSet)s, whatever
/// their order here; the order says which table's changes come first.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Changes table by table.
    pub parts: Vec<Part>,
    /// The mutations that are answered with it: what they made of the rows goes in the same transaction.
    pub ends: Vec<MutationId>,
}

/// Changes of the rows of one table in one query set, or of a whole set.
#[derive(Debug, Clone)]
pub enum Part {
    /// Rows that came into a set.
    Inserts {
        /// The set.
        set: SetId,
        /// The table's name on the wire.
        table: TableName,
        /// The rows.
        rows: RowList,
    },
    /// Rows that left a set.
    Deletes {
        /// The set.
        set: SetId,
        /// The table's name on the wire.
        table: TableName,
        /// The rows.
        rows: RowList,
    },
    /// Rows that are delivered and not stored.
    ///
    /// The server keeps the events of a transaction as a set, so two of one message that are encoded alike are one that
    /// several queries returned, and are delivered once.
    Events {
        /// The set.
        set: SetId,
        /// The table's name on the wire.
        table: TableName,
        /// The rows.
        rows: RowList,
        /// The number of the message that brought them: a resync gathers several.
        message: u64,
        /// `true` if no row can be in `rows` twice: they are of one query without a join.
        distinct: bool,
    },
    /// A set ended: it holds nothing any more, of no table, not even what the same change inserts.
    ///
    /// A resync is a change that inserts what the server sent for a new set and drops the old one: rows that both have
    /// are silent.
    DropSet {
        /// The set.
        set: SetId,
    },
}

impl Change {
    /// A change of rows, with which no mutation ends.
    pub fn of(parts: Vec<Part>) -> Self {
        Self { parts, ends: Vec::new() }
    }

    /// Returns `true` if it says nothing but that sets ended.
    pub fn only_drops(&self) -> bool {
        let drops = |part: &Part| matches!(part, Part::DropSet { .. });
        !self.parts.is_empty() && self.parts.iter().all(drops) && self.ends.is_empty()
    }

    /// Returns `true` if there is nothing to apply.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.ends.is_empty()
    }
}

impl Part {
    /// The set that it is about.
    pub fn set(&self) -> SetId {
        match self {
            Self::Inserts { set, .. }
            | Self::Deletes { set, .. }
            | Self::Events { set, .. }
            | Self::DropSet { set } => *set,
        }
    }

    /// The rows, where the table keeps them.
    pub(in crate::cache) fn stored_rows(&self) -> Option<&RowList> {
        match self {
            Self::Inserts { rows, .. } | Self::Deletes { rows, .. } => Some(rows),
            Self::Events { .. } | Self::DropSet { .. } => None,
        }
    }

    pub(in crate::cache) fn table(&self) -> Option<&TableName> {
        match self {
            Self::Inserts { table, .. }
            | Self::Deletes { table, .. }
            | Self::Events { table, .. } => Some(table),
            Self::DropSet { .. } => None,
        }
    }
}

/// Progress of the change under way after a step.
#[derive(Debug)]
#[must_use]
pub enum Step {
    /// There is more to do: call [`Cache::step`](crate::cache::Cache::step) again.
    More,
    /// The change is visible. Nothing is under way any more.
    Committed(Transaction),
    /// The change cannot be, and is forgotten: the cache is as it was before. Close the connection and resync.
    OutOfSync(OutOfSync),
}
