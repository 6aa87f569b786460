//! A table in a mutation's hands.

use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::marker::PhantomData;

use super::writes::TableWrites;
use super::{Base, LocalTx, Mode};
use crate::bsatn::Writer;
use crate::cache::optimistic::footprint::{Extent, Reads};
use crate::cache::optimistic::ids::Turn;
use crate::cache::optimistic::layer::Layer;
use crate::cache::storage::row_id::RowId;
use crate::schema::{Column, FindIn, HasKey, Row, Table};

/// A table as a mutation sees it.
pub struct LocalTable<'t, T> {
    tx: &'t LocalTx,
    table: PhantomData<fn() -> T>,
}

impl<'t, T: Table> LocalTable<'t, T> {
    pub(super) fn new(tx: &'t LocalTx) -> Self {
        Self { tx, table: PhantomData }
    }

    /// The row with this primary key.
    pub fn get<Q>(&self, key: &Q) -> Option<&'t T::Row>
    where
        T: HasKey,
        <T::Row as Row>::Key: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let base = self.tx.base::<T>()?;
        let hash = base.view.snapshot.indexes.hasher().hash_one(key);
        let extent = Some(Extent::Value);
        let place = self.tx.locate(&base, hash, extent, |row| row.key().borrow() == key);
        self.tx.row_at(&base, &place)
    }

    /// The row with this value in a unique column. Where several have it, as may be before calls are answered, always
    /// the same of them.
    pub fn find<V, K, Q>(&self, column: Column<T::Row, V, K>, value: &Q) -> Option<&'t T::Row>
    where
        K: FindIn<T>,
        V: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let base = self.tx.base::<T>()?;
        let is = |row: &T::Row| column.get(row).borrow() == value;
        let indexes = &base.view.snapshot.indexes;
        let hash = indexes.hasher().hash_one(value);
        if K::PRIMARY {
            let place = self.tx.locate(&base, hash, Some(Extent::Value), is);
            return self.tx.row_at(&base, &place);
        }
        // Any row may get this value.
        let is_indexed = indexes.unique(column.index()).is_some();
        self.tx.note(base.table, |reads| match is_indexed {
            true => reads.unique(column.index(), hash),
            // Only a hand-written row type can promise an index that it does not have.
            false => reads.scan(),
        });
        let seen = self.seen(&base);
        let mut found = Vec::new();
        base.view.find_all(column, value, |id, row| {
            if seen.in_slot(id, row) {
                found.push(row);
            }
        });
        found.extend(seen.elsewhere().filter(|row| is(row)));
        // Not by where they lie, which is another thing each time that mutations run.
        if found.len() < 2 {
            found.pop()
        } else {
            found.into_iter().min_by_key(|row| encoded(*row))
        }
    }

    /// All rows, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &'t T::Row> + use<'t, T> {
        let base = self.tx.base::<T>();
        if let Some(base) = &base {
            self.tx.note(base.table, Reads::scan);
        }
        let seen = base.as_ref().map(|base| self.seen(base));
        let rows = base.into_iter().flat_map(|base| base.view.iter_with_ids());
        let in_slots = rows.filter(move |(id, row)| seen.is_some_and(|it| it.in_slot(*id, row)));
        in_slots.map(|(_, row)| row).chain(seen.into_iter().flat_map(SeenRows::elsewhere))
    }

    fn seen(&self, base: &Base<'t, T>) -> SeenRows<'t, T::Row> {
        SeenRows { writes: self.tx.writes(base.table), layer: self.tx.layer(base.table) }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Returns `true` if there are no rows.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

/// Rows that a mutation sees, of those that are in slots and of others.
struct SeenRows<'t, R> {
    writes: Option<&'t TableWrites<R>>,
    layer: Option<(&'t Layer<R>, Turn)>,
}

impl<R> Clone for SeenRows<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for SeenRows<'_, R> {}

impl<'t, R: Row> SeenRows<'t, R> {
    /// Returns `true` if it sees a row that is in a slot.
    fn in_slot(self, id: RowId, row: &R) -> bool {
        self.writes.is_none_or(|writes| !writes.replaces(id))
            && self.layer.is_none_or(|(layer, turn)| !layer.hides(row, turn))
    }

    /// The rows that it sees and that are in no slot.
    fn elsewhere(self) -> impl Iterator<Item = &'t R> {
        let Self { writes, layer } = self;
        let below = layer.into_iter().flat_map(|(layer, turn)| layer.rows_below(turn));
        let replaces = move |key| writes.is_some_and(|writes| writes.replaces_key(key));
        let below = below.filter(move |(key, _)| !replaces(*key)).map(|(_, row)| row);
        below.chain(writes.into_iter().flat_map(TableWrites::rows))
    }
}

/// A table as a mutation changes it.
pub struct LocalTableMut<'t, T> {
    tx: &'t mut LocalTx,
    table: PhantomData<fn() -> T>,
}

impl<'t, T: Table> LocalTableMut<'t, T> {
    pub(super) fn new(tx: &'t mut LocalTx) -> Self {
        Self { tx, table: PhantomData }
    }

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
        let place = self.tx.locate_row::<T>(&base, row, Some(Extent::Presence));
        self.tx.delete_at::<T>(&place)
    }

    /// As [`LocalTx::delete_by`].
    pub fn delete_by<V, K, Q>(&mut self, column: Column<T::Row, V, K>, value: &Q) -> bool
    where
        K: FindIn<T>,
        V: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let Some(base) = self.tx.base::<T>() else { return false };
        let place = if K::PRIMARY {
            let hash = base.view.snapshot.indexes.hasher().hash_one(value);
            let is = |row: &T::Row| column.get(row).borrow() == value;
            self.tx.locate(&base, hash, Some(Extent::Presence), is)
        } else {
            let Some(row) = self.tx.table::<T>().find(column, value) else { return false };
            self.tx.locate_row::<T>(&base, row, Some(Extent::Presence))
        };
        self.tx.delete_at::<T>(&place)
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

fn encoded<R: Row>(row: &R) -> Box<[u8]> {
    let mut bytes = Writer::new();
    row.encode(&mut bytes);
    bytes.as_slice().into()
}
