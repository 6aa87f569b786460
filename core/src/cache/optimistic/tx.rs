//! What a mutation reads and writes with.

use core::any::{Any, TypeId};
use core::borrow::Borrow;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::hash::Hash;
use std::collections::BTreeMap;

use foldhash::{HashMap, HashSet};

use super::footprint::Footprint;
use super::local_table::{LocalTable, LocalTableMut};
use super::writes::{AnyWrites, TableWrites, base_of, identity_hash, same_row};
use super::{MutationError, MutationId, TempId};
use crate::cache::slots::RowId;
use crate::cache::view::TableView;
use crate::cache::{Cache, RegisterError, SetFailure, TableId, View};
use crate::schema::{Column, FindIn, HasKey, Row, Table, TableKind};

/// A transaction of a mutation's: it reads what readers see and what mutations before it and it itself wrote, and its
/// writes are kept if it does not fail.
///
/// Failing does not end the closure, it only makes the transaction void: so that `tx.insert(row)` needs no `?`.
pub struct LocalTx {
    view: View,
    mutation: MutationId,
    temp_ids: u32,
    writes: HashMap<TableId, Box<dyn AnyWrites>>,
    /// The order of the tables' first writes.
    order: Vec<TableId>,
    /// What the mutation that runs has read.
    reads: RefCell<BTreeMap<TableId, Reads>>,
    error: RefCell<Option<MutationError>>,
    /// Tables that were named and have no row type yet.
    wanted: RefCell<Vec<Want>>,
    /// Tables that cannot have the types by which they are named.
    refused: Vec<(TypeId, RegisterError)>,
}

/// A table that has to be given its row type for a mutation to run.
pub(in crate::cache) struct Want {
    pub(super) marker: TypeId,
    pub(super) register: fn(&mut Cache) -> Result<Vec<SetFailure>, RegisterError>,
}

/// What was read of one table, and, when that is over, written.
#[derive(Default)]
struct Reads {
    /// The hashes of the rows that were looked for.
    hashes: HashSet<u64>,
    /// Whether any row may have been looked at.
    scanned: bool,
    /// The hashes of the rows that were written: each was looked for.
    written: Vec<u64>,
}

/// What became of a mutation that ran.
pub(super) struct Ran {
    pub(super) footprints: Vec<(TableId, Footprint)>,
    pub(super) result: Result<(), MutationError>,
}

/// What mutations wrote to a table.
pub(super) type Writes = (TableId, Box<dyn AnyWrites>);

/// A table as readers see it.
pub(super) struct Base<'t, T: Table> {
    pub(super) table: TableId,
    pub(super) view: TableView<'t, T>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Insert,
    Update,
    Upsert,
}

std::thread_local! {
    static RUNNING: Cell<bool> = const { Cell::new(false) };
}

/// Whether a mutation runs on this thread: what holds the cache must not be asked for it again.
pub fn is_mutating() -> bool {
    RUNNING.get()
}

/// Running mutations.
impl LocalTx {
    pub(super) fn new(view: View, refused: Vec<(TypeId, RegisterError)>) -> Self {
        Self {
            view,
            mutation: MutationId(0),
            temp_ids: 0,
            writes: HashMap::default(),
            order: Vec::new(),
            reads: RefCell::default(),
            error: RefCell::new(None),
            wanted: RefCell::default(),
            refused,
        }
    }

    /// Runs `body` as this mutation: keeps what it writes, or nothing if it fails.
    pub(super) fn run_as(&mut self, mutation: MutationId, body: impl FnOnce(&mut Self)) -> Ran {
        (self.mutation, self.temp_ids) = (mutation, 0);
        // What is seen of it afterwards is undone.
        let run = std::panic::AssertUnwindSafe(|| body(self));
        let outer = RUNNING.replace(true);
        let outcome = std::panic::catch_unwind(run);
        RUNNING.set(outer);
        if let Err(panic) = outcome {
            self.fail_with(MutationError::Panicked(said(&*panic)));
        }
        let result = self.error.get_mut().take().map_or(Ok(()), Err);
        Ran { footprints: self.take_footprints(result.is_ok()), result }
    }

    /// Ends a run: keeps its writes or rolls them back, and says what it read and wrote.
    fn take_footprints(&mut self, keeps: bool) -> Vec<(TableId, Footprint)> {
        let mut reads = core::mem::take(self.reads.get_mut());
        let mut footprints = Vec::with_capacity(reads.len());
        for (table, writes) in &mut self.writes {
            if !keeps {
                writes.roll_back();
                continue;
            }
            let written = writes.keep();
            if let Some(reads) = reads.get_mut(table) {
                for hash in &written {
                    reads.hashes.remove(hash);
                }
                reads.written = written;
            }
        }
        for (table, Reads { hashes, scanned, written }) in reads {
            // Whoever may have looked at any row need not say at which.
            let read = hashes.into_iter().filter(|_| !scanned).collect();
            footprints.push((table, Footprint { read, written, scanned }));
        }
        footprints
    }

    /// The tables that have to be given their types for the mutations to run. If there are any, what was run is void.
    pub(super) fn take_wanted(&mut self) -> Vec<Want> {
        core::mem::take(self.wanted.get_mut())
    }

    /// What was written, in the order of the tables' first writes.
    pub(super) fn into_writes(mut self) -> Vec<Writes> {
        let order = self.order.into_iter();
        order.filter_map(|table| Some((table, self.writes.remove(&table)?))).collect()
    }

    fn fail_with(&self, error: MutationError) {
        self.error.borrow_mut().get_or_insert(error);
    }
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> Box<str> {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a text").into()
}

/// What mutations do.
impl LocalTx {
    /// The table `T`, to read.
    pub fn table<T: Table>(&self) -> LocalTable<'_, T> {
        LocalTable::new(self)
    }

    /// The table `T`, to read and write.
    pub fn table_mut<T: Table>(&mut self) -> LocalTableMut<'_, T> {
        LocalTableMut::new(self)
    }

    /// Inserts a row. Without a primary key, one that is there already changes nothing; with one, the mutation
    /// [fails](Self::fail) if it is taken.
    pub fn insert<R: Table<Row = R>>(&mut self, row: R) {
        self.table_mut::<R>().insert(row);
    }

    /// Replaces the row that has the same primary key. If there is none, the mutation [fails](Self::fail).
    pub fn update<R: Table<Row = R> + HasKey>(&mut self, row: R) {
        self.table_mut::<R>().update(row);
    }

    /// Replaces the row that has the same primary key, or inserts this one.
    pub fn upsert<R: Table<Row = R> + HasKey>(&mut self, row: R) {
        self.table_mut::<R>().upsert(row);
    }

    /// Deletes the row that has this one's primary key, or, where there is none, exactly this row; whether it was there.
    pub fn delete<R: Table<Row = R>>(&mut self, row: &R) -> bool {
        self.table_mut::<R>().delete(row)
    }

    /// Deletes the row with this value in a unique column; whether there was one.
    pub fn delete_by<R, V, K, Q>(&mut self, column: Column<R, V, K>, value: &Q) -> bool
    where
        R: Table<Row = R>,
        K: FindIn<R>,
        V: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.table_mut::<R>().delete_by(column, value)
    }

    /// The row with this value in a unique column.
    pub fn find<R, V, K, Q>(&self, column: Column<R, V, K>, value: &Q) -> Option<&R>
    where
        R: Table<Row = R>,
        K: FindIn<R>,
        V: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.table::<R>().find(column, value)
    }

    /// All rows of a table, in no order. A mutation that asks for them runs again whenever the table changes.
    pub fn iter<T: Table>(&self) -> impl Iterator<Item = &T::Row> {
        self.table::<T>().iter()
    }

    /// A key to stand in for the one that the server will give: no row of the server's has it, nor one of another pending
    /// mutation, and each run of this mutation gets the same ones in the same order.
    ///
    /// The row that carries it goes with the mutation, in the same transaction in which the server's row comes.
    pub fn temp_id<K: TempId>(&mut self) -> K {
        let index = self.temp_ids;
        self.temp_ids += 1;
        if index >= K::LIMIT {
            self.fail_with(MutationError::TooManyTempIds { limit: K::LIMIT });
        }
        K::temp_id(self.mutation, index % K::LIMIT)
    }

    /// Makes the mutation contribute nothing: this call is expected to be refused. It runs again when what it read
    /// changes.
    pub fn fail(&mut self, why: impl AsRef<str>) {
        self.fail_with(MutationError::Refused(why.as_ref().into()));
    }
}

/// Inner ways.
impl LocalTx {
    /// The table as readers see it.
    pub(super) fn base<T: Table>(&self) -> Option<Base<'_, T>> {
        let marker = TypeId::of::<T>();
        let table = self.view.epoch.tables.catalog.by_type.get(marker).map(TableId);
        let base = table.zip(self.view.table::<T>()).map(|(table, view)| Base { table, view });
        if base.is_none() {
            match self.refused.iter().find(|refused| refused.0 == marker) {
                Some((_, error)) => self.fail_with(error.clone().into()),
                None => {
                    let register = |cache: &mut Cache| Ok(cache.register::<T>()?.failed);
                    self.wanted.borrow_mut().push(Want { marker, register });
                }
            }
        }
        base
    }

    pub(super) fn writes<R: Row>(&self, table: TableId) -> Option<&TableWrites<R>> {
        let writes: &dyn Any = &**self.writes.get(&table)?;
        writes.downcast_ref()
    }

    fn writes_mut<R: Row>(&mut self, table: TableId) -> Option<&mut TableWrites<R>> {
        let order = &mut self.order;
        let writes = self.writes.entry(table).or_insert_with(|| {
            order.push(table);
            Box::new(TableWrites::<R>::new())
        });
        let writes: &mut dyn Any = &mut **writes;
        writes.downcast_mut()
    }

    fn note_read(&self, table: TableId, hash: u64) {
        self.reads.borrow_mut().entry(table).or_default().hashes.insert(hash);
    }

    pub(super) fn note_scan(&self, table: TableId) {
        self.reads.borrow_mut().entry(table).or_default().scanned = true;
    }

    /// Where a row is that is identified as `is` says.
    pub(super) fn locate<T: Table>(
        &self,
        base: &Base<'_, T>,
        hash: u64,
        is: impl Fn(&T::Row) -> bool,
    ) -> Place {
        self.note_read(base.table, hash);
        let writes = self.writes::<T::Row>(base.table);
        let write = writes.and_then(|writes| writes.find(base.view.snapshot, hash, &is));
        let id = if write.is_none() { base_of(&base.view, hash, is) } else { None };
        let is_there = match (write, writes) {
            (Some(at), Some(writes)) => writes.row(at).is_some(),
            _ => id.is_some(),
        };
        Place { table: base.table, hash, write, base: id, is_there }
    }

    pub(super) fn locate_row<T: Table>(&self, base: &Base<'_, T>, row: &T::Row) -> Place {
        let keyed = T::DEF.primary_key.is_some();
        let hash = identity_hash(row, keyed, &base.view.snapshot.hasher);
        self.locate(base, hash, |other| same_row(row, other, keyed))
    }

    /// The row at a place.
    pub(super) fn row_at<'t, T: Table>(
        &'t self,
        base: &Base<'t, T>,
        place: &Place,
    ) -> Option<&'t T::Row> {
        match place.write {
            Some(at) => self.writes::<T::Row>(place.table)?.row(at),
            None => base.view.snapshot.chunks.row(place.base?),
        }
    }

    pub(super) fn write<T: Table>(&mut self, row: T::Row, mode: Mode) {
        let name = T::DEF.name;
        if T::DEF.kind == TableKind::Event {
            return self.fail_with(MutationError::EventTable { table: name });
        }
        let Some(base) = self.base::<T>() else { return };
        let place = self.locate_row::<T>(&base, &row);
        match (mode, place.is_there) {
            (Mode::Insert, true) if T::DEF.primary_key.is_some() => {
                return self.fail_with(MutationError::KeyTaken { table: name });
            }
            // A table without a key is a set of rows.
            (Mode::Insert, true) => return,
            (Mode::Update, false) => {
                return self.fail_with(MutationError::NoSuchRow { table: name });
            }
            _ => (),
        }
        if let Some(writes) = self.writes_mut::<T::Row>(place.table) {
            writes.put(place.write, place.base, row, place.hash);
        }
    }

    pub(super) fn delete_at<R: Row>(&mut self, place: &Place) -> bool {
        if place.is_there
            && let Some(writes) = self.writes_mut::<R>(place.table)
        {
            writes.delete(place.write, place.base, place.hash);
        }
        place.is_there
    }
}

/// Where a row is, or would be: its write, if there is one, else its place in the view.
pub(super) struct Place {
    table: TableId,
    hash: u64,
    write: Option<usize>,
    base: Option<RowId>,
    is_there: bool,
}

impl fmt::Debug for LocalTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalTx").field("mutation", &self.mutation).finish_non_exhaustive()
    }
}
