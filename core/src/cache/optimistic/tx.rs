//! Transactions of mutations: reads and writes of the one that runs.

use core::any::{Any, TypeId};
use core::borrow::Borrow;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::hash::Hash;
use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashMap;

use super::footprint::{Extent, Footprint, Reads, Turn};
use super::layer::{AnyLayer, KeyId, Layer};
use super::local_table::{LocalTable, LocalTableMut};
use super::pending::{Pending, Ran};
use super::writes::{AnyWrites, Below, TableWrites, identity_hash, row_in_slot, same_row};
use super::{Mutation, MutationError, MutationId, TempId};
use crate::bsatn::{Encode as _, Writer};
use crate::cache::stamp::Stamp;
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
    /// What other mutations wrote, for one that runs again: it must not see those after it. What the last one finds is
    /// what readers see.
    layers: Option<Layers>,
    temp_ids: u32,
    writes: HashMap<TableId, Box<dyn AnyWrites>>,
    /// The order of the tables' first writes.
    order: Vec<TableId>,
    /// Reads of the mutation that runs.
    reads: RefCell<BTreeMap<TableId, Reads>>,
    error: RefCell<Option<MutationError>>,
    /// Tables that were named and have no row type yet.
    wanted: RefCell<Vec<Want>>,
    /// Tables that cannot have the types by which they are named.
    refused: Vec<(TypeId, RegisterError)>,
}

/// The layers of all tables, and who reads through them.
struct Layers {
    by_table: HashMap<TableId, Box<dyn AnyLayer>>,
    turn: Turn,
}

/// A table that has to be given its row type for a mutation to run.
pub(in crate::cache) struct Want {
    pub(super) marker: TypeId,
    pub(super) register: fn(&mut Cache) -> Result<Vec<SetFailure>, RegisterError>,
}

/// What a mutation did to a table.
pub(super) struct Touch {
    pub(super) table: TableId,
    pub(super) reads: Reads,
    pub(super) writes: Option<Box<dyn AnyWrites>>,
}

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

/// Returns `true` while a mutation runs on this thread: the cache's lock must not be taken again.
pub fn is_mutating() -> bool {
    RUNNING.get()
}

/// Running mutations.
impl LocalTx {
    pub(super) fn new(view: View, refused: Vec<(TypeId, RegisterError)>) -> Self {
        Self {
            view,
            mutation: MutationId(0),
            layers: None,
            temp_ids: 0,
            writes: HashMap::default(),
            order: Vec::new(),
            reads: RefCell::default(),
            error: RefCell::new(None),
            wanted: RefCell::default(),
            refused,
        }
    }

    /// Lets mutations run in it that ran before, over the layers of tables.
    pub(super) fn with_layers(mut self, by_table: HashMap<TableId, Box<dyn AnyLayer>>) -> Self {
        self.layers = Some(Layers { by_table, turn: Turn(0) });
        self
    }

    pub(super) fn into_layers(self) -> HashMap<TableId, Box<dyn AnyLayer>> {
        self.layers.map(|layers| layers.by_table).unwrap_or_default()
    }

    /// Runs a mutation. What it did is to be taken before another one runs.
    pub(super) fn run(
        &mut self,
        id: MutationId,
        mutation: &dyn Mutation,
    ) -> Result<(), MutationError> {
        (self.mutation, self.temp_ids) = (id, 0);
        // What is seen of it afterwards is undone.
        let run = std::panic::AssertUnwindSafe(|| mutation.run(self));
        let outer = RUNNING.replace(true);
        let outcome = std::panic::catch_unwind(run);
        RUNNING.set(outer);
        if let Err(panic) = outcome {
            self.fail_with(MutationError::Panicked(said(&*panic)));
        }
        let result = self.error.get_mut().take().map_or(Ok(()), Err);
        if result.is_err() {
            self.writes.clear();
            self.order.clear();
        }
        result
    }

    /// What the mutation did, in the order of the tables' first writes; then the tables that it only read.
    pub(super) fn take_touches(&mut self) -> Vec<Touch> {
        let mut reads = core::mem::take(self.reads.get_mut());
        let written = core::mem::take(&mut self.order).into_iter().map(|table| Touch {
            table,
            reads: reads.remove(&table).unwrap_or_default(),
            writes: self.writes.remove(&table),
        });
        let mut touches: Vec<_> = written.collect();
        let rest = reads.into_iter().map(|(table, reads)| Touch { table, reads, writes: None });
        touches.extend(rest);
        touches
    }

    /// As [`run`](Self::run), of a mutation that ran before: what it writes takes the place of what it wrote then, and
    /// those after it for whom that makes a difference are found.
    pub(super) fn run_again(
        &mut self,
        turn: Turn,
        pending: &Pending,
        found: &mut BTreeSet<Turn>,
    ) -> Ran {
        if let Some(layers) = &mut self.layers {
            layers.turn = turn;
        }
        let result = self.run(pending.id, &*pending.mutation);
        let mut footprints = Vec::new();
        let touches = self.take_touches();
        let only_before = pending.footprints.iter().filter(|(table, footprint)| {
            !footprint.written().is_empty() && touches.iter().all(|touch| touch.table != *table)
        });
        for (table, footprint) in only_before {
            self.rewrite(*table, turn, footprint.written(), None, found);
        }
        for Touch { table, reads, writes } in touches {
            let before = pending.footprints.iter().find(|before| before.0 == table);
            let before = before.map_or(&[][..], |(_, footprint)| footprint.written());
            let written = self.rewrite(table, turn, before, writes, found);
            footprints.push((table, Footprint::new(reads, written)));
        }
        Ran { turn, footprints, result }
    }

    /// Puts what a mutation wrote to a table in the place of what it wrote there before.
    fn rewrite(
        &mut self,
        table: TableId,
        turn: Turn,
        before: &[KeyId],
        writes: Option<Box<dyn AnyWrites>>,
        found: &mut BTreeSet<Turn>,
    ) -> Vec<KeyId> {
        let epoch = &self.view.epoch;
        let (Some(layers), Some(snapshot)) = (&mut self.layers, epoch.tables.untyped_at(table.0))
        else {
            return Vec::new();
        };
        let at = Stamp::of(epoch.version);
        match (layers.by_table.get_mut(&table), writes) {
            (Some(layer), Some(writes)) => {
                writes.replace(&mut **layer, turn, before, (snapshot, at), found)
            }
            (None, Some(writes)) => {
                let layer =
                    layers.by_table.entry(table).or_insert_with(|| writes.new_layer(snapshot));
                writes.replace(&mut **layer, turn, before, (snapshot, at), found)
            }
            (Some(layer), None) => {
                layer.withdraw_from(before, turn, snapshot, at, found);
                Vec::new()
            }
            (None, None) => Vec::new(),
        }
    }

    /// The tables that have to be given their types for the mutations to run. If there are any, what was run is void.
    pub(super) fn take_wanted(&mut self) -> Vec<Want> {
        core::mem::take(self.wanted.get_mut())
    }

    fn fail_with(&self, error: MutationError) {
        self.error.borrow_mut().get_or_insert(error);
    }
}

/// Message of a panic.
fn said(panic: &(dyn Any + Send)) -> Box<str> {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a text").into()
}

/// Operations of mutations.
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
    ///
    /// That is looked at again whenever it changes. If somebody else deletes the row while the call is pending, the
    /// mutation fails from then on: the row, as this mutation would have it, is no longer seen, nor is whatever else it
    /// writes. [`upsert`](Self::upsert) keeps the row in view until the call is answered. So `update` shows what a
    /// reducer does that refuses to update a row that is gone, and `upsert` what one does that inserts it again.
    pub fn update<R: Table<Row = R> + HasKey>(&mut self, row: R) {
        self.table_mut::<R>().update(row);
    }

    /// Replaces the row that has the same primary key, or inserts this one.
    ///
    /// It reads nothing: the row stays in view until the call is answered, whatever others do to it meanwhile, even if
    /// they delete it. [`update`](Self::update) fails then.
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

    fn writes_mut<T: Table>(&mut self, table: TableId) -> Option<&mut TableWrites<T::Row>> {
        let order = &mut self.order;
        let writes = self.writes.entry(table).or_insert_with(|| {
            order.push(table);
            Box::new(TableWrites::<T::Row>::new(T::DEF.primary_key.is_some()))
        });
        let writes: &mut dyn Any = &mut **writes;
        writes.downcast_mut()
    }

    /// What other mutations wrote to a table, and who looks; none if that is what readers see.
    pub(super) fn layer<R: Row>(&self, table: TableId) -> Option<(&Layer<R>, Turn)> {
        let layers = self.layers.as_ref()?;
        let layer: &dyn Any = &**layers.by_table.get(&table)?;
        Some((layer.downcast_ref()?, layers.turn))
    }

    pub(super) fn note(&self, table: TableId, note: impl FnOnce(&mut Reads)) {
        note(self.reads.borrow_mut().entry(table).or_default());
    }

    /// Where a row is that is identified as `is` says. It counts as read, to this extent, unless the mutation itself
    /// has written it.
    pub(super) fn locate<T: Table>(
        &self,
        base: &Base<'_, T>,
        hash: u64,
        extent: Option<Extent>,
        is: impl Fn(&T::Row) -> bool,
    ) -> Place {
        let writes = self.writes::<T::Row>(base.table);
        if let Some((writes, at)) =
            writes.and_then(|writes| Some((writes, writes.find(hash, &is)?)))
        {
            let is_there = writes.row(at).is_some();
            let below = Below::Nothing;
            return Place { table: base.table, hash, write: Some(at), below, is_there };
        }
        if let Some(extent) = extent {
            self.note(base.table, |reads| reads.row(hash, extent));
        }
        let below = self.below(base, hash, is);
        let is_there = below != Below::Nothing;
        Place { table: base.table, hash, write: None, below, is_there }
    }

    fn below<T: Table>(
        &self,
        base: &Base<'_, T>,
        hash: u64,
        is: impl Fn(&T::Row) -> bool,
    ) -> Below {
        if let Some((layer, turn)) = self.layer::<T::Row>(base.table)
            && let Some(key) = layer.find(hash, &is)
            && let Some(row) = layer.below(key, turn)
        {
            return row.map_or(Below::Nothing, |_| Below::Layer(key));
        }
        row_in_slot(&base.view, hash, is).map_or(Below::Nothing, Below::Slot)
    }

    pub(super) fn locate_row<T: Table>(
        &self,
        base: &Base<'_, T>,
        row: &T::Row,
        extent: Option<Extent>,
    ) -> Place {
        let keyed = T::DEF.primary_key.is_some();
        let hash = identity_hash(row, keyed, &base.view.snapshot.hasher);
        self.locate(base, hash, extent, |other| same_row(row, other, keyed))
    }

    /// The row at a place.
    pub(super) fn row_at<'t, T: Table>(
        &'t self,
        base: &Base<'t, T>,
        place: &Place,
    ) -> Option<&'t T::Row> {
        match (place.write, place.below) {
            (Some(at), _) => self.writes::<T::Row>(place.table)?.row(at),
            (None, Below::Nothing) => None,
            (None, Below::Slot(id)) => base.view.snapshot.chunks.row(id),
            (None, Below::Layer(key)) => {
                let (layer, turn) = self.layer::<T::Row>(place.table)?;
                layer.below(key, turn)??.row()
            }
        }
    }

    pub(super) fn write<T: Table>(&mut self, row: T::Row, mode: Mode) {
        let name = T::DEF.name;
        if T::DEF.kind == TableKind::Event {
            return self.fail_with(MutationError::EventTable { table: name });
        }
        let Some(base) = self.base::<T>() else { return };
        let is_keyed = T::DEF.primary_key.is_some();
        let extent = match mode {
            // A table without a key is a set of rows: it makes no difference whether one is there already.
            Mode::Insert if !is_keyed => None,
            Mode::Insert | Mode::Update => Some(Extent::Presence),
            Mode::Upsert => None,
        };
        let place = self.locate_row::<T>(&base, &row, extent);
        match (mode, place.is_there) {
            (Mode::Insert, true) if is_keyed => {
                return self.fail_with(MutationError::KeyTaken { table: name });
            }
            (Mode::Update, false) => {
                return self.fail_with(MutationError::NoSuchRow { table: name });
            }
            _ => (),
        }
        if let Some(writes) = self.writes_mut::<T>(place.table) {
            writes.put(place.write, place.below, row, place.hash);
        }
    }

    /// Deletes the row at a place; whether there was one.
    pub(super) fn delete_at<T: Table>(&mut self, place: &Place) -> bool {
        let mut bytes = Writer::new();
        let base = self.base::<T>();
        let Some(row) = base.and_then(|base| self.row_at(&base, place)) else { return false };
        row.encode(&mut bytes);
        if let Some(writes) = self.writes_mut::<T>(place.table) {
            writes.delete(place.write, place.below, bytes.as_slice(), place.hash);
        }
        true
    }
}

/// Where a row is, or would be: its write, if there is one, else where it was before.
pub(super) struct Place {
    table: TableId,
    hash: u64,
    write: Option<usize>,
    below: Below,
    is_there: bool,
}

impl fmt::Debug for LocalTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalTx").field("mutation", &self.mutation).finish_non_exhaustive()
    }
}
