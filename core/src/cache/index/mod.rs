//! Indexes of a table: row ids by what identifies a row, by the values of unique columns, and in order.
//!
//! Ids go in and come out. Where rows have to be compared or hashed, they are looked up in the chunks that a method is
//! given; which of them a view sees is not known here.

mod bucket;
mod declared;
pub(super) mod hash;
pub(super) mod identity;
pub(super) mod ordered;

use core::cmp::Ordering;
use core::hash::{BuildHasher, Hash};
use std::sync::Arc;

use foldhash::fast::RandomState;

pub(super) use self::declared::{Compare, DeclaredIndex};
use self::hash::HashIndex;
use self::identity::{ByBytes, ByKey, Identity};
use self::ordered::OrderedIndex;
use crate::bsatn::Writer;
use crate::cache::storage::chunks::Chunks;
use crate::cache::storage::row_id::RowId;
use crate::schema::{IndexVisitor, Row, TableDef};

/// All indexes of a table. Clones share what is in them, and have the shards of their time.
pub(in crate::cache) struct Indexes<R> {
    /// By what identifies a row: see [`Identity`].
    by_identity: HashIndex,
    /// The other unique columns.
    uniques: Vec<(u16, HashIndex)>,
    ordered: Vec<Arc<OrderedIndex<R>>>,
    /// Those that the application declared.
    declared: Vec<Arc<DeclaredIndex<R>>>,
    /// Seeded at random, because the rows are a server's. Hashes are not observable: order comes from slots.
    hasher: RandomState,
    /// `true` if shards or indexes were replaced since readers got a clone.
    is_unpublished: bool,
}

impl<R> Clone for Indexes<R> {
    fn clone(&self) -> Self {
        Self {
            by_identity: self.by_identity.clone(),
            uniques: self.uniques.clone(),
            ordered: self.ordered.clone(),
            declared: self.declared.clone(),
            hasher: self.hasher.clone(),
            is_unpublished: self.is_unpublished,
        }
    }
}

/// Reading.
impl<R> Indexes<R> {
    #[inline]
    pub(in crate::cache) fn by_identity(&self) -> &HashIndex {
        &self.by_identity
    }

    /// The index of a unique column other than the primary key.
    #[inline]
    pub(in crate::cache) fn unique(&self, column: u16) -> Option<&HashIndex> {
        self.uniques.iter().find(|unique| unique.0 == column).map(|(_, index)| index)
    }

    /// The module's ordered index over these columns.
    pub(in crate::cache) fn ordered(&self, columns: &[u16]) -> Option<&OrderedIndex<R>> {
        self.ordered.iter().find(|index| index.columns() == columns).map(|index| &**index)
    }

    /// The client's own index of a column.
    pub(in crate::cache) fn declared(&self, column: u16) -> Option<&DeclaredIndex<R>> {
        self.declared.iter().find(|index| index.column() == column).map(|index| &**index)
    }

    #[inline]
    pub(in crate::cache) fn hasher(&self) -> &RandomState {
        &self.hasher
    }

    /// Returns `true` if the table has indexes besides the one of identities.
    #[inline]
    pub(in crate::cache) fn has_further(&self) -> bool {
        !self.uniques.is_empty() || !self.ordered.is_empty() || !self.declared.is_empty()
    }

    pub(in crate::cache) fn is_unpublished(&self) -> bool {
        self.is_unpublished
    }

    /// Notes that readers get a clone.
    pub(in crate::cache) fn published(&mut self) {
        self.is_unpublished = false;
    }

    /// Gives the ordered indexes the list in which all ids that they have, or get next, are found.
    pub(in crate::cache) fn set_chunks(&self, chunks: &Arc<Chunks<R>>) {
        self.ordered.iter().for_each(|index| index.set_chunks(chunks));
        self.declared.iter().for_each(|index| index.ordered().set_chunks(chunks));
    }
}

/// Writing.
impl<R: Row> Indexes<R> {
    /// The indexes that `def` has, empty; none but that of identities for a raw table.
    pub(in crate::cache) fn new(def: Option<&TableDef>, chunks: &Arc<Chunks<R>>) -> Self {
        let mut indexes = Self {
            by_identity: HashIndex::new(),
            uniques: Vec::new(),
            ordered: Vec::new(),
            declared: Vec::new(),
            hasher: RandomState::default(),
            is_unpublished: true,
        };
        if let Some(def) = def {
            R::visit_indexes(&mut AddIndexes { indexes: &mut indexes, def, chunks });
        }
        indexes
    }

    /// Declares the indexes of another table again, empty.
    pub(in crate::cache) fn declare_as(&mut self, other: &Self, chunks: &Arc<Chunks<R>>) {
        self.declared = other.declared.iter().map(|index| Arc::new(index.afresh(chunks))).collect();
    }

    /// Adds an index of the client's own over the rows of `ids`, unless there is one of this column.
    pub(in crate::cache) fn declare(
        &mut self,
        column: u16,
        compare: Arc<Compare<R>>,
        ids: impl FnOnce() -> Vec<u32>,
        chunks: &Arc<Chunks<R>>,
    ) {
        if self.declared(column).is_some() {
            return;
        }
        let declared = DeclaredIndex::new(column, compare, chunks);
        declared.insert(&ids(), chunks);
        self.declared.push(Arc::new(declared));
        self.is_unpublished = true;
    }

    /// Makes room for a list of `rows` rows at once, if that is many more than there are; whether it was.
    pub(in crate::cache) fn reserve(
        &mut self,
        rows: usize,
        is_keyed: bool,
        chunks: &Chunks<R>,
    ) -> bool {
        let Self { by_identity, hasher, is_unpublished, .. } = self;
        if !by_identity.wants_reserve(rows) {
            return false;
        }
        by_identity.reserve(rows, |id| match chunks.row(RowId(id)) {
            Some(row) if is_keyed => ByKey::hash_row(row, hasher, &mut Writer::new()),
            Some(row) => ByBytes::hash_row(row, hasher, &mut Writer::new()),
            None => 0,
        });
        *is_unpublished = true;
        true
    }

    /// Adds a row to the index of identities.
    #[inline]
    pub(in crate::cache) fn insert<I: Identity<R>>(
        &mut self,
        hash: u64,
        id: RowId,
        chunks: &Chunks<R>,
    ) {
        while !self.by_identity.try_insert(hash, id.0) {
            self.grow::<I>(hash, chunks);
        }
    }

    #[cold]
    fn grow<I: Identity<R>>(&mut self, hash: u64, chunks: &Chunks<R>) {
        let Self { by_identity, hasher, is_unpublished, .. } = self;
        *is_unpublished = true;
        by_identity.grow(hash, |id| rehash::<R, I>(id, chunks, hasher));
    }

    /// Removes versions of rows from the index of identities. Where a newer version replaces one, it takes its place.
    pub(in crate::cache) fn remove<I: Identity<R>>(&mut self, ids: &[u32], chunks: &Chunks<R>) {
        let Self { by_identity, hasher, is_unpublished, .. } = self;
        let mut scratch = Writer::new();
        for &id in ids {
            let Some(row) = chunks.row(RowId(id)) else { continue };
            let hash = I::hash_row(row, hasher, &mut scratch);
            if let Some(newer) = chunks.newer(RowId(id)) {
                let replaced = by_identity.replace_id(hash, id, newer.0);
                debug_assert!(replaced, "the oldest version is in the index");
            } else if by_identity.remove(hash, id).sparse {
                *is_unpublished = true;
                by_identity.shrink(hash, |id| rehash::<R, I>(id, chunks, hasher));
            }
        }
    }

    /// Adds rows to all indexes but that of identities.
    pub(in crate::cache) fn insert_further(&mut self, ids: &[u32], chunks: &Arc<Chunks<R>>) {
        if self.has_further() && !ids.is_empty() {
            let act = Maintenance::Insert;
            R::visit_indexes(&mut Maintain { indexes: self, chunks, ids, act });
            self.declared.iter().for_each(|index| index.insert(ids, chunks));
        }
    }

    /// Removes rows from all indexes but that of identities.
    pub(in crate::cache) fn remove_further(&mut self, ids: &[u32], chunks: &Arc<Chunks<R>>) {
        if self.has_further() && !ids.is_empty() {
            let act = Maintenance::Remove;
            R::visit_indexes(&mut Maintain { indexes: self, chunks, ids, act });
            self.declared.iter().for_each(|index| index.remove(ids));
        }
    }
}

fn rehash<R: Row, I: Identity<R>>(id: u32, chunks: &Chunks<R>, hasher: &RandomState) -> u64 {
    chunks.row(RowId(id)).map_or(0, |row| I::hash_row(row, hasher, &mut Writer::new()))
}

/// Makes the indexes that the table has, out of those that its row type could have.
struct AddIndexes<'a, R> {
    indexes: &'a mut Indexes<R>,
    def: &'a TableDef,
    chunks: &'a Arc<Chunks<R>>,
}

impl<R> IndexVisitor<R> for AddIndexes<'_, R> {
    fn unique<V: Hash + Eq + 'static>(
        &mut self,
        column: u16,
        _: impl Fn(&R) -> &V + Copy + Send + Sync + 'static,
    ) {
        if self.def.unique.contains(&column) {
            self.indexes.uniques.push((column, HashIndex::new()));
        }
    }

    fn ordered(
        &mut self,
        columns: &'static [u16],
        _: impl Fn(&R, &R) -> Ordering + Copy + Send + Sync + 'static,
    ) {
        if self.def.indexes.iter().any(|index| index.columns == columns) {
            let index = OrderedIndex::new(columns, Arc::clone(self.chunks));
            self.indexes.ordered.push(Arc::new(index));
        }
    }
}

/// Adds rows to, or removes them from, every further index that the table has, out of those that its row type could
/// have.
struct Maintain<'a, R> {
    indexes: &'a mut Indexes<R>,
    chunks: &'a Arc<Chunks<R>>,
    ids: &'a [u32],
    act: Maintenance,
}

#[derive(Debug, Clone, Copy)]
enum Maintenance {
    Insert,
    Remove,
}

impl<R> IndexVisitor<R> for Maintain<'_, R> {
    fn unique<V: Hash + Eq + 'static>(
        &mut self,
        column: u16,
        get: impl Fn(&R) -> &V + Copy + Send + Sync + 'static,
    ) {
        let Indexes { uniques, hasher, is_unpublished, .. } = &mut *self.indexes;
        let Some((_, index)) = uniques.iter_mut().find(|unique| unique.0 == column) else { return };
        let hash = |id| self.chunks.row(RowId(id)).map_or(0, |row| hasher.hash_one(get(row)));
        for &id in self.ids {
            *is_unpublished |= match self.act {
                Maintenance::Insert => index.insert(hash(id), id, hash),
                Maintenance::Remove => index.remove_and_shrink(hash(id), id, hash),
            };
        }
    }

    fn ordered(
        &mut self,
        columns: &'static [u16],
        compare: impl Fn(&R, &R) -> Ordering + Copy + Send + Sync + 'static,
    ) {
        let Some(index) = self.indexes.ordered(columns) else { return };
        match self.act {
            Maintenance::Insert => {
                index.set_chunks(self.chunks);
                index.insert(self.ids, compare);
            }
            Maintenance::Remove => self.ids.iter().for_each(|&id| index.remove(id, compare)),
        }
    }
}
