//! Tables: rows of one type, the write set of the change under way, and what pending mutations wrote over them.
//!
//! [`TableStore`] combines the three; each of them knows nothing of the others but what it is given.

mod adopt;
pub(super) mod any;
pub(super) mod diagnose;
pub(super) mod fault;
mod find;
pub(super) mod raw;
pub(super) mod rows;
mod stride;
pub(super) mod write_set;

use std::sync::Arc;

use self::rows::Rows;
use self::write_set::WriteSet;
use super::TableId;
use super::index::Compare;
use super::membership::sets::SetId;
use super::optimistic::Overlay;
use super::read::snapshot::Snapshot;
use crate::bsatn::Writer;
use crate::schema::{Row, TableDef, TableKind};

/// A table as its writer has it.
pub(super) struct TableStore<R: Row> {
    id: TableId,
    name: Arc<str>,
    /// None for a raw table.
    def: Option<TableDef>,
    rows: Rows<R>,
    writes: WriteSet<R>,
    overlay: Overlay<R>,
    /// Shared part as readers have it.
    published: Option<Arc<Snapshot<R>>>,
}

impl<R: Row> TableStore<R> {
    pub(super) fn new(id: TableId, name: Arc<str>, def: Option<TableDef>) -> Self {
        let rows = Rows::new(def.as_ref());
        let overlay = Overlay::default();
        Self { id, name, def, rows, writes: WriteSet::new(), overlay, published: None }
    }

    /// An empty table of the same name and type, with the same indexes.
    pub(super) fn afresh(&self) -> Self {
        let mut fresh = Self::new(self.id, Arc::clone(&self.name), self.def);
        fresh.rows.declare_as(&self.rows);
        fresh
    }

    fn is_event(&self) -> bool {
        self.def.is_some_and(|def| def.kind == TableKind::Event)
    }

    pub(super) fn rows(&self) -> &Rows<R> {
        &self.rows
    }

    pub(super) fn overlay(&self) -> &Overlay<R> {
        &self.overlay
    }

    /// The overlay, and the rows under it.
    pub(super) fn overlay_mut(&mut self) -> (&mut Overlay<R>, &Rows<R>) {
        (&mut self.overlay, &self.rows)
    }

    /// Adds an index of the client's own, with the rows that are there.
    pub(super) fn declare(&mut self, column: u16, compare: Arc<Compare<R>>) {
        self.rows.declare(column, compare);
    }

    /// Shows the encoding of each row of the server's that a set holds, and how often it does.
    fn show_rows_of_set(&self, set: SetId, each: &mut dyn FnMut(&[u8], u32)) {
        let mut bytes = Writer::new();
        for (id, count) in self.rows.membership().rows_of(set) {
            if let Some(row) = self.rows.storage().live_row(id) {
                bytes.clear();
                row.encode(&mut bytes);
                each(bytes.as_slice(), count);
            }
        }
        self.overlay.shadowed_of(set, each);
    }
}
