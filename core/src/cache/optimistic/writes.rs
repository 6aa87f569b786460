//! What mutations write to one table while they run: net, in the order of the first writes.

use core::any::Any;
use core::hash::BuildHasher;

use foldhash::fast::RandomState;
use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};

use super::MutationId;
use crate::bsatn::{Encode, Writer};
use crate::cache::slots::RowId;
use crate::cache::snapshot::Snapshot;
use crate::cache::stamp::Stamp;
use crate::cache::view::TableView;
use crate::cache::{Cache, TableId};
use crate::schema::{Row, Table};

/// The writes of all mutations that ran, to the table `T`.
pub(super) struct TableWrites<T: Table> {
    pub(super) writes: Vec<Write<T::Row>>,
    by_hash: HashMap<u64, Vec<u32>>,
    /// The rows that readers see and that a write stands in for.
    replaced: HashSet<RowId>,
    /// What the mutation that runs has changed here, to be undone if it fails.
    log: Vec<Undo<T::Row>>,
}

/// What became of one row.
pub(super) struct Write<R> {
    pub(super) hash: u64,
    /// The row as readers see it.
    pub(super) base: Option<RowId>,
    /// The row as it is to be; of one that was deleted, the last of which that is known. Either this or `base` is there.
    pub(super) row: Option<R>,
    pub(super) is_deleted: bool,
    /// Who wrote it.
    pub(super) by: Vec<MutationId>,
}

enum Undo<R> {
    Added,
    Changed { at: u32, row: Option<R>, was_deleted: bool, was_by: usize },
}

/// Whether the row is known by its key, or by its encoding.
fn is_keyed<T: Table>() -> bool {
    T::DEF.primary_key.is_some()
}

/// The hash of what identifies a row.
pub(super) fn identity_hash<T: Table>(row: &T::Row, hasher: &RandomState) -> u64 {
    if is_keyed::<T>() {
        return hasher.hash_one(row.key());
    }
    let mut bytes = Writer::new();
    row.encode(&mut bytes);
    hasher.hash_one(bytes.as_slice())
}

/// Whether two rows are one by what identifies them.
pub(super) fn same_row<T: Table>(one: &T::Row, other: &T::Row) -> bool {
    if is_keyed::<T>() { one.key() == other.key() } else { encode_alike(one, other) }
}

/// Whether two rows have the same encoding.
pub(super) fn encode_alike<R: Row>(one: &R, other: &R) -> bool {
    let mut bytes = Writer::new();
    one.encode(&mut bytes);
    crate::cache::identity::encodes_as(other, bytes.as_slice())
}

impl<T: Table> TableWrites<T> {
    pub(super) fn new() -> Self {
        Self {
            writes: Vec::new(),
            by_hash: HashMap::new(),
            replaced: HashSet::new(),
            log: Vec::new(),
        }
    }

    /// The write of the row with this hash for which `is` says yes.
    pub(super) fn find(
        &self,
        snapshot: &Snapshot<T::Row>,
        hash: u64,
        is: impl Fn(&T::Row) -> bool,
    ) -> Option<usize> {
        let same_hash = self.by_hash.get(&hash)?.iter();
        same_hash.map(|&at| at as usize).find(|&at| self.subject(snapshot, at).is_some_and(&is))
    }

    /// The row that a write is about.
    fn subject<'a>(&'a self, snapshot: &'a Snapshot<T::Row>, at: usize) -> Option<&'a T::Row> {
        let write = &self.writes[at];
        write.row.as_ref().or_else(|| snapshot.chunks.row(write.base?))
    }

    /// The row as it is to be; none if it was deleted.
    pub(super) fn row(&self, at: usize) -> Option<&T::Row> {
        let write = self.writes.get(at).filter(|write| !write.is_deleted)?;
        write.row.as_ref()
    }

    /// The rows that are to be there and that were written.
    pub(super) fn rows(&self) -> impl Iterator<Item = &T::Row> {
        let there = self.writes.iter().filter(|write| !write.is_deleted);
        there.filter_map(|write| write.row.as_ref())
    }

    /// Whether a write stands in for a row that readers see.
    pub(super) fn replaces(&self, id: RowId) -> bool {
        self.replaced.contains(&id)
    }

    /// Writes a row of this hash; `at` is its earlier write, if there is one.
    pub(super) fn put(
        &mut self,
        at: Option<usize>,
        base: Option<RowId>,
        row: T::Row,
        hash: u64,
        by: MutationId,
    ) {
        match at {
            Some(at) => self.change(at, Some(row), false, by),
            None => self.add(Write { hash, base, row: Some(row), is_deleted: false, by: vec![by] }),
        }
    }

    /// Deletes a row of this hash, which is there.
    pub(super) fn delete(
        &mut self,
        at: Option<usize>,
        base: Option<RowId>,
        hash: u64,
        by: MutationId,
    ) {
        match at {
            Some(at) => {
                let was_by = self.writes[at].by.len();
                let write = &mut self.writes[at];
                write.is_deleted = true;
                note(&mut write.by, by);
                self.log.push(Undo::Changed {
                    at: at as u32,
                    row: None,
                    was_deleted: false,
                    was_by,
                });
            }
            None => self.add(Write { hash, base, row: None, is_deleted: true, by: vec![by] }),
        }
    }

    fn add(&mut self, write: Write<T::Row>) {
        self.by_hash.entry(write.hash).or_default().push(self.writes.len() as u32);
        self.replaced.extend(write.base);
        self.writes.push(write);
        self.log.push(Undo::Added);
    }

    fn change(&mut self, at: usize, row: Option<T::Row>, is_deleted: bool, by: MutationId) {
        let write = &mut self.writes[at];
        let was_by = write.by.len();
        note(&mut write.by, by);
        let was_deleted = core::mem::replace(&mut write.is_deleted, is_deleted);
        let row = core::mem::replace(&mut write.row, row);
        // A deleted row that has none of its own is the one in `base`.
        self.log.push(Undo::Changed { at: at as u32, row, was_deleted, was_by });
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
                Undo::Changed { at, row, was_deleted, was_by } => {
                    let write = &mut self.writes[at as usize];
                    write.by.truncate(was_by);
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

fn note(by: &mut Vec<MutationId>, mutation: MutationId) {
    if by.last() != Some(&mutation) {
        by.push(mutation);
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
        let row = view.snapshot.chunks.visible(RowId(id), at)?;
        is(row).then_some(RowId(id))
    })
}

/// [`TableWrites`] of whatever table.
pub(super) trait AnyWrites: Any {
    /// Keeps what the mutation that ran has written.
    fn keep(&mut self);

    /// Forgets what the mutation that ran has written.
    fn roll_back(&mut self);

    /// The table in the cache.
    fn table(&self, cache: &Cache) -> Option<TableId>;

    /// Makes the writes in the table, for the version `at`.
    fn apply(self: Box<Self>, cache: &mut Cache, at: Stamp);
}

impl<T: Table> AnyWrites for TableWrites<T> {
    fn keep(&mut self) {
        self.log.clear();
    }

    fn roll_back(&mut self) {
        self.undo();
    }

    fn table(&self, cache: &Cache) -> Option<TableId> {
        cache.table_of::<T>()
    }

    fn apply(self: Box<Self>, cache: &mut Cache, at: Stamp) {
        let store = cache.table_of::<T>().and_then(|table| cache.store_mut::<T::Row>(table));
        // The table was found when the mutation ran, and tables stay.
        let Some(store) = store else { return };
        store.overlay_writes(self.writes, at);
    }
}
