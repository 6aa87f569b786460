//! What mutations write to one table while they run: net, in the order of the first writes.

use core::any::Any;
use core::hash::BuildHasher;

use foldhash::fast::RandomState;
use foldhash::{HashMap, HashSet};

use crate::bsatn::Writer;
use crate::cache::slots::RowId;
use crate::cache::snapshot::Snapshot;
use crate::cache::stamp::Stamp;
use crate::cache::view::TableView;
use crate::cache::{Cache, TableId};
use crate::schema::{Row, Table};

/// The writes of all mutations that ran, to one table.
pub(super) struct TableWrites<R> {
    writes: Vec<Write<R>>,
    by_hash: HashMap<u64, Vec<u32>>,
    /// The rows that readers see and that a write stands in for.
    replaced: HashSet<RowId>,
    /// What the mutation that runs has changed here, to be undone if it fails.
    log: Vec<Undo<R>>,
}

/// What became of one row.
pub(super) struct Write<R> {
    pub(super) hash: u64,
    /// The row as readers see it.
    pub(super) base: Option<RowId>,
    /// The row as it is to be; of one that was deleted, the last of which that is known. Either this or `base` is there.
    pub(super) row: Option<R>,
    pub(super) is_deleted: bool,
}

enum Undo<R> {
    Added,
    Changed { at: u32, row: Option<R>, was_deleted: bool },
}

/// The hash of what identifies a row: its key, or its encoding.
pub(super) fn identity_hash<R: Row>(row: &R, is_keyed: bool, hasher: &RandomState) -> u64 {
    if is_keyed {
        return hasher.hash_one(row.key());
    }
    let mut bytes = Writer::new();
    row.encode(&mut bytes);
    hasher.hash_one(bytes.as_slice())
}

/// Whether two rows are one by what identifies them.
pub(super) fn same_row<R: Row>(one: &R, other: &R, is_keyed: bool) -> bool {
    if is_keyed { one.key() == other.key() } else { encode_alike(one, other) }
}

/// Whether two rows have the same encoding.
pub(super) fn encode_alike<R: Row>(one: &R, other: &R) -> bool {
    let mut bytes = Writer::new();
    one.encode(&mut bytes);
    crate::cache::identity::encodes_as(other, bytes.as_slice())
}

impl<R: Row> TableWrites<R> {
    pub(super) fn new() -> Self {
        Self {
            writes: Vec::new(),
            by_hash: HashMap::default(),
            replaced: HashSet::default(),
            log: Vec::new(),
        }
    }

    /// The write of the row with this hash for which `is` says yes.
    pub(super) fn find(
        &self,
        snapshot: &Snapshot<R>,
        hash: u64,
        is: impl Fn(&R) -> bool,
    ) -> Option<usize> {
        let same_hash = self.by_hash.get(&hash)?.iter();
        same_hash.map(|&at| at as usize).find(|&at| self.subject(snapshot, at).is_some_and(&is))
    }

    /// The row that a write is about.
    fn subject<'a>(&'a self, snapshot: &'a Snapshot<R>, at: usize) -> Option<&'a R> {
        let write = &self.writes[at];
        write.row.as_ref().or_else(|| snapshot.chunks.row(write.base?))
    }

    /// The row as it is to be; none if it was deleted.
    pub(super) fn row(&self, at: usize) -> Option<&R> {
        let write = self.writes.get(at).filter(|write| !write.is_deleted)?;
        write.row.as_ref()
    }

    /// The rows that are to be there and that were written.
    pub(super) fn rows(&self) -> impl Iterator<Item = &R> {
        let there = self.writes.iter().filter(|write| !write.is_deleted);
        there.filter_map(|write| write.row.as_ref())
    }

    /// Whether a write stands in for a row that readers see.
    pub(super) fn replaces(&self, id: RowId) -> bool {
        self.replaced.contains(&id)
    }

    /// Writes a row of this hash; `at` is its earlier write, if there is one.
    pub(super) fn put(&mut self, at: Option<usize>, base: Option<RowId>, row: R, hash: u64) {
        let Some(at) = at else {
            return self.add(Write { hash, base, row: Some(row), is_deleted: false });
        };
        let write = &mut self.writes[at];
        let was_deleted = core::mem::replace(&mut write.is_deleted, false);
        let row = write.row.replace(row);
        // A deleted row that has none of its own is the one in `base`.
        self.log.push(Undo::Changed { at: at as u32, row, was_deleted });
    }

    /// Deletes a row of this hash, which is there.
    pub(super) fn delete(&mut self, at: Option<usize>, base: Option<RowId>, hash: u64) {
        let Some(at) = at else {
            return self.add(Write { hash, base, row: None, is_deleted: true });
        };
        self.writes[at].is_deleted = true;
        self.log.push(Undo::Changed { at: at as u32, row: None, was_deleted: false });
    }

    fn add(&mut self, write: Write<R>) {
        self.by_hash.entry(write.hash).or_default().push(self.writes.len() as u32);
        self.replaced.extend(write.base);
        self.writes.push(write);
        self.log.push(Undo::Added);
    }

    /// The writes that were changed since the last time, in their order.
    fn take_changed(&mut self) -> Vec<u32> {
        let mut added = self.writes.len() as u32;
        let log = core::mem::take(&mut self.log);
        let mut changed: Vec<_> = log
            .iter()
            .rev()
            .map(|undo| match undo {
                Undo::Added => {
                    added -= 1;
                    added
                }
                Undo::Changed { at, .. } => *at,
            })
            .collect();
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    fn undo(&mut self) {
        while let Some(undo) = self.log.pop() {
            match undo {
                Undo::Added => {
                    let Some(write) = self.writes.pop() else { continue };
                    if let Some(same_hash) = self.by_hash.get_mut(&write.hash) {
                        same_hash.pop();
                    }
                    if let Some(base) = write.base {
                        self.replaced.remove(&base);
                    }
                }
                Undo::Changed { at, row, was_deleted } => {
                    let write = &mut self.writes[at as usize];
                    // A delete leaves the row where it is.
                    if was_deleted || row.is_some() {
                        write.row = row;
                    }
                    write.is_deleted = was_deleted;
                }
            }
        }
    }
}

/// The row in a view with this hash for which `is` says yes, by its id.
pub(super) fn base_of<T: Table>(
    view: &TableView<'_, T>,
    hash: u64,
    is: impl Fn(&T::Row) -> bool,
) -> Option<RowId> {
    let at = Stamp::of(view.version);
    view.snapshot.primary.find(hash, |id| {
        let (id, row) = view.snapshot.chunks.version(RowId(id), at)?;
        is(row).then_some(id)
    })
}

/// [`TableWrites`] of whatever table.
pub(super) trait AnyWrites: Any {
    /// Keeps what the mutation that ran has written: the hashes of those rows, in the order of the first writes.
    fn keep(&mut self) -> Vec<u64>;

    /// Forgets what the mutation that ran has written.
    fn roll_back(&mut self);

    /// Makes the writes in the table, for the version `at`.
    fn apply(self: Box<Self>, cache: &mut Cache, table: TableId, at: Stamp);
}

impl<R: Row> AnyWrites for TableWrites<R> {
    fn keep(&mut self) -> Vec<u64> {
        let changed = self.take_changed().into_iter();
        changed.map(|at| self.writes[at as usize].hash).collect()
    }

    fn roll_back(&mut self) {
        self.undo();
    }

    fn apply(self: Box<Self>, cache: &mut Cache, table: TableId, at: Stamp) {
        // The table was found when the mutation ran, and tables stay.
        if let Some(store) = cache.store_mut::<R>(table) {
            store.overlay_writes(self.writes, at);
        }
    }
}
