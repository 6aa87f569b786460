//! Versions of all tables together, and how readers get at them.

use core::any::{Any, TypeId};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockWriteGuard, Weak};

use super::catalog::Catalog;
use super::snapshot::{AnySnapshot, Snapshot};
use super::snapshots::Snapshots;
use super::view::{TableView, UntypedTable};
use crate::cache::{Row, Table};

/// All tables at one version.
pub(in crate::cache) struct Epoch {
    pub(in crate::cache) version: u64,
    pub(in crate::cache) tables: Arc<Tables>,
    /// Tables that got their type while a view held this epoch.
    late: OnceLock<Box<Late>>,
}

struct Late {
    tables: Arc<Tables>,
    next: OnceLock<Box<Self>>,
}

/// The tables that there are. Replaced when one gets chunks or shards, not when rows come and go.
#[derive(Clone)]
pub(in crate::cache) struct Tables {
    pub(in crate::cache) catalog: Catalog,
    pub(in crate::cache) snapshots: Snapshots,
}

impl Tables {
    #[inline]
    fn typed<R: Row>(&self, marker: TypeId) -> Option<&Snapshot<R>> {
        self.typed_at(self.catalog.by_type.get(marker)?)
    }

    #[inline]
    pub(in crate::cache) fn typed_at<R: Row>(&self, table: u32) -> Option<&Snapshot<R>> {
        let snapshot: &dyn Any = self.snapshots.get(table as usize)?;
        snapshot.downcast_ref()
    }

    /// A table by its id, whatever its type.
    pub(in crate::cache) fn untyped_at(&self, table: u32) -> Option<&dyn AnySnapshot> {
        self.snapshots.get(table as usize)
    }

    fn untyped(&self, name: &str) -> Option<&dyn AnySnapshot> {
        let table = self.catalog.by_name.get(name)?;
        self.snapshots.get(table as usize)
    }
}

impl Epoch {
    pub(in crate::cache) fn new(version: u64, tables: Arc<Tables>) -> Self {
        Self { version, tables, late: OnceLock::new() }
    }

    /// Shows tables that got their type after this epoch to the views that hold it.
    pub(in crate::cache) fn add_late(&self, tables: &Arc<Tables>) {
        let mut last = &self.late;
        while let Some(late) = last.get() {
            last = &late.next;
        }
        // Only the writer adds, so the place is still free.
        let _ = last.set(Box::new(Late { tables: Arc::clone(tables), next: OnceLock::new() }));
    }

    #[cold]
    fn late_typed<R: Row>(&self, marker: TypeId) -> Option<&Snapshot<R>> {
        let mut next = &self.late;
        loop {
            let late = next.get()?;
            match late.tables.typed(marker) {
                Some(snapshot) => return Some(snapshot),
                None => next = &late.next,
            }
        }
    }
}

/// State that readers and the writer share.
pub(in crate::cache) struct Shared {
    current: RwLock<Arc<Epoch>>,
}

impl Shared {
    pub(in crate::cache) fn new(epoch: Epoch) -> Self {
        Self { current: RwLock::new(Arc::new(epoch)) }
    }

    #[inline]
    pub(in crate::cache) fn current(&self) -> Arc<Epoch> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps readers from getting a view. To be held for a moment only.
    pub(in crate::cache) fn lock(&self) -> RwLockWriteGuard<'_, Arc<Epoch>> {
        self.current.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The readers' end of a cache. Cheap to clone.
#[derive(Clone)]
pub struct CacheReader {
    shared: Arc<Shared>,
}

impl core::fmt::Debug for CacheReader {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CacheReader").finish_non_exhaustive()
    }
}

impl CacheReader {
    pub(in crate::cache) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared) }
    }

    /// All tables as the last transaction left them. Waits for moments at most, for the writer's bookkeeping.
    #[inline]
    pub fn read(&self) -> View {
        View { epoch: self.shared.current() }
    }

    /// Sets the owner of the cache, which views can be asked for ([`View::owner`]), so that a view need not
    /// hold one. The first one stays.
    pub fn set_owner(&self, owner: Weak<dyn Any + Send + Sync>) {
        // A second one would be of the same cache, and can do what the first can.
        let _ = self.shared.current().tables.catalog.owner.set(owner);
    }
}

/// All tables at one version: the same rows for as long as it is held, whatever happens meanwhile.
///
/// Holding one blocks neither readers nor the writer, until [`CacheConfig::max_dead_bytes`](crate::cache::CacheConfig::max_dead_bytes) of rows that left
/// meanwhile are kept for it: then applying waits for it to be dropped. So do not keep one for ever.
#[derive(Clone)]
pub struct View {
    pub(in crate::cache) epoch: Arc<Epoch>,
}

impl core::fmt::Debug for View {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("View").field("version", &self.epoch.version).finish_non_exhaustive()
    }
}

impl View {
    /// The version: grows with every transaction, and sometimes in between.
    pub fn version(&self) -> u64 {
        self.epoch.version
    }

    /// A table by its type; none if it was never registered, neither before this view nor since.
    #[inline]
    pub fn table<T: Table>(&self) -> Option<TableView<'_, T>> {
        let marker = TypeId::of::<T>();
        let snapshot = match self.epoch.tables.typed::<T::Row>(marker) {
            Some(snapshot) => snapshot,
            None => self.epoch.late_typed(marker)?,
        };
        Some(TableView::new(snapshot, self.epoch.version))
    }

    /// A table by its name on the wire, whatever its type; none if there is no such table yet.
    pub fn untyped(&self, name: &str) -> Option<UntypedTable<'_>> {
        let snapshot = self.epoch.tables.untyped(name)?;
        Some(UntypedTable { snapshot, version: self.epoch.version })
    }

    /// Owner of the cache, which can give types to tables: see [`CacheReader::set_owner`]. None if it was not set, if it
    /// is no `T`, and when it is gone.
    pub fn owner<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.epoch.tables.catalog.owner.get()?.upgrade()?.downcast().ok()
    }

    /// The names of all tables that this view has, in no order.
    pub fn table_names(&self) -> impl Iterator<Item = &str> {
        self.epoch.tables.catalog.by_name.names()
    }
}
