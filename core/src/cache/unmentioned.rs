//! Tables whose rows come and that the program does not mention: how many there may be, and when they are forgotten.
//!
//! A server chooses their names, so what they take is bounded. A name that is new costs the same however many there are.
//! A table is forgotten when it has no rows and query sets have ended since, or when there is no room for another; its
//! id is given to the next one. Nobody else keeps ids of such tables but transactions, which have the tables of their time.

use std::sync::Arc;

use super::error::OutOfSyncKind;
use super::table::TableStore;
use super::table::raw::RawRow;
use super::{Cache, TableId};

/// Bytes that a table takes beside its rows and its name.
const TABLE_BYTES: usize = 2048;

/// Bookkeeping of tables that the program does not mention.
#[derive(Debug, Default)]
pub(super) struct Unmentioned {
    /// Bytes that they take.
    bytes: usize,
    /// Ids of tables that were forgotten.
    free: Vec<TableId>,
    /// Query sets have ended, and some tables that had their rows may still be there.
    sets_ended: bool,
}

const fn cost(name: &str) -> usize {
    TABLE_BYTES + name.len()
}

impl Cache {
    /// The table of this name, made raw if there is none.
    pub(super) fn table_named(&mut self, name: &str) -> TableId {
        if let Some(table) = self.catalog.by_name.get(name) {
            return TableId(table);
        }
        self.unmentioned.bytes += cost(name);
        let name: Arc<str> = name.into();
        let id = self.unmentioned.free.pop();
        let table = id.unwrap_or(TableId(self.tables.len() as u32));
        let store = Box::new(TableStore::<RawRow>::new(table, Arc::clone(&name), None));
        match self.tables.get_mut(table.0 as usize) {
            Some(forgotten) => *forgotten = store,
            None => self.tables.push(store),
        }
        self.touch(table);
        self.catalog.by_name.insert(name, table.0);
        self.catalog_changed = true;
        table
    }

    /// As [`table_named`](Self::table_named), for rows of the server's: those tables are bounded. `named` are not forgotten
    /// to make room.
    pub(super) fn table_of_rows(
        &mut self,
        name: &str,
        named: &[TableId],
    ) -> Result<TableId, OutOfSyncKind> {
        let limit = self.config.max_table_bytes;
        let has_room = |cache: &Self| cache.unmentioned.bytes + cost(name) <= limit;
        if self.catalog.by_name.get(name).is_none() && !has_room(self) {
            self.forget_unused_tables(named);
            if !has_room(self) {
                return Err(OutOfSyncKind::TooManyTables { limit });
            }
        }
        Ok(self.table_named(name))
    }

    /// The program mentions a table: it is not among these any more.
    pub(super) fn mention_table(&mut self, name: &str) {
        self.unmentioned.bytes -= cost(name);
    }

    /// Query sets have ended: tables that had only their rows are forgotten when nobody sees these any more.
    pub(super) fn note_ended_sets(&mut self) {
        self.unmentioned.sets_ended = true;
    }

    /// Forgets tables that are empty since query sets ended. No change may be under way.
    pub(super) fn forget_tables_of_ended_sets(&mut self) {
        if !self.unmentioned.sets_ended {
            return;
        }
        let is_raw = |table: &TableId| self.tables[table.0 as usize].def().is_none();
        let touched: Vec<_> = self.unclean_tables().iter().copied().filter(is_raw).collect();
        let mut left = false;
        for table in touched {
            let store = &self.tables[table.0 as usize];
            if store.is_unused() {
                self.forget_table(table);
            } else {
                left |= store.is_empty();
            }
        }
        self.unmentioned.sets_ended = left;
    }

    fn forget_unused_tables(&mut self, named: &[TableId]) {
        let mut keep = vec![false; self.tables.len()];
        named.iter().for_each(|table| keep[table.0 as usize] = true);
        for (table, keep) in (0..).map(TableId).zip(keep) {
            if !keep && self.tables[table.0 as usize].is_unused() {
                self.forget_table(table);
            }
        }
    }

    fn forget_table(&mut self, table: TableId) {
        let place = table.0 as usize;
        let name = Arc::clone(self.tables[place].name());
        if self.catalog.by_name.get(&name) != Some(table.0) {
            return;
        }
        self.catalog.by_name.remove(&name);
        self.catalog_changed = true;
        self.unmentioned.bytes -= cost(&name);
        self.unmentioned.free.push(table);
        self.tables[place] = Box::new(TableStore::<RawRow>::new(table, "".into(), None));
        self.touch(table);
    }
}
