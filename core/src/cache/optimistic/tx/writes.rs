//! Write set of one run of a mutation, for one table: net, in the order of the first writes.

use core::any::Any;
use std::collections::BTreeSet;

use foldhash::HashSet;
use hashbrown::HashTable;

use crate::bsatn::Writer;
use crate::cache::optimistic::ids::{KeyId, Turn};
use crate::cache::optimistic::layer::any::AnyLayer;
use crate::cache::optimistic::layer::stack::Packed;
use crate::cache::optimistic::layer::{Ground, Layer, Written};
use crate::cache::read::snapshot::{AnySnapshot, Snapshot};
use crate::cache::read::view::TableView;
use crate::cache::storage::row_id::RowId;
use crate::cache::storage::stamp::Stamp;
use crate::cache::table::TableStore;
use crate::cache::table::any::AnyTable;
use crate::guard::{Fenced, ROW_TYPE};
use crate::schema::{Row, Table};

/// The writes of the mutation that runs, to one table.
pub(in crate::cache::optimistic) struct TableWrites<R> {
    is_keyed: bool,
    writes: Vec<Write<R>>,
    by_hash: HashTable<u32>,
    /// The rows of slots and of other mutations for which a write stands in.
    replaced: HashSet<RowId>,
    replaced_keys: HashSet<KeyId>,
}

/// Write to one row.
struct Write<R> {
    hash: u64,
    state: WriteState<R>,
}

enum WriteState<R> {
    Put(Fenced<R>),
    /// The row is the last of this identity that is known.
    Deleted(Packed<R>),
}

/// Place of a row that a mutation finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cache::optimistic) enum Below {
    /// There is none.
    Nothing,
    /// In a slot.
    Slot(RowId),
    /// In the layer.
    Layer(KeyId),
}

impl<R: Row> TableWrites<R> {
    pub(in crate::cache::optimistic) fn new(is_keyed: bool) -> Self {
        Self {
            is_keyed,
            writes: Vec::new(),
            by_hash: HashTable::new(),
            replaced: HashSet::default(),
            replaced_keys: HashSet::default(),
        }
    }

    /// The write of the row with this hash for which `is` says yes.
    pub(in crate::cache::optimistic) fn find(
        &self,
        hash: u64,
        is: impl Fn(&R) -> bool,
    ) -> Option<usize> {
        let same = |&at: &u32| {
            let write = &self.writes[at as usize];
            write.hash == hash && write.subject().is_some_and(&is)
        };
        self.by_hash.find(hash, same).map(|&at| at as usize)
    }

    /// The row as it is to be; none if it was deleted.
    pub(in crate::cache::optimistic) fn row(&self, at: usize) -> Option<&R> {
        self.writes.get(at)?.row()
    }

    /// The rows that are to be there and that were written.
    pub(in crate::cache::optimistic) fn rows(&self) -> impl Iterator<Item = &R> {
        self.writes.iter().filter_map(Write::row)
    }

    /// Returns `true` if a write stands in for a row in a slot.
    pub(in crate::cache::optimistic) fn replaces(&self, id: RowId) -> bool {
        self.replaced.contains(&id)
    }

    /// Returns `true` if a write stands in for another mutation's.
    pub(in crate::cache::optimistic) fn replaces_key(&self, id: KeyId) -> bool {
        self.replaced_keys.contains(&id)
    }

    /// Writes a row of this hash; `at` is its earlier write, if there is one.
    pub(in crate::cache::optimistic) fn put(
        &mut self,
        at: Option<usize>,
        below: Below,
        row: R,
        hash: u64,
    ) {
        self.write(at, below, WriteState::Put(Fenced::new(ROW_TYPE, row)), hash);
    }

    /// Deletes a row of this hash, which is encoded so.
    pub(in crate::cache::optimistic) fn delete(
        &mut self,
        at: Option<usize>,
        below: Below,
        row: &[u8],
        hash: u64,
    ) {
        self.write(at, below, WriteState::Deleted(Packed::new(row)), hash);
    }

    fn write(&mut self, at: Option<usize>, below: Below, state: WriteState<R>, hash: u64) {
        if let Some(at) = at {
            self.writes[at].state = state;
            return;
        }
        match below {
            Below::Nothing => (),
            Below::Slot(id) => drop(self.replaced.insert(id)),
            Below::Layer(id) => drop(self.replaced_keys.insert(id)),
        }
        let Self { writes, by_hash, .. } = self;
        by_hash.insert_unique(hash, writes.len() as u32, |&at| writes[at as usize].hash);
        writes.push(Write { hash, state });
    }

    fn into_written(self) -> Vec<Written<R>> {
        let mut bytes = Writer::new();
        let written = self.writes.into_iter().map(|Write { hash, state }| match state {
            WriteState::Put(row) => {
                bytes.clear();
                row.get().into_iter().for_each(|row| row.encode(&mut bytes));
                Written { hash, row: Packed::of(bytes.as_slice(), row), is_deleted: false }
            }
            WriteState::Deleted(row) => Written { hash, row, is_deleted: true },
        });
        written.collect()
    }
}

impl<R: Row> Write<R> {
    /// The row that it is about.
    fn subject(&self) -> Option<&R> {
        match &self.state {
            WriteState::Put(row) => row.get(),
            WriteState::Deleted(row) => row.row(),
        }
    }

    fn row(&self) -> Option<&R> {
        match &self.state {
            WriteState::Put(row) => row.get(),
            WriteState::Deleted(_) => None,
        }
    }
}

/// The row in a view with this hash for which `is` says yes, by its id.
pub(in crate::cache::optimistic) fn row_in_slot<T: Table>(
    view: &TableView<'_, T>,
    hash: u64,
    is: impl Fn(&T::Row) -> bool,
) -> Option<RowId> {
    let at = Stamp::of(view.version);
    view.snapshot.indexes.by_identity().find(hash, |id| {
        let (id, row) = view.snapshot.chunks.version(RowId(id), at)?;
        is(row).then_some(id)
    })
}

/// [`TableWrites`] of whatever table.
pub(in crate::cache::optimistic) trait AnyWrites: Any {
    /// Adds the writes of a mutation that ran for the first time to the table's layer.
    fn push(self: Box<Self>, table: &mut dyn AnyTable, turn: Turn) -> Vec<KeyId>;

    /// An empty layer of the table of this snapshot.
    fn new_layer(&self, snapshot: &dyn AnySnapshot) -> Box<dyn AnyLayer>;

    /// As [`Layer::replace`], for the version `at`. The layer and the snapshot are those of the table.
    fn replace(
        self: Box<Self>,
        layer: &mut dyn AnyLayer,
        turn: Turn,
        before: &[KeyId],
        ground: (&dyn AnySnapshot, Stamp),
        found: &mut BTreeSet<Turn>,
    ) -> Vec<KeyId>;
}

impl<R: Row> AnyWrites for TableWrites<R> {
    fn push(self: Box<Self>, table: &mut dyn AnyTable, turn: Turn) -> Vec<KeyId> {
        let table: &mut dyn Any = table;
        // The table was found when the mutation ran, and tables stay.
        let Some(table) = table.downcast_mut::<TableStore<R>>() else { return Vec::new() };
        let (overlay, rows) = table.overlay_mut();
        let layer = overlay.layer_mut(rows);
        self.into_written().into_iter().map(|written| layer.push(turn, written)).collect()
    }

    fn new_layer(&self, snapshot: &dyn AnySnapshot) -> Box<dyn AnyLayer> {
        let snapshot: &dyn Any = snapshot;
        let hasher = snapshot.downcast_ref::<Snapshot<R>>().map(|it| it.indexes.hasher().clone());
        Box::new(Layer::<R>::new(self.is_keyed, hasher.unwrap_or_default()))
    }

    fn replace(
        self: Box<Self>,
        layer: &mut dyn AnyLayer,
        turn: Turn,
        before: &[KeyId],
        (snapshot, at): (&dyn AnySnapshot, Stamp),
        found: &mut BTreeSet<Turn>,
    ) -> Vec<KeyId> {
        let (layer, snapshot): (&mut dyn Any, &dyn Any) = (layer, snapshot);
        match (layer.downcast_mut::<Layer<R>>(), snapshot.downcast_ref::<Snapshot<R>>()) {
            (Some(layer), Some(snapshot)) => {
                let ground = Ground::of(snapshot, at);
                layer.replace(turn, before, self.into_written(), &ground, found)
            }
            _ => Vec::new(),
        }
    }
}
