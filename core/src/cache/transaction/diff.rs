//! Changes of one transaction.

use core::any::Any;
use core::fmt;
use std::sync::Arc;

use crate::bsatn::Writer;
use crate::cache::TableId;
use crate::cache::error::SetFailure;
use crate::cache::optimistic::NewIds;
use crate::cache::read::epoch::View;
use crate::cache::storage::chunks::Chunks;
use crate::cache::storage::pair::Pair;
use crate::cache::storage::row_id::{NO_ROW, RowId};
use crate::guard::FencedRows;
use crate::schema::{Row, Table};

/// One change of all tables, which readers see whole or not at all.
///
/// It holds views of the tables before and after, and so keeps the rows that left until it is dropped.
#[derive(Debug)]
pub struct Transaction {
    pub(in crate::cache) before: View,
    pub(in crate::cache) after: View,
    pub(in crate::cache) tables: Vec<TableDiff>,
    pub(in crate::cache) failed: Vec<SetFailure>,
    pub(in crate::cache) new_ids: NewIds,
}

impl Transaction {
    /// All tables as they were.
    pub fn before(&self) -> &View {
        &self.before
    }

    /// All tables as they are since.
    pub fn after(&self) -> &View {
        &self.after
    }

    /// The tables that changed, in the order in which the message names them first.
    pub fn tables(&self) -> &[TableDiff] {
        &self.tables
    }

    /// The sets that ended with this transaction, because rows in it were not what their Rust type says.
    pub fn failed_sets(&self) -> &[SetFailure] {
        &self.failed
    }

    /// Memory that the transaction keeps as long as it is held: rows that left, rows of events, and the list of changes.
    ///
    /// Its views keep more: what left later, until it is dropped.
    pub fn retained(&self) -> Retained {
        let tables = self.tables.iter().map(|diff| diff.retained);
        tables.fold(Retained::default(), |all, one| Retained {
            rows: all.rows + one.rows,
            bytes: all.bytes + one.bytes,
        })
    }

    /// The ids that the server gave to rows which mutations that ended with this transaction had inserted under temporary
    /// ones.
    pub fn new_ids(&self) -> &NewIds {
        &self.new_ids
    }

    /// Returns `true` if nothing changed and no set failed.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.failed.is_empty()
    }
}

/// Memory that a transaction keeps: see [`Transaction::retained`].
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Retained {
    /// Number of rows that left with it.
    pub rows: usize,
    /// Bytes that they and the rest take.
    pub bytes: usize,
}

/// Changes of one transaction in one table.
pub struct TableDiff {
    pub(in crate::cache) table: TableId,
    pub(in crate::cache) name: Arc<str>,
    pub(in crate::cache) retained: Retained,
    pub(in crate::cache) pairs: Vec<Pair>,
    pub(in crate::cache) events: Option<Box<dyn AnyEvents>>,
    /// The table started over: the rows of `pairs`, all of which left, are in the view before and not in the one after.
    pub(in crate::cache) started_over: bool,
}

/// The rows of an event table, as [`FencedRows`] of their type.
pub(in crate::cache) trait AnyEvents: Any + Send + Sync {
    fn count(&self) -> usize;

    /// Shows the encoding of each.
    fn encode_rows(&self, each: &mut dyn FnMut(&[u8]));
}

impl<R: Row> AnyEvents for FencedRows<R> {
    fn count(&self) -> usize {
        self.len()
    }

    fn encode_rows(&self, each: &mut dyn FnMut(&[u8])) {
        let mut out = Writer::new();
        for row in self.iter() {
            out.clear();
            row.encode(&mut out);
            each(out.as_slice());
        }
    }
}

/// Change of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowChange<'t, R: ?Sized> {
    /// A row came.
    Insert(&'t R),
    /// A row was replaced by one with the same primary key.
    Update {
        /// The row that left.
        old: &'t R,
        /// The row that came.
        new: &'t R,
    },
    /// A row left.
    Delete(&'t R),
    /// A row of an event table: it came and was not stored.
    Event(&'t R),
}

impl fmt::Debug for TableDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableDiff").field("name", &self.name).field("len", &self.len()).finish()
    }
}

impl TableDiff {
    /// The table.
    pub fn table(&self) -> TableId {
        self.table
    }

    /// Its name on the wire.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of changes.
    pub fn len(&self) -> usize {
        self.pairs.len() + self.events.as_ref().map_or(0, |events| events.count())
    }

    /// Returns `true` if there are none, which a transaction does not list.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The changes: inserts and updates in the order of the message's inserts, then deletes in the order of its
    /// deletes, then events in their order, with their duplicates. A row that came and went is not among them.
    ///
    /// None if the table had no type, or another one, when the transaction was committed. `tx` is the transaction that
    /// this belongs to; with another one there are no rows.
    pub fn changes<'t, T: Table>(&'t self, tx: &'t Transaction) -> Option<Changes<'t, T::Row>> {
        let events: &[T::Row] = match &self.events {
            Some(events) => (&**events as &dyn Any).downcast_ref::<FencedRows<T::Row>>()?,
            None => &[],
        };
        let snapshot = self.view(tx).epoch.tables.typed_at::<T::Row>(self.table.0)?;
        Some(Changes { chunks: &snapshot.chunks, pairs: self.pairs.iter(), events: events.iter() })
    }

    /// The view that has the rows of all changes.
    fn view<'t>(&self, tx: &'t Transaction) -> &'t View {
        if self.started_over { &tx.before } else { &tx.after }
    }

    /// Shows the changes as encoded rows, in the order of [`changes`](Self::changes), whatever the table's type.
    ///
    /// A table without a type knows no primary key: a row that was replaced is an insert and a delete there. `tx` is the
    /// transaction that this belongs to.
    pub fn for_each_encoded(&self, tx: &Transaction, mut each: impl FnMut(RowChange<'_, [u8]>)) {
        if let Some(table) = self.view(tx).epoch.tables.untyped_at(self.table.0) {
            let (mut old, mut new) = (Writer::new(), Writer::new());
            for pair in &self.pairs {
                old.clear();
                new.clear();
                let there = |id, out: &mut Writer| id != NO_ROW && table.encode_row(RowId(id), out);
                match (there(pair.old, &mut old), there(pair.new, &mut new)) {
                    (false, true) => each(RowChange::Insert(new.as_slice())),
                    (true, true) => {
                        each(RowChange::Update { old: old.as_slice(), new: new.as_slice() });
                    }
                    (true, false) => each(RowChange::Delete(old.as_slice())),
                    (false, false) => (),
                }
            }
        }
        if let Some(events) = &self.events {
            events.encode_rows(&mut |row| each(RowChange::Event(row)));
        }
    }
}

/// The changes of one table: see [`TableDiff::changes`].
pub struct Changes<'t, R> {
    chunks: &'t Chunks<R>,
    pairs: core::slice::Iter<'t, Pair>,
    events: core::slice::Iter<'t, R>,
}

impl<R: Row> fmt::Debug for Changes<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").field("len", &self.len()).finish()
    }
}

impl<R> Clone for Changes<'_, R> {
    fn clone(&self) -> Self {
        Self { chunks: self.chunks, pairs: self.pairs.clone(), events: self.events.clone() }
    }
}

impl<'t, R> Changes<'t, R> {
    fn row(&self, id: u32) -> Option<&'t R> {
        if id == NO_ROW { None } else { self.chunks.row(RowId(id)) }
    }
}

impl<'t, R: Row> Iterator for Changes<'t, R> {
    type Item = RowChange<'t, R>;

    #[inline]
    fn next(&mut self) -> Option<RowChange<'t, R>> {
        let Some(pair) = self.pairs.next() else {
            return self.events.next().map(RowChange::Event);
        };
        match (self.row(pair.old), self.row(pair.new)) {
            (None, Some(new)) => Some(RowChange::Insert(new)),
            (Some(old), Some(new)) => Some(RowChange::Update { old, new }),
            (Some(old), None) => Some(RowChange::Delete(old)),
            (None, None) => None,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.pairs.len() + self.events.len();
        (len, Some(len))
    }
}

impl<R: Row> ExactSizeIterator for Changes<'_, R> {}
impl<R: Row> core::iter::FusedIterator for Changes<'_, R> {}
