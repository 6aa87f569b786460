//! What a mutation reads and writes with.

use core::any::{Any, TypeId};
use core::borrow::Borrow;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::marker::PhantomData;

use foldhash::{HashMap, HashMapExt, HashSet};

use super::writes::{AnyWrites, TableWrites, base_of, identity_hash, same_row};
use super::{MutationError, MutationId, TempId};
use crate::cache::slots::RowId;
use crate::cache::view::TableView;
use crate::cache::{Cache, RegisterError, SetFailure, View};
use crate::schema::{Column, FindIn, HasKey, Row, Table, TableKind};

/// A transaction of a mutation's: it reads what readers see and what mutations before it and it itself wrote, and its
/// writes are kept if it does not fail.
///
/// Failing does not end the closure, it only makes the transaction void: so that `tx.insert(row)` needs no `?`.
pub struct LocalTx {
    view: View,
    mutation: MutationId,
    temp_ids: u32,
    writes: HashMap<TypeId, Box<dyn AnyWrites>>,
    /// The order of the tables' first mentions.
    order: Vec<TypeId>,
    reads: RefCell<HashMap<TypeId, Reads>>,
    error: RefCell<Option<MutationError>>,
    /// Tables that were named and have no row type yet.
    wanted: RefCell<Vec<Want>>,
}

/// Gives a table its row type.
pub(super) type Want = fn(&mut Cache) -> Result<Vec<SetFailure>, RegisterError>;

/// What was read of one table.
#[derive(Default)]
pub(super) struct Reads {
    /// The hashes of the rows that were looked for, and of those that were written.
    pub(super) hashes: HashSet<u64>,
    /// Whether any row may have been looked at.
    pub(super) scanned: bool,
}

/// What the mutations that ran read and wrote.
pub(super) struct Ran {
    /// In the order of the tables' first writes.
    pub(super) writes: Vec<Box<dyn AnyWrites>>,
    pub(super) reads: HashMap<TypeId, Reads>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
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
    pub(super) fn new(view: View) -> Self {
        Self {
            view,
            mutation: MutationId(0),
            temp_ids: 0,
            writes: HashMap::new(),
            order: Vec::new(),
            reads: RefCell::default(),
            error: RefCell::new(None),
            wanted: RefCell::default(),
        }
    }

    /// Runs `body` as this mutation: keeps what it writes, or nothing if it fails.
    pub(super) fn run_as(
        &mut self,
        mutation: MutationId,
        body: impl FnOnce(&mut Self),
    ) -> Result<(), MutationError> {
        (self.mutation, self.temp_ids) = (mutation, 0);
        // What is seen of it afterwards is undone.
        let run = std::panic::AssertUnwindSafe(|| body(self));
        let outer = RUNNING.replace(true);
        let outcome = std::panic::catch_unwind(run);
        RUNNING.set(outer);
        if let Err(panic) = outcome {
            self.fail_with(MutationError::Panicked(said(&*panic)));
        }
        match self.error.get_mut().take() {
            None => {
                self.writes.values_mut().for_each(|writes| writes.keep());
                Ok(())
            }
            Some(error) => {
                self.writes.values_mut().for_each(|writes| writes.roll_back());
                Err(error)
            }
        }
    }

    /// The tables that have to be given their types for the mutations to run.
    pub(super) fn take_wanted(&mut self) -> Vec<Want> {
        core::mem::take(self.wanted.get_mut())
    }

    pub(super) fn into_ran(mut self) -> Ran {
        let order = self.order.into_iter();
        Ran {
            writes: order.filter_map(|table| self.writes.remove(&table)).collect(),
            reads: self.reads.into_inner(),
        }
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
        LocalTable { tx: self, table: PhantomData }
    }

    /// The table `T`, to read and write.
    pub fn table_mut<T: Table>(&mut self) -> LocalTableMut<'_, T> {
        LocalTableMut { tx: self, table: PhantomData }
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
    fn base<T: Table>(&self) -> Option<TableView<'_, T>> {
        let view = self.view.table::<T>();
        if view.is_none() {
            self.wanted.borrow_mut().push(|cache| Ok(cache.register::<T>()?.failed));
            self.fail_with(MutationError::Unmentioned { table: T::DEF.name });
        }
        view
    }

    fn writes<T: Table>(&self) -> Option<&TableWrites<T>> {
        let writes: &dyn Any = &**self.writes.get(&TypeId::of::<T>())?;
        writes.downcast_ref()
    }

    fn writes_mut<T: Table>(&mut self) -> Option<&mut TableWrites<T>> {
        let table = TypeId::of::<T>();
        let order = &mut self.order;
        let writes = self.writes.entry(table).or_insert_with(|| {
            order.push(table);
            Box::new(TableWrites::<T>::new())
        });
        let writes: &mut dyn Any = &mut **writes;
        writes.downcast_mut()
    }

    fn note_read<T: Table>(&self, hash: u64) {
        self.reads.borrow_mut().entry(TypeId::of::<T>()).or_default().hashes.insert(hash);
    }

    fn note_scan<T: Table>(&self) {
        self.reads.borrow_mut().entry(TypeId::of::<T>()).or_default().scanned = true;
    }

    /// Where a row is that is identified as `is` says: its write, if there is one, else its place in the view.
    fn locate<T: Table>(
        &self,
        hash: u64,
        is: impl Fn(&T::Row) -> bool,
    ) -> Option<(Option<usize>, Option<RowId>)> {
        self.note_read::<T>(hash);
        let base = self.base::<T>()?;
        let at = self.writes::<T>().and_then(|writes| writes.find(base.snapshot, hash, &is));
        let id = if at.is_none() { base_of(&base, hash, is) } else { None };
        Some((at, id))
    }

    fn write<T: Table>(&mut self, row: T::Row, mode: Mode) {
        let name = T::DEF.name;
        if T::DEF.kind == TableKind::Event {
            return self.fail_with(MutationError::EventTable { table: name });
        }
        let Some(hasher) = self.base::<T>().map(|base| base.snapshot.hasher.clone()) else {
            return;
        };
        let hash = identity_hash::<T>(&row, &hasher);
        let Some((at, base)) = self.locate::<T>(hash, |other| same_row::<T>(&row, other)) else {
            return;
        };
        let is_there = match at {
            Some(at) => self.writes::<T>().is_some_and(|writes| writes.row(at).is_some()),
            None => base.is_some(),
        };
        match (mode, is_there) {
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
        let mutation = self.mutation;
        if let Some(writes) = self.writes_mut::<T>() {
            writes.put(at, base, row, hash, mutation);
        }
    }

    fn delete_located<T: Table>(
        &mut self,
        hash: u64,
        at: Option<usize>,
        base: Option<RowId>,
    ) -> bool {
        let is_there = match at {
            Some(at) => self.writes::<T>().is_some_and(|writes| writes.row(at).is_some()),
            None => base.is_some(),
        };
        let mutation = self.mutation;
        if is_there && let Some(writes) = self.writes_mut::<T>() {
            writes.delete(at, base, hash, mutation);
        }
        is_there
    }
}

/// A table as a mutation sees it.
pub struct LocalTable<'t, T> {
    tx: &'t LocalTx,
    table: PhantomData<fn() -> T>,
}

impl<'t, T: Table> LocalTable<'t, T> {
    /// The row with this primary key.
    pub fn get<Q>(&self, key: &Q) -> Option<&'t T::Row>
    where
        T: HasKey,
        <T::Row as Row>::Key: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let base = self.tx.base::<T>()?;
        let hash = base.snapshot.hasher.hash_one(key);
        let (at, id) = self.tx.locate::<T>(hash, |row| row.key().borrow() == key)?;
        match at {
            Some(at) => self.tx.writes::<T>()?.row(at),
            None => base.snapshot.chunks.row(id?),
        }
    }

    /// The row with this value in a unique column.
    pub fn find<V, K, Q>(&self, column: Column<T::Row, V, K>, value: &Q) -> Option<&'t T::Row>
    where
        K: FindIn<T>,
        V: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let base = self.tx.base::<T>()?;
        let is = |row: &T::Row| column.get(row).borrow() == value;
        if K::PRIMARY {
            let hash = base.snapshot.hasher.hash_one(value);
            let (at, id) = self.tx.locate::<T>(hash, is)?;
            return match at {
                Some(at) => self.tx.writes::<T>()?.row(at),
                None => base.snapshot.chunks.row(id?),
            };
        }
        // Any row may get this value.
        self.tx.note_scan::<T>();
        let Some(writes) = self.tx.writes::<T>() else { return base.find(column, value) };
        let written = writes.rows().find(|row| is(row));
        written.or_else(|| base.find(column, value).filter(|row| !self.is_replaced(&base, row)))
    }

    /// All rows, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &'t T::Row> + use<'t, T> {
        self.tx.note_scan::<T>();
        let writes = self.tx.writes::<T>();
        let base = self.tx.base::<T>().into_iter().flat_map(|base| base.iter_with_ids());
        let rest = base.filter(move |(id, _)| writes.is_none_or(|writes| !writes.replaces(*id)));
        let written = writes.into_iter().flat_map(TableWrites::rows);
        rest.map(|(_, row)| row).chain(written)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    fn is_replaced(&self, base: &TableView<'_, T>, row: &T::Row) -> bool {
        let hash = identity_hash::<T>(row, &base.snapshot.hasher);
        let id = base_of(base, hash, |other| same_row::<T>(row, other));
        let writes = self.tx.writes::<T>();
        id.zip(writes).is_some_and(|(id, writes)| writes.replaces(id))
    }
}

/// A table as a mutation changes it.
pub struct LocalTableMut<'t, T> {
    tx: &'t mut LocalTx,
    table: PhantomData<fn() -> T>,
}

impl<T: Table> LocalTableMut<'_, T> {
    /// As [`LocalTx::insert`].
    pub fn insert(&mut self, row: T::Row) {
        self.tx.write::<T>(row, Mode::Insert);
    }

    /// As [`LocalTx::update`].
    pub fn update(&mut self, row: T::Row)
    where
        T: HasKey,
    {
        self.tx.write::<T>(row, Mode::Update);
    }

    /// As [`LocalTx::upsert`].
    pub fn upsert(&mut self, row: T::Row)
    where
        T: HasKey,
    {
        self.tx.write::<T>(row, Mode::Upsert);
    }

    /// As [`LocalTx::delete`].
    pub fn delete(&mut self, row: &T::Row) -> bool {
        let Some(base) = self.tx.base::<T>() else { return false };
        let hash = identity_hash::<T>(row, &base.snapshot.hasher);
        let found = self.tx.locate::<T>(hash, |other| same_row::<T>(row, other));
        found.is_some_and(|(at, base)| self.tx.delete_located::<T>(hash, at, base))
    }

    /// As [`LocalTx::delete_by`].
    pub fn delete_by<V, K, Q>(&mut self, column: Column<T::Row, V, K>, value: &Q) -> bool
    where
        K: FindIn<T>,
        V: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let Some(base) = self.tx.base::<T>() else { return false };
        let Some(row) = self.tx.table::<T>().find(column, value) else { return false };
        let hash = identity_hash::<T>(row, &base.snapshot.hasher);
        let found = self.tx.locate::<T>(hash, |other| same_row::<T>(row, other));
        found.is_some_and(|(at, base)| self.tx.delete_located::<T>(hash, at, base))
    }
}

impl fmt::Debug for LocalTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalTx").field("mutation", &self.mutation).finish_non_exhaustive()
    }
}

impl<T: Table> fmt::Debug for LocalTable<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalTable").field("table", &T::DEF.name).finish_non_exhaustive()
    }
}

impl<T: Table> fmt::Debug for LocalTableMut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalTableMut").field("table", &T::DEF.name).finish_non_exhaustive()
    }
}
