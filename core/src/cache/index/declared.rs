//! Ordered indexes that the application declares, over columns that the module does not index.

use core::any::Any;
use core::cmp::Ordering;
use std::sync::Arc;

use super::ordered::OrderedIndex;
use crate::cache::error::RegisterError;
use crate::cache::register::Registered;
use crate::cache::storage::slots::{Chunks, RowId};
use crate::cache::storage::stamp::Stamp;
use crate::cache::table::store::TableStore;
use crate::cache::{Cache, TableId};
use crate::guard;
use crate::schema::{ClientIndex, Row, Table};

type Compare<R> = dyn Fn(&R, &R) -> Ordering + Send + Sync;

/// One of them, and how it compares rows.
pub(in crate::cache) struct DeclaredIndex<R> {
    pub(in crate::cache) column: u16,
    pub(in crate::cache) index: OrderedIndex<R>,
    compare: Arc<Compare<R>>,
}

impl<R> DeclaredIndex<R> {
    /// The same index, over a list that has no rows yet.
    pub(in crate::cache) fn afresh(&self, chunks: &Arc<Chunks<R>>) -> Self {
        let index = OrderedIndex::new(&[], Arc::clone(chunks));
        Self { column: self.column, index, compare: Arc::clone(&self.compare) }
    }

    /// The order of two rows.
    pub(in crate::cache) fn compare(&self, a: &R, b: &R) -> Ordering {
        (self.compare)(a, b)
    }

    /// Adds rows that `chunks` has.
    pub(in crate::cache) fn insert(&self, ids: &[u32], chunks: &Arc<Chunks<R>>) {
        self.index.set_chunks(chunks);
        self.index.insert(ids, &*self.compare);
    }

    pub(in crate::cache) fn remove(&self, ids: &[u32]) {
        ids.iter().for_each(|&id| self.index.remove(id, &*self.compare));
    }
}

impl Cache {
    /// Gives the table of `T` an index of the client's own, with the rows that are there. Registers the table.
    ///
    /// Does nothing if it has this index.
    ///
    /// # Errors
    ///
    /// As [`register`](Self::register).
    pub fn add_index<T: Table, V: Ord + 'static>(
        &mut self,
        index: ClientIndex<T::Row, V>,
    ) -> Result<Registered, RegisterError> {
        let registered = self.register::<T>()?;
        let TableId(table) = registered.table;
        let store: &mut dyn Any = &mut *self.tables[table as usize];
        if let Some(store) = store.downcast_mut::<TableStore<T::Row>>() {
            let compare = Arc::new(move |a: &_, b: &_| index.compare(a, b));
            // Nothing of the table is changed before all of its rows were compared.
            let declared = guard::catch(|| store.declare(index.column(), compare));
            declared.map_err(|message| RegisterError::Panicked { table: T::DEF.name, message })?;
            self.touch(registered.table);
            self.publish_late();
        }
        Ok(registered)
    }
}

impl<R: Row> TableStore<R> {
    fn declare(&mut self, column: u16, compare: Arc<Compare<R>>) {
        if self.snapshot.declared.iter().any(|known| known.column == column) {
            return;
        }
        let chunks = Arc::clone(&self.snapshot.chunks);
        let index = OrderedIndex::new(&[], Arc::clone(&chunks));
        let declared = DeclaredIndex { column, index, compare };
        declared.insert(&self.held(), &chunks);
        Arc::make_mut(&mut self.snapshot).declared.push(Arc::new(declared));
        self.stale = true;
    }

    /// The rows that somebody sees or may yet see, staged ones among them: those that all indexes have.
    fn held(&self) -> Vec<u32> {
        let chunks = &self.snapshot.chunks;
        let ids = (0..chunks.len()).flat_map(|chunk| {
            let slots = chunks.slots(chunk).iter().enumerate();
            let held =
                slots.filter(|(_, slot)| slot.row().is_some() && slot.died() != Stamp::ALWAYS);
            held.map(move |(slot, _)| RowId::new(chunk, slot).0)
        });
        ids.collect()
    }
}
