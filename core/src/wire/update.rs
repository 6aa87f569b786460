//! Rows and their changes, as messages carry them.

use super::cursor::Cursor;
use super::put;
use super::rows::{self, Fields, RowList};
use super::text::TableName;
use super::{QuerySetId, WireError};
use crate::bsatn::EncodeError;

/// The rows that queries have.
///
/// A table stands once for each query that returns its rows, so it may stand several times: a row then counts as often
/// as it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryRows {
    /// In the order of the queries.
    pub tables: Vec<TableRows>,
}

/// The rows that one query has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRows {
    /// The table that the rows are of.
    pub table: TableName,
    /// The rows.
    pub rows: RowList,
}

/// Changes of one transaction to the query sets of a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransactionUpdate {
    /// The query sets that it changed.
    pub query_sets: Vec<QuerySetUpdate>,
}

/// Changes of one transaction to a query set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuerySetUpdate {
    /// The query set.
    pub query_set_id: QuerySetId,
    /// The changes. A table may stand several times; its changes add up.
    pub tables: Vec<TableUpdate>,
}

/// Changes of one transaction to one table's rows of a query set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableUpdate {
    /// The table.
    pub table: TableName,
    /// The changes; they add up.
    pub rows: Vec<UpdateRows>,
}

/// Rows that came and went, or that are not kept.
///
/// # Source
///
/// `spacetimedb-client-api-messages` 2.14.0, `websocket/v2.rs`, `TableUpdateRows`; tags 0 and 1 in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateRows {
    /// Of a table whose rows stay. The same row in both, through different queries, is no change.
    Persistent {
        /// Rows that are new in the query set.
        inserts: RowList,
        /// Rows that are in the query set no more, whole.
        deletes: RowList,
    },
    /// Of an event table: delivered once, in this order, and never kept. The same row twice is two events.
    Event {
        /// The rows.
        events: RowList,
    },
}

/// Tags of [`UpdateRows`].
const PERSISTENT: u8 = 0;
const EVENT: u8 = 1;

const ROWS: Fields = Fields { size_hint: "rows.size_hint", data: "rows.data" };
const INSERTS: Fields = Fields { size_hint: "inserts.size_hint", data: "inserts.data" };
const DELETES: Fields = Fields { size_hint: "deletes.size_hint", data: "deletes.data" };
const EVENTS: Fields = Fields { size_hint: "events.size_hint", data: "events.data" };

/// The least that a string or a list takes on the wire: its length.
const LEN_BYTES: usize = 4;

impl QueryRows {
    pub(super) fn decode(cursor: &mut Cursor<'_>) -> Result<Self, WireError> {
        let tables = cursor.list("tables", LEN_BYTES + rows::MIN_BYTES, |cursor| {
            Ok(TableRows { table: cursor.table_name()?, rows: RowList::decode(cursor, ROWS)? })
        })?;
        Ok(Self { tables })
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put::list(out, &self.tables, |out, table| {
            put::bytes(out, table.table.as_bytes())?;
            put::rows(out, &table.rows);
            Ok(())
        })
    }
}

impl TransactionUpdate {
    /// Returns `true` if nothing that the connection sees was changed.
    pub fn is_empty(&self) -> bool {
        self.query_sets.is_empty()
    }

    pub(super) fn decode(cursor: &mut Cursor<'_>) -> Result<Self, WireError> {
        let query_sets = cursor.list("query_sets", 4 + LEN_BYTES, |cursor| {
            let query_set_id = cursor.query_set_id()?;
            let tables = cursor.list("tables", 2 * LEN_BYTES, table_update)?;
            Ok(QuerySetUpdate { query_set_id, tables })
        })?;
        Ok(Self { query_sets })
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put::list(out, &self.query_sets, |out, set| {
            put::u32(out, set.query_set_id.0);
            put::list(out, &set.tables, |out, table| {
                put::bytes(out, table.table.as_bytes())?;
                put::list(out, &table.rows, put_update_rows)
            })
        })
    }
}

fn table_update(cursor: &mut Cursor<'_>) -> Result<TableUpdate, WireError> {
    let table = cursor.table_name()?;
    let rows = cursor.list("rows", 1 + rows::MIN_BYTES, update_rows)?;
    Ok(TableUpdate { table, rows })
}

fn update_rows(cursor: &mut Cursor<'_>) -> Result<UpdateRows, WireError> {
    match cursor.u8("rows")? {
        PERSISTENT => Ok(UpdateRows::Persistent {
            inserts: RowList::decode(cursor, INSERTS)?,
            deletes: RowList::decode(cursor, DELETES)?,
        }),
        EVENT => Ok(UpdateRows::Event { events: RowList::decode(cursor, EVENTS)? }),
        tag => Err(cursor.unknown_tag(tag, "rows")),
    }
}

// The signature that `put::list` takes; writing row lists cannot fail.
fn put_update_rows(out: &mut Vec<u8>, rows: &UpdateRows) -> Result<(), EncodeError> {
    match rows {
        UpdateRows::Persistent { inserts, deletes } => {
            out.push(PERSISTENT);
            put::rows(out, inserts);
            put::rows(out, deletes);
        }
        UpdateRows::Event { events } => {
            out.push(EVENT);
            put::rows(out, events);
        }
    }
    Ok(())
}
