//! The writer's end: the tables, and the versions that readers may have.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::{HashSet, HashSetExt};

use super::membership::sets::SetId;
use super::optimistic::Mutations;
use super::read::catalog::Catalog;
use super::read::epoch::{CacheReader, Epoch, Shared, Tables};
use super::read::snapshots::Snapshots;
use super::reset::Resets;
use super::storage::stamp::FREEZE_EVERY;
use super::table::any::{AnyTable, Dead, QuietWork, Usage};
use super::transaction::apply::Applying;
use super::unmentioned::Unmentioned;
use super::{CacheConfig, TableId};
use crate::schema::TableDef;

/// The writer's end of a cache, owned by the connection's machine: no clock, no I/O, no thread.
pub struct Cache {
    pub(super) config: CacheConfig,
    pub(super) shared: Arc<Shared>,
    /// By [`TableId`].
    pub(super) tables: Vec<Box<dyn AnyTable>>,
    pub(super) catalog: Catalog,
    /// `true` if readers do not have the catalog yet.
    pub(super) catalog_changed: bool,
    /// The current version.
    pub(super) version: u64,
    /// Epochs before the current one that somebody may hold, oldest first.
    past: VecDeque<Arc<Epoch>>,
    pub(super) applying: Option<Applying>,
    /// `true` while the change under way waits for views.
    pub(super) waiting: bool,
    /// Sets whose parts are ignored until they are dropped: rows of theirs did not decode.
    pub(super) failed: HashSet<SetId>,
    /// Views that have no rows without arguments.
    pub(super) with_arguments: Vec<TableId>,
    /// Sets that are as they were when the server was last heard: see [`mark_stale`](Self::mark_stale).
    pub(super) stale: HashSet<SetId>,
    pub(super) mutations: Mutations,
    pub(super) unmentioned: Unmentioned,
    /// The work that panics of row types have left.
    pub(super) resets: Resets,
    unclean: Unclean,
    freezing: Freezing,
}

/// Tables in which there may be something to publish or to reclaim: so that the others cost nothing.
#[derive(Debug, Default)]
pub(super) struct Unclean {
    /// In the order in which they were touched.
    tables: Vec<TableId>,
    /// Marks of the tables that are among them.
    marks: Vec<bool>,
}

impl Unclean {
    pub(super) fn add(&mut self, table: TableId) {
        let place = table.0 as usize;
        if self.marks.len() <= place {
            self.marks.resize(place + 1, false);
        }
        if !core::mem::replace(&mut self.marks[place], true) {
            self.tables.push(table);
        }
    }

    fn retain(&mut self, is_unclean: impl Fn(TableId) -> bool) {
        self.tables.retain(|&table| {
            self.marks[table.0 as usize] = is_unclean(table);
            self.marks[table.0 as usize]
        });
    }
}

/// The pass that stamps old rows: see [`Stamp`](super::storage::stamp::Stamp).
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
        let catalog = Catalog::new();
        let tables = Tables { catalog: catalog.clone(), snapshots: Snapshots::default() };
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
            with_arguments: Vec::new(),
            stale: HashSet::new(),
            mutations: Mutations::default(),
            unmentioned: Unmentioned::default(),
            resets: Resets::default(),
            unclean: Unclean::default(),
            freezing: Freezing { due: version + FREEZE_EVERY, at: None },
            config,
        }
    }

    /// A readers' end.
    pub fn reader(&self) -> CacheReader {
        CacheReader::new(&self.shared)
    }

    /// Definitions of the registered tables.
    pub fn definitions(&self) -> impl Iterator<Item = &TableDef> {
        self.tables.iter().filter_map(|table| table.def())
    }

    /// The name of a table on the wire.
    pub fn table_name(&self, table: TableId) -> Option<&str> {
        self.tables.get(table.0 as usize).map(|table| &**table.name())
    }

    /// Use of a table's slots.
    #[doc(hidden)]
    pub fn usage(&self, table: TableId) -> Option<Usage> {
        self.tables.get(table.0 as usize).map(|table| table.usage())
    }

    /// Frees what no view sees any more, by about `max_rows` rows; whether there is more that can be done now.
    ///
    /// To be called when there is time; each change starts with it too. Memory comes back in bounded steps: rows that left, when
    /// no view and no undelivered [`Transaction`](super::Transaction) can see them; what they took, at a moment when
    /// nobody holds a view, else by moving the rows around them, for which the version may grow without a transaction.
    /// Readers who ask for a view meanwhile wait for some tens of microseconds at most.
    pub fn reclaim(&mut self, max_rows: usize) -> bool {
        // A table that starts over meanwhile is something to be done.
        self.fenced(|cache| cache.reclaim_some(max_rows)).unwrap_or(true)
    }

    pub(super) fn reclaim_some(&mut self, max_rows: usize) -> bool {
        let mut budget = max_rows.max(1);
        if self.applying.is_none() {
            self.at_quiet_moments(QuietWork::Compaction, &mut budget);
        }
        let horizon = self.oldest_held();
        self.each_unclean(|table| {
            table.retire(horizon, &mut budget);
            table.remove_empty_chunks(&mut budget);
        });
        let mut moved = false;
        if self.applying.is_none() {
            self.each_unclean(|table| table.mark_all_visible(horizon));
            // What can be freed where it is need not be moved around.
            self.at_quiet_moments(QuietWork::Vacuum, &mut budget);
            moved = self.evacuate(&mut budget);
            self.forget_tables_of_ended_sets();
            self.publish_if_needed();
        }
        self.at_quiet_moments(QuietWork::Vacuum, &mut budget);
        self.freeze(&mut budget);
        let is_unclean = |table: TableId| !self.tables[table.0 as usize].is_clean();
        self.unclean.retain(is_unclean);
        // Rows that moved left their old slots, which are next.
        budget == 0 || moved
    }

    /// Notes that there may be something to publish or to reclaim.
    pub(super) fn touch(&mut self, table: TableId) {
        self.unclean.add(table);
    }

    /// Tables in which there may be something to reclaim.
    pub(super) fn unclean_tables(&self) -> &[TableId] {
        &self.unclean.tables
    }

    fn each_unclean(&mut self, mut each: impl FnMut(&mut dyn AnyTable)) {
        for &table in &self.unclean.tables {
            self.resets.name(table);
            each(&mut *self.tables[table.0 as usize]);
        }
        self.resets.leave();
    }

    /// The rows that left and may be seen by views.
    pub(super) fn dead(&self) -> Dead {
        let tables = self.unclean.tables.iter();
        let dead = tables.map(|table| self.tables[table.0 as usize].dead());
        dead.fold(Dead::default(), |all, dead| Dead {
            rows: all.rows + dead.rows,
            bytes: all.bytes + dead.bytes,
        })
    }

    /// The memory that rows take which left and are not freed yet: because views may see them, or because views are held
    /// beside which they cannot be freed.
    pub fn garbage_bytes(&self) -> usize {
        let tables = self.unclean.tables.iter();
        let retired: usize =
            tables.map(|table| self.tables[table.0 as usize].retired_bytes()).sum();
        retired + self.dead().bytes
    }

    fn any_unclean(&self, is: impl Fn(&dyn AnyTable) -> bool) -> bool {
        self.unclean.tables.iter().any(|table| is(&*self.tables[table.0 as usize]))
    }

    /// Moves rows out of sparse chunks; whether any were moved.
    fn evacuate(&mut self, budget: &mut usize) -> bool {
        let version = self.version + 1;
        let mut moved = false;
        self.each_unclean(|table| moved |= table.evacuate(version, budget));
        if moved {
            self.publish(version);
        }
        moved
    }

    /// Does something that needs rows for itself, if nobody has a view, in turns that are short enough for readers to wait
    /// for.
    fn at_quiet_moments(&mut self, work: QuietWork, budget: &mut usize) {
        const TURN_ROWS: usize = 1024;
        while *budget > 0 && self.any_unclean(|table| table.wants(work)) {
            let before = (*budget).min(TURN_ROWS);
            let mut turn = before;
            self.quiet_turn(work, &mut turn);
            self.each_unclean(|table| table.drop_vacuumed());
            *budget -= before - turn;
            if before == turn {
                return;
            }
        }
    }

    fn quiet_turn(&mut self, work: QuietWork, budget: &mut usize) {
        self.oldest_held();
        if !self.past.is_empty() {
            return;
        }
        let mut current = self.shared.lock();
        let Some(epoch) = Arc::get_mut(&mut current) else { return };
        let Some(tables) = Arc::get_mut(&mut epoch.tables) else { return };
        for table in &self.unclean.tables {
            let place = table.0 as usize;
            let table = &mut *self.tables[place];
            if let Some(published) = tables.snapshots.get_unshared(place)
                && table.wants(work)
                && *budget > 0
            {
                table.work_quietly(work, published, budget);
            }
        }
    }

    fn freeze(&mut self, budget: &mut usize) {
        /// Cost of a pass over a chunk, in rows applied.
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

    fn publish_if_needed(&mut self) {
        if self.catalog_changed || self.any_unclean(|table| table.is_unpublished()) {
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
        for table in &self.unclean.tables {
            let place = table.0 as usize;
            if self.resets.holds_back(*table) {
                continue;
            }
            let Some(snapshot) = self.tables[place].publish() else { continue };
            let tables = new.get_or_insert_with(|| Tables::clone(old));
            tables.snapshots.set(place, snapshot);
        }
        if core::mem::take(&mut self.catalog_changed) {
            let tables = new.get_or_insert_with(|| Tables::clone(old));
            tables.catalog = self.catalog.clone();
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
