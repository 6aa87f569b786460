//! A table in a mutation's hands.

use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::marker::PhantomData;

use super::LocalTx;
use super::tx::Mode;
use super::writes::TableWrites;
use crate::bsatn::Writer;
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
        let hash = base.view.snapshot.hasher.hash_one(key);
        let place = self.tx.locate(&base, hash, |row| row.key().borrow() == key);
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
        if K::PRIMARY {
            let hash = base.view.snapshot.hasher.hash_one(value);
            let place = self.tx.locate(&base, hash, is);
            return self.tx.row_at(&base, &place);
        }
        // Any row may get this value.
        self.tx.note_scan(base.table);
        let writes = self.tx.writes::<T::Row>(base.table);
        let mut found = Vec::new();
        base.view.find_all(column, value, |id, row| {
            if writes.is_none_or(|writes| !writes.replaces(id)) {
                found.push(row);
            }
        });
        found.extend(writes.into_iter().flat_map(TableWrites::rows).filter(|row| is(row)));
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
            self.tx.note_scan(base.table);
        }
        let writes = base.as_ref().and_then(|base| self.tx.writes::<T::Row>(base.table));
        let rows = base.into_iter().flat_map(|base| base.view.iter_with_ids());
        let rest = rows.filter(move |(id, _)| writes.is_none_or(|writes| !writes.replaces(*id)));
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
        let place = self.tx.locate_row::<T>(&base, row);
        self.tx.delete_at::<T::Row>(&place)
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
        let place = self.tx.locate_row::<T>(&base, row);
        self.tx.delete_at::<T::Row>(&place)
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
