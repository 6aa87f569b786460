//! Tables of a cache: by id, name and type, which of them have something to publish or to reclaim, and how many the
//! program does not mention.
//!
//! A server chooses the names of tables that the program does not mention, so what they take is bounded. A name that is new
//! costs the same however many there are. Such a table is forgotten when it has no rows and query sets have ended since,
//! or when there is no room for another; its id is given to the next one. Only transactions keep ids of such tables, and
//! they have the tables of their time.

use core::any::{Any, TypeId};
use core::ops::{Index, IndexMut};
use std::sync::Arc;

use super::TableId;
use super::error::OutOfSyncKind;
use super::read::catalog::Catalog;
use super::read::epoch::Tables;
use super::read::snapshots::Snapshots;
use super::table::TableStore;
use super::table::any::{AnyTable, Dead, QuietWork};
use super::table::raw::RawRow;
use crate::schema::Row;

/// Bytes that a table takes beside its rows and its name.
const TABLE_BYTES: usize = 2048;

/// Tables as their writer has them.
pub(super) struct TableSet {
    /// By [`TableId`].
    list: Vec<Box<dyn AnyTable>>,
    catalog: Catalog,
    /// `true` if readers do not have the catalog yet.
    is_catalog_changed: bool,
    /// Views that have no rows without arguments.
    with_arguments: Vec<TableId>,
    unclean: Unclean,
    unmentioned: Unmentioned,
}

/// Tables in which there may be something to publish or to reclaim: so that the others cost nothing.
#[derive(Debug, Default)]
struct Unclean {
    /// In the order in which they were touched.
    tables: Vec<TableId>,
    /// Marks of the tables that are among them.
    marks: Vec<bool>,
}

impl Unclean {
    fn add(&mut self, table: TableId) {
        let place = table.0 as usize;
        if self.marks.len() <= place {
            self.marks.resize(place + 1, false);
        }
        if !core::mem::replace(&mut self.marks[place], true) {
            self.tables.push(table);
        }
    }

    fn retain(&mut self, is_unclean: impl Fn(TableId) -> bool) {
        self.tables.retain(|&table| {
            self.marks[table.0 as usize] = is_unclean(table);
            self.marks[table.0 as usize]
        });
    }
}

/// Bookkeeping of tables that the program does not mention.
#[derive(Debug, Default)]
struct Unmentioned {
    /// Bytes that they take.
    bytes: usize,
    /// Ids of tables that were forgotten.
    free: Vec<TableId>,
    /// `true` if query sets have ended, and some tables that had their rows may still be there.
    sets_ended: bool,
}

const fn cost(name: &str) -> usize {
    TABLE_BYTES + name.len()
}

impl Index<TableId> for TableSet {
    type Output = dyn AnyTable;

    #[inline]
    fn index(&self, table: TableId) -> &dyn AnyTable {
        &*self.list[table.0 as usize]
    }
}

impl IndexMut<TableId> for TableSet {
    #[inline]
    fn index_mut(&mut self, table: TableId) -> &mut dyn AnyTable {
        &mut *self.list[table.0 as usize]
    }
}

/// Lookup.
impl TableSet {
    pub(super) fn new() -> Self {
        Self {
            list: Vec::new(),
            catalog: Catalog::new(),
            is_catalog_changed: false,
            with_arguments: Vec::new(),
            unclean: Unclean::default(),
            unmentioned: Unmentioned::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (TableId, &dyn AnyTable)> {
        (0..).map(TableId).zip(self.list.iter().map(|table| &**table))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (TableId, &mut Box<dyn AnyTable>)> {
        (0..).map(TableId).zip(&mut self.list)
    }

    pub(super) fn get(&self, table: TableId) -> Option<&dyn AnyTable> {
        self.list.get(table.0 as usize).map(|table| &**table)
    }

    /// A table that has this row type.
    pub(super) fn typed<R: Row>(&self, table: TableId) -> Option<&TableStore<R>> {
        let table: &dyn Any = self.get(table)?;
        table.downcast_ref()
    }

    pub(super) fn typed_mut<R: Row>(&mut self, table: TableId) -> Option<&mut TableStore<R>> {
        let table: &mut dyn Any = &mut **self.list.get_mut(table.0 as usize)?;
        table.downcast_mut()
    }

    /// The table of a marker type, if it has its row type.
    pub(super) fn of_type(&self, marker: TypeId) -> Option<TableId> {
        self.catalog.by_type.get(marker).map(TableId)
    }

    /// The names of the tables that have their types, but for views with arguments.
    pub(super) fn registered(&self) -> impl Iterator<Item = &'static str> {
        let tables = self.iter().filter(|(id, _)| !self.with_arguments.contains(id));
        tables.filter_map(|(_, table)| table.def().map(|def| def.name))
    }

    /// Lets a table be found by a marker type; a view with arguments has no rows without.
    pub(super) fn set_type(&mut self, marker: TypeId, table: TableId, has_arguments: bool) {
        if has_arguments {
            self.with_arguments.push(table);
        }
        self.catalog.by_type.insert(marker, table.0);
        self.is_catalog_changed = true;
    }

    /// Puts a table in the place of another, which is returned.
    pub(super) fn replace(&mut self, table: TableId, by: Box<dyn AnyTable>) -> Box<dyn AnyTable> {
        self.touch(table);
        core::mem::replace(&mut self.list[table.0 as usize], by)
    }
}

/// Pending work.
impl TableSet {
    /// Notes that there may be something to publish or to reclaim.
    pub(super) fn touch(&mut self, table: TableId) {
        self.unclean.add(table);
    }

    /// Visits the tables in which there may be something to reclaim.
    pub(super) fn each_unclean(&mut self, mut each: impl FnMut(TableId, &mut dyn AnyTable)) {
        for &table in &self.unclean.tables {
            each(table, &mut *self.list[table.0 as usize]);
        }
    }

    fn unclean(&self) -> impl Iterator<Item = &dyn AnyTable> {
        self.unclean.tables.iter().map(|&table| &self[table])
    }

    /// Forgets which tables had something to reclaim that have nothing any more.
    pub(super) fn retain_unclean(&mut self) {
        let list = &self.list;
        self.unclean.retain(|table| !list[table.0 as usize].is_clean());
    }

    /// The rows that left and may be seen by views.
    pub(super) fn dead(&self) -> Dead {
        self.unclean().map(AnyTable::dead).fold(Dead::default(), |all, dead| Dead {
            rows: all.rows + dead.rows,
            bytes: all.bytes + dead.bytes,
        })
    }

    /// The memory that rows take which left and are not freed yet.
    pub(super) fn garbage_bytes(&self) -> usize {
        self.unclean().map(AnyTable::retired_bytes).sum::<usize>() + self.dead().bytes
    }

    pub(super) fn wants(&self, work: QuietWork) -> bool {
        self.unclean().any(|table| table.wants(work))
    }

    /// Does work on rows, in `published`, which has no other owner.
    pub(super) fn work_quietly(
        &mut self,
        work: QuietWork,
        published: &mut Tables,
        budget: &mut usize,
    ) {
        for table in &self.unclean.tables {
            let place = table.0 as usize;
            let table = &mut *self.list[place];
            if let Some(published) = published.snapshots.get_unshared(place)
                && table.wants(work)
                && *budget > 0
            {
                table.work_quietly(work, published, budget);
            }
        }
    }
}

/// Publishing.
impl TableSet {
    /// Tables of an empty set, for readers.
    pub(super) fn empty(&self) -> Tables {
        Tables { catalog: self.catalog.clone(), snapshots: Snapshots::default() }
    }

    /// Returns `true` if readers do not have all that they should.
    pub(super) fn is_unpublished(&self) -> bool {
        self.is_catalog_changed || self.unclean().any(AnyTable::is_unpublished)
    }

    /// The tables for readers that have `old` ones, but for those that are held back.
    pub(super) fn publish(
        &mut self,
        old: &Arc<Tables>,
        is_held_back: impl Fn(TableId) -> bool,
    ) -> Arc<Tables> {
        let mut new = None;
        for &table in self.unclean.tables.iter().filter(|table| !is_held_back(**table)) {
            let place = table.0 as usize;
            let Some(snapshot) = self.list[place].publish() else { continue };
            let tables = new.get_or_insert_with(|| Tables::clone(old));
            tables.snapshots.set(place, snapshot);
        }
        if core::mem::take(&mut self.is_catalog_changed) {
            let tables = new.get_or_insert_with(|| Tables::clone(old));
            tables.catalog = self.catalog.clone();
        }
        new.map_or_else(|| Arc::clone(old), Arc::new)
    }

    /// The tables as they will be for readers when the change under way is published.
    pub(super) fn peek(&self, old: &Tables) -> Tables {
        let mut tables = Tables::clone(old);
        for (place, table) in self.list.iter().enumerate() {
            tables.snapshots.set(place, table.peek());
        }
        tables.catalog = self.catalog.clone();
        tables
    }
}

/// Names.
impl TableSet {
    /// The table of this name, made raw if there is none.
    pub(super) fn named(&mut self, name: &str) -> TableId {
        if let Some(table) = self.catalog.by_name.get(name) {
            return TableId(table);
        }
        self.unmentioned.bytes += cost(name);
        let name: Arc<str> = name.into();
        let id = self.unmentioned.free.pop();
        let table = id.unwrap_or(TableId(self.list.len() as u32));
        let store = Box::new(TableStore::<RawRow>::new(table, Arc::clone(&name), None));
        match self.list.get_mut(table.0 as usize) {
            Some(forgotten) => *forgotten = store,
            None => self.list.push(store),
        }
        self.touch(table);
        self.catalog.by_name.insert(name, table.0);
        self.is_catalog_changed = true;
        table
    }

    /// As [`named`](Self::named), for rows of the server's: those tables take `limit` bytes at most. `kept` are not
    /// forgotten to make room.
    pub(super) fn of_rows(
        &mut self,
        name: &str,
        kept: &[TableId],
        limit: usize,
    ) -> Result<TableId, OutOfSyncKind> {
        let has_room = |tables: &Self| tables.unmentioned.bytes + cost(name) <= limit;
        if self.catalog.by_name.get(name).is_none() && !has_room(self) {
            self.forget_unused(kept);
            if !has_room(self) {
                return Err(OutOfSyncKind::TooManyTables { limit });
            }
        }
        Ok(self.named(name))
    }

    /// Notes that the program mentions a table.
    pub(super) fn mention(&mut self, name: &str) {
        self.unmentioned.bytes -= cost(name);
    }

    /// Notes that query sets have ended: tables that had only their rows are forgotten when no view sees these any more.
    pub(super) fn note_ended_sets(&mut self) {
        self.unmentioned.sets_ended = true;
    }

    /// Forgets tables that are empty since query sets ended. No change may be under way.
    pub(super) fn forget_tables_of_ended_sets(&mut self) {
        if !self.unmentioned.sets_ended {
            return;
        }
        let mut is_any_left = false;
        for table in self.unclean.tables.clone() {
            let store = &self[table];
            if store.def().is_none() && store.is_unused() {
                self.forget(table);
            } else {
                is_any_left |= store.def().is_none() && store.is_empty();
            }
        }
        self.unmentioned.sets_ended = is_any_left;
    }

    fn forget_unused(&mut self, kept: &[TableId]) {
        let mut is_kept = vec![false; self.list.len()];
        kept.iter().for_each(|table| is_kept[table.0 as usize] = true);
        for (table, is_kept) in (0..).map(TableId).zip(is_kept) {
            if !is_kept && self[table].is_unused() {
                self.forget(table);
            }
        }
    }

    fn forget(&mut self, table: TableId) {
        let place = table.0 as usize;
        let name = Arc::clone(self.list[place].name());
        if self.catalog.by_name.get(&name) != Some(table.0) {
            return;
        }
        self.catalog.by_name.remove(&name);
        self.is_catalog_changed = true;
        self.unmentioned.bytes -= cost(&name);
        self.unmentioned.free.push(table);
        self.list[place] = Box::new(TableStore::<RawRow>::new(table, "".into(), None));
        self.touch(table);
    }
}
