//! A table as readers have it: slots and indexes, shared with the writer.
//!
//! What changes all the time (slots, what is in the indexes) is shared and changes under the readers' eyes, seen or not
//! by their version. What changes rarely (which chunks and shards there are) is replaced as a whole.

use core::any::Any;
use core::cmp::Ordering;
use core::hash::Hash;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;

use crate::bsatn::Writer;
use crate::cache::index::declared::DeclaredIndex;
use crate::cache::index::hash::HashIndex;
use crate::cache::index::ordered::OrderedIndex;
use crate::cache::storage::slots::{Chunks, RowId};
use crate::cache::storage::stamp::Stamp;
use crate::schema::{IndexVisitor, Row, TableDef};

pub(in crate::cache) struct Snapshot<R> {
    pub(in crate::cache) chunks: Arc<Chunks<R>>,
    /// By what identifies a row: see [`Identity`](crate::cache::index::identity::Identity).
    pub(in crate::cache) primary: HashIndex,
    /// The other unique columns.
    pub(in crate::cache) uniques: Vec<(u16, HashIndex)>,
    pub(in crate::cache) ordered: Vec<Arc<OrderedIndex<R>>>,
    /// Those that the application declared.
    pub(in crate::cache) declared: Vec<Arc<DeclaredIndex<R>>>,
    pub(in crate::cache) lens: Arc<Lens>,
    /// Seeded at random, because a stranger's rows go in. Nobody can see what hashes are: order comes from slots.
    pub(in crate::cache) hasher: RandomState,
}

impl<R: Row> Snapshot<R> {
    /// An empty table with the indexes that `def` has; none for a raw table.
    pub(in crate::cache) fn new(def: Option<&TableDef>) -> Self {
        let chunks = Arc::new(Chunks::new());
        let mut snapshot = Self {
            chunks,
            primary: HashIndex::new(),
            uniques: Vec::new(),
            ordered: Vec::new(),
            declared: Vec::new(),
            lens: Arc::default(),
            hasher: RandomState::default(),
        };
        if let Some(def) = def {
            R::visit_indexes(&mut AddIndexes { snapshot: &mut snapshot, def });
        }
        snapshot
    }
}

impl<R> Snapshot<R> {
    /// All ordered indexes.
    pub(in crate::cache) fn ordered_indexes(&self) -> impl Iterator<Item = &OrderedIndex<R>> {
        let declared = self.declared.iter().map(|declared| &declared.index);
        self.ordered.iter().map(|index| &**index).chain(declared)
    }
}

impl<R> Clone for Snapshot<R> {
    fn clone(&self) -> Self {
        Self {
            chunks: Arc::clone(&self.chunks),
            primary: self.primary.clone(),
            uniques: self.uniques.clone(),
            ordered: self.ordered.clone(),
            declared: self.declared.clone(),
            lens: Arc::clone(&self.lens),
            hasher: self.hasher.clone(),
        }
    }
}

/// Makes the indexes that the table has, out of those that its row type could have.
struct AddIndexes<'a, R> {
    snapshot: &'a mut Snapshot<R>,
    def: &'a TableDef,
}

impl<R> IndexVisitor<R> for AddIndexes<'_, R> {
    fn unique<V: Hash + Eq + 'static>(
        &mut self,
        column: u16,
        _: impl Fn(&R) -> &V + Copy + Send + Sync + 'static,
    ) {
        if self.def.unique.contains(&column) {
            self.snapshot.uniques.push((column, HashIndex::new()));
        }
    }

    fn ordered(
        &mut self,
        columns: &'static [u16],
        _: impl Fn(&R, &R) -> Ordering + Copy + Send + Sync + 'static,
    ) {
        if self.def.indexes.iter().any(|index| index.columns == columns) {
            let index = OrderedIndex::new(columns, Arc::clone(&self.snapshot.chunks));
            self.snapshot.ordered.push(Arc::new(index));
        }
    }
}

/// Number of a table's rows in each version that a reader may look at.
#[derive(Debug, Default)]
pub(in crate::cache) struct Lens(Mutex<VecDeque<(u64, usize)>>);

impl Lens {
    pub(in crate::cache) fn at(&self, version: u64) -> usize {
        let lens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = lens.partition_point(|entry| entry.0 <= version);
        behind.checked_sub(1).and_then(|last| lens.get(last)).map_or(0, |&(_, len)| len)
    }

    /// Notes the length from `version` on, and forgets what no view of `horizon` or later asks for.
    pub(in crate::cache) fn note(&self, version: u64, len: usize, horizon: u64) {
        let mut lens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while lens.get(1).is_some_and(|entry| entry.0 <= horizon) {
            lens.pop_front();
        }
        lens.push_back((version, len));
    }
}

impl Lens {
    /// From which version on there are how many rows, oldest first.
    pub(in crate::cache) fn entries(&self) -> Vec<(u64, usize)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

/// A [`Snapshot`] of whatever row type.
pub(in crate::cache) trait AnySnapshot: Any + Send + Sync {
    /// Number of rows that a view of `version` sees.
    fn len(&self, version: u64) -> usize;

    /// The slots of the rows that a view sees.
    fn visible(&self, at: Stamp) -> Vec<RowId>;

    /// Shows the encoding of each row that a view sees.
    fn encode_rows(&self, at: Stamp, each: &mut dyn FnMut(&[u8]));

    /// Writes the encoding of the row in a slot, seen or not; whether there is one.
    fn encode_row(&self, id: RowId, out: &mut Writer) -> bool;
}

impl<R: Row> AnySnapshot for Snapshot<R> {
    fn len(&self, version: u64) -> usize {
        self.lens.at(version)
    }

    fn visible(&self, at: Stamp) -> Vec<RowId> {
        let chunks = (0..self.chunks.len()).map(|chunk| (chunk, self.chunks.slots(chunk)));
        let slots = chunks.flat_map(|(chunk, slots)| {
            slots.iter().enumerate().map(move |(slot, row)| (RowId::new(chunk, slot), row))
        });
        slots.filter(|(_, slot)| slot.visible(at).is_some()).map(|(id, _)| id).collect()
    }

    fn encode_rows(&self, at: Stamp, each: &mut dyn FnMut(&[u8])) {
        let mut out = Writer::new();
        for chunk in 0..self.chunks.len() {
            for row in self.chunks.slots(chunk).iter().filter_map(|slot| slot.visible(at)) {
                out.clear();
                row.encode(&mut out);
                each(out.as_slice());
            }
        }
    }

    fn encode_row(&self, id: RowId, out: &mut Writer) -> bool {
        let row = self.chunks.row(id);
        row.inspect(|row| row.encode(out)).is_some()
    }
}
