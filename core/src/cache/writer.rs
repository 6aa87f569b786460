//! The writer's end: the tables, and the versions that readers may have.

use std::sync::Arc;

use super::compare::{Drift, compare};
use super::freezing::Freezing;
use super::held::{Held, held};
use super::membership::sets::SetId;
use super::optimistic::Mutations;
use super::query_sets::QuerySets;
use super::read::epoch::{CacheReader, Epoch};
use super::read::versions::Versions;
use super::reset::Resets;
use super::table::any::{AnyTable, QuietWork, Usage};
use super::tables::TableSet;
use super::transaction::apply::Applying;
use super::transaction::change::Change;
use super::{CacheConfig, TableId};
use crate::schema::TableDef;
use crate::wire::QueryRows;

/// The writer's end of a cache, owned by the connection's machine: no clock, no I/O, no thread.
pub struct Cache {
    pub(super) config: CacheConfig,
    pub(super) tables: TableSet,
    pub(super) versions: Versions,
    pub(super) sets: QuerySets,
    pub(super) applying: Option<Applying>,
    /// `true` while the change under way waits for views.
    pub(super) waiting: bool,
    pub(super) mutations: Mutations,
    /// The work that panics of row types have left.
    pub(super) resets: Resets,
    freezing: Freezing,
}

impl core::fmt::Debug for Cache {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Cache")
            .field("version", &self.versions.current())
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
        let tables = TableSet::new();
        let version = config.first_version;
        Self {
            versions: Versions::new(version, tables.empty()),
            tables,
            sets: QuerySets::default(),
            applying: None,
            waiting: false,
            mutations: Mutations::default(),
            resets: Resets::default(),
            freezing: Freezing::new(version),
            config,
        }
    }

    /// A readers' end.
    pub fn reader(&self) -> CacheReader {
        self.versions.reader()
    }

    /// Definitions of the registered tables.
    pub fn definitions(&self) -> impl Iterator<Item = &TableDef> {
        self.tables.iter().filter_map(|(_, table)| table.def())
    }

    /// The name of a table on the wire.
    pub fn table_name(&self, table: TableId) -> Option<&str> {
        self.tables.get(table).map(|table| &**table.name())
    }

    /// Use of a table's slots.
    #[doc(hidden)]
    pub fn usage(&self, table: TableId) -> Option<Usage> {
        self.tables.get(table).map(|table| table.usage())
    }

    /// Every set that holds rows, by table. What a change under way has staged counts. Takes time in proportion to the
    /// number of combinations of sets that rows have.
    #[doc(hidden)]
    pub fn held(&self) -> Vec<Held> {
        held(&self.tables)
    }

    /// Returns `true` if a set's rows are as they were when the server was last heard: see
    /// [`mark_stale`](Self::mark_stale).
    #[doc(hidden)]
    pub fn is_marked_stale(&self, set: SetId) -> bool {
        self.sets.is_stale(set)
    }

    /// The sets of which something is remembered besides their rows.
    #[doc(hidden)]
    pub fn remembered(&self) -> impl Iterator<Item = SetId> {
        self.sets.iter()
    }

    /// The change under way.
    #[doc(hidden)]
    pub fn under_way(&self) -> Option<&Change> {
        Some(self.applying.as_ref()?.change())
    }

    /// Differences of the rows that a set holds from `rows`, table by table; nothing where there are none. A row counts as
    /// often as the set has it. What mutations make of the rows is left aside.
    ///
    /// Takes time and memory in proportion to the rows.
    ///
    /// If the code of a row type panics, there is nothing to compare any more: see
    /// [`take_panics`](Self::take_panics).
    pub fn compare(&mut self, set: SetId, rows: &QueryRows) -> Vec<Drift> {
        let compared =
            self.fenced(|cache| compare(&cache.tables, |table| cache.name(table), set, rows));
        compared.unwrap_or_default()
    }

    /// Frees what no view sees any more, by about `max_rows` rows; `true` if there is more that can be done now.
    ///
    /// To be called when there is time; each change starts with it too. Memory comes back in bounded steps: rows that left, when
    /// no view and no undelivered [`Transaction`](super::Transaction) can see them; what they took, at a moment when
    /// no view is held, else by moving the rows around them, for which the version may grow without a transaction.
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
        let horizon = self.versions.oldest_held();
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
            self.tables.forget_tables_of_ended_sets();
            if self.tables.is_unpublished() {
                self.publish(self.versions.current());
            }
        }
        self.at_quiet_moments(QuietWork::Vacuum, &mut budget);
        let (version, horizon) = (self.versions.current(), self.versions.horizon());
        self.freezing.step(version, horizon, &self.tables, &mut budget);
        self.tables.retain_unclean();
        // Rows that moved left their old slots, which are next.
        budget == 0 || moved
    }

    /// Visits the tables in which there may be something to reclaim.
    fn each_unclean(&mut self, mut each: impl FnMut(&mut dyn AnyTable)) {
        let Self { tables, resets, .. } = self;
        tables.each_unclean(|id, table| {
            resets.name(id);
            each(table);
        });
        resets.leave();
    }

    /// The memory that rows take which left and are not freed yet: because views may see them, or because views are held
    /// beside which they cannot be freed.
    pub fn garbage_bytes(&self) -> usize {
        self.tables.garbage_bytes()
    }

    /// Moves rows out of sparse chunks; whether any were moved.
    fn evacuate(&mut self, budget: &mut usize) -> bool {
        let version = self.versions.next();
        let mut moved = false;
        self.each_unclean(|table| moved |= table.evacuate(version, budget));
        if moved {
            self.publish(version);
        }
        moved
    }

    /// Does something that needs rows for itself, if no view is held, in turns that are short enough for readers to wait
    /// for.
    fn at_quiet_moments(&mut self, work: QuietWork, budget: &mut usize) {
        const TURN_ROWS: usize = 1024;
        while *budget > 0 && self.tables.wants(work) {
            let before = (*budget).min(TURN_ROWS);
            let mut turn = before;
            let Self { versions, tables, .. } = self;
            versions.alone(|published| tables.work_quietly(work, published, &mut turn));
            self.each_unclean(|table| table.drop_vacuumed());
            *budget -= before - turn;
            if before == turn {
                return;
            }
        }
    }

    /// Makes `version` the current one.
    pub(super) fn publish(&mut self, version: u64) -> Arc<Epoch> {
        let Self { versions, tables, resets, .. } = self;
        let current = versions.view();
        let tables = tables.publish(&current.epoch.tables, |table| resets.holds_back(table));
        drop(current);
        versions.publish(version, tables)
    }

    /// Shows a table that got its type to new views and to those that are held.
    pub(super) fn publish_late(&mut self) {
        let epoch = self.publish(self.versions.current());
        self.versions.add_late(&epoch);
    }
}
