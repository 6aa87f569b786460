//! A table as its writer has it: the shared part, who holds which row, and what is free.

use std::sync::Arc;

use super::any::Fault;
use super::staging::Staging;
use crate::cache::TableId;
use crate::cache::index::Indexes;
use crate::cache::index::identity::{ByBytes, ByKey};
use crate::cache::membership::Membership;
use crate::cache::membership::sets::SetId;
use crate::cache::optimistic::Layer;
use crate::cache::read::snapshot::Snapshot;
use crate::cache::storage::RowStorage;
use crate::cache::storage::slots::RowId;
use crate::schema::{Row, TableDef, TableKind};

pub(in crate::cache) struct TableStore<R: Row> {
    pub(in crate::cache) id: TableId,
    pub(in crate::cache) name: Arc<str>,
    /// None for a raw table.
    pub(in crate::cache) def: Option<TableDef>,
    pub(in crate::cache) storage: RowStorage<R>,
    pub(in crate::cache) indexes: Indexes<R>,
    /// Shared part as readers have it.
    pub(in crate::cache) published: Option<Arc<Snapshot<R>>>,
    pub(in crate::cache) membership: Membership,
    pub(in crate::cache) staging: Staging<R>,
    /// Writes of pending mutations, if any has read or written it.
    pub(in crate::cache) layer: Option<Box<Layer<R>>>,
    /// The sets that hold a row which is on its way between the layer and a slot, while code of its type runs.
    pub(in crate::cache) on_its_way: Vec<SetId>,
}

impl<R: Row> TableStore<R> {
    pub(in crate::cache) fn new(id: TableId, name: Arc<str>, def: Option<TableDef>) -> Self {
        let storage = RowStorage::new(def.is_some_and(|def| def.primary_key.is_some()));
        Self {
            id,
            name,
            def,
            indexes: Indexes::new(def.as_ref(), storage.chunks()),
            storage,
            published: None,
            membership: Membership::new(),
            staging: Staging::new(),
            layer: None,
            on_its_way: Vec::new(),
        }
    }

    pub(in crate::cache) fn is_keyed(&self) -> bool {
        self.def.is_some_and(|def| def.primary_key.is_some())
    }

    pub(in crate::cache) fn is_event(&self) -> bool {
        self.def.is_some_and(|def| def.kind == TableKind::Event)
    }

    /// Puts a row into a free slot.
    pub(in crate::cache) fn put(&mut self, row: R, expected: usize) -> Result<RowId, Fault> {
        let size = RowStorage::encoded_size(&row);
        self.put_sized(row, size, expected)
    }

    /// Puts a row into a free slot that was decoded of `size` bytes; `expected` is how many more will come.
    #[inline]
    pub(in crate::cache) fn put_sized(
        &mut self,
        row: R,
        size: usize,
        expected: usize,
    ) -> Result<RowId, Fault> {
        let id = loop {
            match self.storage.alloc() {
                Some(id) => break id,
                None => self.add_chunk(expected)?,
            }
        };
        self.storage.fill(id, row, size);
        Ok(id)
    }

    #[cold]
    fn add_chunk(&mut self, expected: usize) -> Result<(), Fault> {
        let added = self.storage.add_chunk(expected).map_err(Fault::OutOfSync)?;
        self.membership.add_chunk(added.index, added.slots);
        Ok(())
    }

    /// Returns `true` if readers do not have the shared part yet.
    pub(in crate::cache) fn is_unpublished(&self) -> bool {
        self.storage.is_unpublished() || self.indexes.is_unpublished()
    }

    /// Makes room for a list of `rows` rows.
    pub(in crate::cache) fn reserve(&mut self, rows: usize) {
        let is_keyed = self.is_keyed();
        if self.indexes.reserve(rows, is_keyed, self.storage.chunks()) {
            self.staging.pairs.reserve(rows);
        }
    }

    /// Adds a row to all indexes.
    pub(in crate::cache) fn index_row(&mut self, hash: u64, id: RowId) {
        if self.is_keyed() {
            self.indexes.insert::<ByKey>(hash, id, self.storage.chunks());
        } else {
            self.indexes.insert::<ByBytes>(hash, id, self.storage.chunks());
        }
        self.indexes.insert_further(&[id.0], self.storage.chunks());
    }

    /// The live row of this hash for which `is` says yes.
    pub(in crate::cache) fn find_live(&self, hash: u64, is: impl Fn(&R) -> bool) -> Option<RowId> {
        self.indexes.by_identity().find(hash, |id| {
            let mut versions = self.storage.versions(RowId(id));
            versions.find(|&id| self.storage.live_row(id).is_some_and(&is))
        })
    }
}
