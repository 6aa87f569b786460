//! The writer's end: the tables, and the versions that readers may have.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::{HashSet, HashSetExt};

use super::apply::Applying;
use super::catalog::Catalog;
use super::epoch::{CacheReader, Epoch, Shared, Tables};
use super::raw::RawRow;
use super::sets::SetId;
use super::stamp::FREEZE_EVERY;
use super::store::TableStore;
use super::table::{AnyTable, Usage};
use super::{CacheConfig, TableId};

/// The writer's end of a cache, owned by the connection's machine: no clock, no I/O, no thread.
pub struct Cache {
    pub(super) config: CacheConfig,
    pub(super) shared: Arc<Shared>,
    /// By [`TableId`].
    pub(super) tables: Vec<Box<dyn AnyTable>>,
    pub(super) catalog: Arc<Catalog>,
    /// Whether readers do not have the catalog yet.
    pub(super) catalog_changed: bool,
    /// The current version.
    pub(super) version: u64,
    /// Epochs before the current one that somebody may hold, oldest first.
    past: VecDeque<Arc<Epoch>>,
    pub(super) applying: Option<Applying>,
    /// Whether the change under way waits for views.
    pub(super) waiting: bool,
    /// Sets whose parts are ignored until they are dropped: rows of theirs did not decode.
    pub(super) failed: HashSet<SetId>,
    /// Sets that are as they were when the server was last heard: see [`mark_stale`](Self::mark_stale).
    pub(super) stale: HashSet<SetId>,
    freezing: Freezing,
}

/// The pass that stamps old rows: see [`Stamp`](super::stamp::Stamp).
#[derive(Debug)]
struct Freezing {
    /// The version at which the next pass starts.
    due: u64,
    /// The next chunk, while a pass is under way.
    at: Option<(usize, usize)>,
}

impl core::fmt::Debug for Cache {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Cache")
            .field("version", &self.version)
            .field("tables", &self.tables.len())
            .field("is_applying", &self.is_applying())
            .finish_non_exhaustive()
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self::new(CacheConfig::default())
    }
}

impl Cache {
    /// An empty cache.
    pub fn new(config: CacheConfig) -> Self {
        let catalog = Arc::new(Catalog::new());
        let tables = Tables { catalog: Arc::clone(&catalog), snapshots: Vec::new() };
        let version = config.first_version;
        Self {
            shared: Arc::new(Shared::new(Epoch::new(version, Arc::new(tables)))),
            tables: Vec::new(),
            catalog,
            catalog_changed: false,
            version,
            past: VecDeque::new(),
            applying: None,
            waiting: false,
            failed: HashSet::new(),
            stale: HashSet::new(),
            freezing: Freezing { due: version + FREEZE_EVERY, at: None },
            config,
        }
    }

    /// A readers' end.
    pub fn reader(&self) -> CacheReader {
        CacheReader::new(&self.shared)
    }

    /// The name of a table on the wire.
    pub fn table_name(&self, table: TableId) -> Option<&str> {
        self.tables.get(table.0 as usize).map(|table| &**table.name())
    }

    /// What a table's slots are used for.
    #[doc(hidden)]
    pub fn usage(&self, table: TableId) -> Option<Usage> {
        self.tables.get(table.0 as usize).map(|table| table.usage())
    }

    /// The table of this name, made raw if there is none.
    pub(super) fn table_named(&mut self, name: &str) -> TableId {
        if let Some(&table) = self.catalog.by_name.get(name) {
            return TableId(table);
        }
        let table = TableId(self.tables.len() as u32);
        let name: Arc<str> = name.into();
        let store = TableStore::<RawRow>::new(table, Arc::clone(&name), None);
        self.tables.push(Box::new(store));
        Arc::make_mut(&mut self.catalog).by_name.insert(name, table.0);
        self.catalog_changed = true;
        table
    }

    /// Frees what no view sees any more, by about `max_rows` rows; whether there is more that can be done now.
    ///
    /// To be called when there is time, and between changes. Memory comes back in bounded steps: rows that left, when
    /// no view and no undelivered [`Transaction`](super::Transaction) can see them; what they took, at a moment when
    /// nobody holds a view, else by moving the rows around them, for which the version may grow without a transaction.
    /// Readers who ask for a view meanwhile wait for some tens of microseconds at most.
    pub fn reclaim(&mut self, max_rows: usize) -> bool {
        let mut budget = max_rows.max(1);
        self.bury(&mut budget);
        for table in &mut self.tables {
            table.remove_empty_chunks(&mut budget);
        }
        if self.applying.is_none() {
            self.evacuate(&mut budget);
            self.publish_if_stale();
        }
        self.reap(&mut budget);
        self.freeze(&mut budget);
        budget == 0
    }

    /// Buries dead rows only, which is what a waiting change needs.
    pub(super) fn reclaim_dead(&mut self, max_rows: usize) {
        self.bury(&mut max_rows.max(1));
    }

    fn bury(&mut self, budget: &mut usize) {
        let horizon = self.oldest_held();
        for table in &mut self.tables {
            table.bury(horizon, budget);
        }
    }

    fn evacuate(&mut self, budget: &mut usize) {
        let version = self.version + 1;
        let mut moved = false;
        for table in &mut self.tables {
            moved |= table.evacuate(version, budget);
        }
        if moved {
            self.publish(version);
        }
    }

    /// Takes rows out of their slots, if nobody has a view, in turns that are short enough for readers to wait for.
    fn reap(&mut self, budget: &mut usize) {
        const TURN_ROWS: usize = 1024;
        while *budget > 0 && self.tables.iter().any(|table| table.wants_reaping()) {
            let before = (*budget).min(TURN_ROWS);
            let mut turn = before;
            self.reap_turn(&mut turn);
            self.tables.iter_mut().for_each(|table| table.drop_reaped());
            *budget -= before - turn;
            if before == turn {
                return;
            }
        }
    }

    fn reap_turn(&mut self, budget: &mut usize) {
        if self.oldest_held() < self.version || !self.past.is_empty() {
            return;
        }
        let mut current = self.shared.lock();
        let Some(epoch) = Arc::get_mut(&mut current) else { return };
        let Some(tables) = Arc::get_mut(&mut epoch.tables) else { return };
        for (table, published) in self.tables.iter_mut().zip(&mut tables.snapshots) {
            if table.wants_reaping() && *budget > 0 {
                table.reap(published, budget);
            }
        }
    }

    fn freeze(&mut self, budget: &mut usize) {
        /// What a pass over a chunk costs, in rows applied.
        const CHUNK_COST: usize = 64;
        if self.version >= self.freezing.due && self.freezing.at.is_none() {
            self.freezing = Freezing { due: self.version + FREEZE_EVERY, at: Some((0, 0)) };
        }
        let horizon = self.horizon();
        while *budget > 0
            && let Some((table, chunk)) = self.freezing.at
        {
            *budget = budget.saturating_sub(CHUNK_COST);
            self.freezing.at = self.tables.get(table).map(|store| {
                if store.freeze(chunk, horizon) { (table, chunk + 1) } else { (table + 1, 0) }
            });
        }
    }

    /// The oldest version that somebody may look at, as far as is known.
    pub(super) fn horizon(&self) -> u64 {
        self.past.front().map_or(self.version, |epoch| epoch.version)
    }

    /// The oldest version that somebody looks at.
    fn oldest_held(&mut self) -> u64 {
        // An epoch of which this is the only handle: nobody can get another, since only the current one is handed out.
        self.past.retain_mut(|epoch| Arc::get_mut(epoch).is_none());
        self.horizon()
    }

    fn publish_if_stale(&mut self) {
        let stale = self.tables.iter().any(|table| table.is_stale());
        if stale || self.catalog_changed {
            self.publish(self.version);
        }
    }

    /// Makes `version` the current one.
    pub(super) fn publish(&mut self, version: u64) -> Arc<Epoch> {
        let old = self.shared.current();
        let tables = self.publish_tables(&old.tables);
        let epoch = Arc::new(Epoch::new(version, tables));
        *self.shared.lock() = Arc::clone(&epoch);
        self.version = version;
        self.past.push_back(old);
        self.oldest_held();
        epoch
    }

    fn publish_tables(&mut self, old: &Arc<Tables>) -> Arc<Tables> {
        let mut new = None;
        for (place, table) in self.tables.iter_mut().enumerate() {
            let Some(snapshot) = table.publish() else { continue };
            let tables = new.get_or_insert_with(|| Tables::clone(old));
            match tables.snapshots.get_mut(place) {
                Some(old) => *old = snapshot,
                None => tables.snapshots.push(snapshot),
            }
        }
        if core::mem::take(&mut self.catalog_changed) {
            let tables = new.get_or_insert_with(|| Tables::clone(old));
            tables.catalog = Arc::clone(&self.catalog);
        }
        new.map_or_else(|| Arc::clone(old), Arc::new)
    }

    /// Shows a table that got its type to new views and to those that are held.
    pub(super) fn publish_late(&mut self) {
        let epoch = self.publish(self.version);
        for past in &self.past {
            past.add_late(&epoch.tables);
        }
    }
}
