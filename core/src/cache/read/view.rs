//! Reading one table of a view.

use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::ops::{Bound, RangeBounds};

use super::snapshot::{AnySnapshot, Snapshot};
use crate::cache::index::DeclaredIndex;
use crate::cache::index::ordered::{Batch, OrderedIndex};
use crate::cache::storage::row_id::RowId;
use crate::cache::storage::slot::Slot;
use crate::cache::storage::stamp::Stamp;
use crate::schema::{Column, FindIn, HasKey, IndexRef, IndexVisitor, RangeIn, Row, Table};

/// One table of a [`View`](crate::cache::View). References to its rows live as long as the view.
pub struct TableView<'v, T: Table> {
    pub(in crate::cache) snapshot: &'v Snapshot<T::Row>,
    pub(in crate::cache) version: u64,
}

impl<T: Table> Clone for TableView<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T: Table> Copy for TableView<'_, T> {}

impl<T: Table> fmt::Debug for TableView<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableView")
            .field("table", &T::DEF.name)
            .field("version", &self.version)
            .field("len", &self.len())
            .finish()
    }
}

impl<'v, T: Table> TableView<'v, T> {
    pub(in crate::cache) fn new(snapshot: &'v Snapshot<T::Row>, version: u64) -> Self {
        Self { snapshot, version }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.snapshot.counts.at(self.version)
    }

    /// Returns `true` if there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All rows, in no particular order, which is the same each time for one view.
    pub fn iter(&self) -> Rows<'v, T::Row> {
        let at = Stamp::of(self.version);
        Rows { snapshot: self.snapshot, at, next_chunk: 0, slots: [].iter(), all_visible: false }
    }

    /// All rows with their ids.
    pub(in crate::cache) fn iter_with_ids(self) -> impl Iterator<Item = (RowId, &'v T::Row)> {
        let at = Stamp::of(self.version);
        let chunks = &self.snapshot.chunks;
        (0..chunks.len()).flat_map(move |chunk| {
            let slots = chunks.slots(chunk).iter().enumerate();
            slots.filter_map(move |(slot, row)| Some((RowId::new(chunk, slot), row.visible(at)?)))
        })
    }

    /// The row with this value in a unique column.
    ///
    /// In a view of the database uniqueness is the module's promise; if it is broken, one of the rows.
    #[inline]
    pub fn find<V, K, Q>(&self, column: Column<T::Row, V, K>, value: &Q) -> Option<&'v T::Row>
    where
        K: FindIn<T>,
        V: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let snapshot = self.snapshot;
        let indexes = &snapshot.indexes;
        let index = if K::PRIMARY {
            indexes.by_identity()
        } else {
            match indexes.unique(column.index()) {
                Some(index) => index,
                // Only a hand-written row type can promise an index that it does not have.
                None => return self.iter().find(|row| column.get(row).borrow() == value),
            }
        };
        let at = Stamp::of(self.version);
        index.find(indexes.hasher().hash_one(value), move |id| {
            let (_, row) = snapshot.chunks.version(RowId(id), at)?;
            (column.get(row).borrow() == value).then_some(row)
        })
    }

    /// All rows with this value in a unique column, of which there may be some while calls are not answered.
    pub(in crate::cache) fn find_all<V, K, Q>(
        &self,
        column: Column<T::Row, V, K>,
        value: &Q,
        mut each: impl FnMut(RowId, &'v T::Row),
    ) where
        V: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let Snapshot { chunks, indexes, .. } = self.snapshot;
        let Some(index) = indexes.unique(column.index()) else {
            let rows = self.iter_with_ids();
            let is = |row: &&T::Row| column.get(row).borrow() == value;
            return rows.filter(|(_, row)| is(row)).for_each(|(id, row)| each(id, row));
        };
        let at = Stamp::of(self.version);
        index.find(indexes.hasher().hash_one(value), |id| {
            let id = RowId(id);
            let row = chunks.slot(id)?.visible(at)?;
            if column.get(row).borrow() == value {
                each(id, row);
            }
            None::<()>
        });
    }

    /// The row with this primary key.
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<&'v T::Row>
    where
        T: HasKey,
        <T::Row as Row>::Key: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let snapshot = self.snapshot;
        let indexes = &snapshot.indexes;
        let at = Stamp::of(self.version);
        indexes.by_identity().find(indexes.hasher().hash_one(key), move |id| {
            let (_, row) = snapshot.chunks.version(RowId(id), at)?;
            (row.key().borrow() == key).then_some(row)
        })
    }

    /// The rows within bounds, ascending by an indexed column or by an index over several; rows that are equal there
    /// in no particular order, which is the same each time for one view.
    pub fn range<C: RangeIn<T>, B: RangeBounds<C::Value>>(
        &self,
        column: C,
        bounds: B,
    ) -> impl Iterator<Item = &'v T::Row> + use<'v, T, C, B> {
        let mut rows = match self.index(column.columns()) {
            Some(index) => RangeRows::Ordered(Ordered::new(self, index)),
            None => RangeRows::Sorted(self.sorted(&column, &bounds).into_iter()),
        };
        core::iter::from_fn(move || rows.next(&column, &bounds))
    }

    /// Returns `true` if the table has this index, so that reading by it looks at no other rows.
    pub fn has_index<C: RangeIn<T>>(&self, column: &C) -> bool {
        self.index(column.columns()).is_some()
    }

    fn index(&self, columns: IndexRef) -> Option<Index<'v, T::Row>> {
        let indexes = &self.snapshot.indexes;
        match columns {
            IndexRef::Column(column) => indexes.ordered(&[column]).map(Index::Module),
            IndexRef::Columns(columns) => indexes.ordered(columns).map(Index::Module),
            IndexRef::Client(column) => indexes.declared(column).map(Index::Declared),
        }
    }

    /// The rows within bounds, for want of an index: the client's own was not declared, or a hand-written row type
    /// promises one that it does not have.
    #[cold]
    fn sorted<C: RangeIn<T>>(
        &self,
        column: &C,
        bounds: &impl RangeBounds<C::Value>,
    ) -> Vec<&'v T::Row> {
        let is_in = |row: &&T::Row| {
            column.within(row).is_eq()
                && is_reached(column, bounds.start_bound(), row)
                && !is_passed(column, bounds.end_bound(), row)
        };
        let mut rows: Vec<_> = self.iter().filter(is_in).collect();
        rows.sort_by(|a, b| column.order(a, b));
        rows
    }
}

impl<'v, T: Table> IntoIterator for TableView<'v, T> {
    type Item = &'v T::Row;
    type IntoIter = Rows<'v, T::Row>;

    fn into_iter(self) -> Rows<'v, T::Row> {
        self.iter()
    }
}

/// All rows of a table: see [`TableView::iter`].
pub struct Rows<'v, R> {
    snapshot: &'v Snapshot<R>,
    at: Stamp,
    next_chunk: usize,
    slots: core::slice::Iter<'v, Slot<R>>,
    /// `true` if all of these are seen.
    all_visible: bool,
}

impl<R> fmt::Debug for Rows<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").finish_non_exhaustive()
    }
}

impl<'v, R> Iterator for Rows<'v, R> {
    type Item = &'v R;

    #[inline]
    fn next(&mut self) -> Option<&'v R> {
        loop {
            for slot in self.slots.by_ref() {
                let row = if self.all_visible { slot.row() } else { slot.visible(self.at) };
                if row.is_some() {
                    return row;
                }
            }
            if self.next_chunk == self.snapshot.chunks.len() {
                return None;
            }
            let (slots, all_visible) = self.snapshot.chunks.slots_to_read(self.next_chunk);
            (self.slots, self.all_visible) = (slots.iter(), all_visible);
            self.next_chunk += 1;
        }
    }

    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, init: B, mut f: F) -> B {
        let Self { snapshot: Snapshot { chunks, .. }, at, .. } = self;
        let rest = (self.next_chunk..chunks.len()).map(|chunk| chunks.slots_to_read(chunk));
        let all = core::iter::once((self.slots.as_slice(), self.all_visible)).chain(rest);
        all.fold(init, |done, (slots, all_visible)| {
            if all_visible {
                slots.iter().filter_map(Slot::row).fold(done, &mut f)
            } else {
                slots.iter().filter_map(|slot| slot.visible(at)).fold(done, &mut f)
            }
        })
    }
}

impl<R> core::iter::FusedIterator for Rows<'_, R> {}

/// The two ways to the rows of a range.
#[expect(clippy::large_enum_variant, reason = "the large one is the usual one")]
enum RangeRows<'v, R> {
    Ordered(Ordered<'v, R>),
    /// Exactly these.
    Sorted(std::vec::IntoIter<&'v R>),
}

impl<'v, R: Row> RangeRows<'v, R> {
    fn next<T: Table<Row = R>, C: RangeIn<T>>(
        &mut self,
        column: &C,
        bounds: &impl RangeBounds<C::Value>,
    ) -> Option<&'v R> {
        match self {
            Self::Sorted(rows) => rows.next(),
            Self::Ordered(rows) => {
                let row = rows.next(|row| !is_reached(column, bounds.start_bound(), row))?;
                if is_passed(column, bounds.end_bound(), row) {
                    rows.finish();
                    return None;
                }
                Some(row)
            }
        }
    }
}

fn is_reached<T: Table, C: RangeIn<T>>(column: &C, start: Bound<&C::Value>, row: &T::Row) -> bool {
    match column.within(row) {
        Ordering::Less => return false,
        Ordering::Greater => return true,
        Ordering::Equal => (),
    }
    match start {
        Bound::Unbounded => true,
        Bound::Included(start) => column.compare(row, start).is_ge(),
        Bound::Excluded(start) => column.compare(row, start).is_gt(),
    }
}

fn is_passed<T: Table, C: RangeIn<T>>(column: &C, end: Bound<&C::Value>, row: &T::Row) -> bool {
    match column.within(row) {
        Ordering::Less => return false,
        Ordering::Greater => return true,
        Ordering::Equal => (),
    }
    match end {
        Bound::Unbounded => false,
        Bound::Included(end) => column.compare(row, end).is_gt(),
        Bound::Excluded(end) => column.compare(row, end).is_ge(),
    }
}

/// An ordered index, and where the order of its rows is known.
enum Index<'v, R> {
    /// By [`Row::visit_indexes`].
    Module(&'v OrderedIndex<R>),
    Declared(&'v DeclaredIndex<R>),
}

impl<R: Row> Index<'_, R> {
    fn ordered(&self) -> &OrderedIndex<R> {
        match self {
            Self::Module(index) => index,
            Self::Declared(declared) => declared.ordered(),
        }
    }

    fn copy_behind(&self, batch: &mut Batch<R>) {
        match self {
            Self::Module(index) => R::visit_indexes(&mut CopyMore { index, batch }),
            Self::Declared(declared) => {
                declared.ordered().copy_behind(batch, |a, b| declared.compare(a, b));
            }
        }
    }
}

/// Walks along an ordered index.
struct Ordered<'v, R> {
    snapshot: &'v Snapshot<R>,
    index: Index<'v, R>,
    at: Stamp,
    batch: Batch<R>,
    /// Number of ids of the batch that are used.
    used: usize,
    finished: bool,
}

impl<'v, R: Row> Ordered<'v, R> {
    fn new<T: Table<Row = R>>(view: &TableView<'v, T>, index: Index<'v, R>) -> Self {
        let at = Stamp::of(view.version);
        let (snapshot, batch) = (view.snapshot, Batch::new());
        Self { snapshot, index, at, batch, used: 0, finished: false }
    }

    fn finish(&mut self) {
        self.finished = true;
    }

    /// The next visible row; the first is the first that `before` says no to.
    fn next(&mut self, before: impl Fn(&R) -> bool) -> Option<&'v R> {
        while !self.finished {
            for &id in &self.batch.ids()[self.used..] {
                self.used += 1;
                let row = self.snapshot.chunks.visible(RowId(id), self.at);
                if row.is_some() {
                    return row;
                }
            }
            self.used = 0;
            if self.batch.is_new() {
                self.index.ordered().copy_from(&mut self.batch, &before);
            } else if self.batch.is_full() {
                self.index.copy_behind(&mut self.batch);
            } else {
                self.finished = true;
            }
        }
        None
    }
}

/// Copies the ids behind those of a batch, comparing rows as the index does.
struct CopyMore<'a, R> {
    index: &'a OrderedIndex<R>,
    batch: &'a mut Batch<R>,
}

impl<R> IndexVisitor<R> for CopyMore<'_, R> {
    fn unique<V: Hash + Eq + 'static>(
        &mut self,
        _: u16,
        _: impl Fn(&R) -> &V + Copy + Send + Sync + 'static,
    ) {
    }

    fn ordered(
        &mut self,
        columns: &'static [u16],
        compare: impl Fn(&R, &R) -> Ordering + Copy + Send + Sync + 'static,
    ) {
        if columns == self.index.columns() {
            self.index.copy_behind(self.batch, compare);
        }
    }
}

/// One table of a [`View`](crate::cache::View), whatever its row type: see [`View::untyped`](crate::cache::View::untyped).
#[derive(Clone, Copy)]
pub struct UntypedTable<'v> {
    pub(in crate::cache) snapshot: &'v dyn AnySnapshot,
    pub(in crate::cache) version: u64,
}

impl fmt::Debug for UntypedTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntypedTable")
            .field("version", &self.version)
            .field("len", &self.len())
            .finish()
    }
}

impl UntypedTable<'_> {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.snapshot.len(self.version)
    }

    /// Returns `true` if there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shows each row's encoding, in no particular order.
    pub fn for_each(&self, mut each: impl FnMut(&[u8])) {
        self.snapshot.encode_rows(Stamp::of(self.version), &mut each);
    }

    /// Copies of all rows' encodings, in no particular order.
    pub fn rows(&self) -> Vec<Vec<u8>> {
        let mut rows = Vec::with_capacity(self.len());
        self.for_each(|row| rows.push(row.to_vec()));
        rows
    }
}
