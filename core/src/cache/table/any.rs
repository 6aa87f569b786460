//! Tables as the machine has them: of no particular row type. Each method takes a list of rows or a budget, so that no
//! row costs a virtual call.

use core::any::{Any, TypeId};
use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::HashSet;

use super::TableStore;
use super::fault::Fault;
use super::raw::RawRow;
use super::write_set::{DropCursor, Written};
use crate::cache::error::{OutOfSyncKind, SetFailure};
use crate::cache::membership::sets::SetId;
use crate::cache::optimistic::{AnyLayer, Handed, KeyId, NewIds, Turn};
use crate::cache::read::snapshot::{AnySnapshot, Snapshot};
use crate::cache::storage::stamp::Stamp;
use crate::cache::transaction::diff::{AnyEvents, Retained, TableDiff};
use crate::schema::{Row, TableDef};
use crate::wire::RowList;

/// A [`TableStore`] of whatever row type. What the methods do is said there.
pub(in crate::cache) trait AnyTable: Any + Send {
    fn name(&self) -> &Arc<str>;
    fn def(&self) -> Option<&TableDef>;
    fn row_type(&self) -> TypeId;
    fn row_type_name(&self) -> &'static str;
    fn afresh(&self) -> Box<dyn AnyTable>;
    /// Takes over the rows of a raw table, except those that only `outdated` sets hold. The sets that failed over them.
    fn adopt(&mut self, raw: &dyn AnyTable, version: u64, outdated: &[SetId]) -> Vec<SetFailure>;

    fn stage_inserts(
        &mut self,
        set: SetId,
        rows: &RowList,
        from: usize,
        max: usize,
    ) -> Result<(), Fault>;
    fn stage_deletes(
        &mut self,
        set: SetId,
        rows: &RowList,
        from: usize,
        max: usize,
    ) -> Result<(), Fault>;
    /// One more list of events is to be staged; the arguments are as in [`Part::Events`](crate::cache::Part::Events).
    fn expect_events(&mut self, message: u64, distinct: bool);
    fn stage_events(
        &mut self,
        message: u64,
        rows: &RowList,
        from: usize,
        max: usize,
    ) -> Result<(), Fault>;
    fn stage_drop(&mut self, set: SetId, cursor: &mut DropCursor, budget: &mut usize) -> bool;
    fn net_changes(
        &mut self,
        stale: &HashSet<SetId>,
        budget: &mut usize,
    ) -> Result<bool, OutOfSyncKind>;
    fn commit(&mut self, at: Stamp, budget: &mut usize) -> bool;
    fn finish(&mut self, version: u64, horizon: u64) -> Option<TableDiff>;
    fn abort(&mut self);

    fn is_watched(&self) -> bool;
    fn any_layer(&mut self) -> &mut dyn AnyLayer;
    fn lend_layer(&mut self) -> Option<Box<dyn AnyLayer>>;
    fn take_layer(&mut self, layer: Box<dyn AnyLayer>) -> bool;
    fn look(
        &self,
        rows: &RowList,
        from: usize,
        max: usize,
        shadowed: &mut dyn FnMut(KeyId),
    ) -> bool;
    fn lift(&mut self, keys: &[KeyId], at: Stamp) -> bool;
    fn lift_sets(&mut self, sets: &[SetId], at: Stamp) -> bool;
    fn observe(&mut self, from: usize, max: usize, found: &mut BTreeSet<Turn>) -> usize;
    fn withdraw(&mut self, keys: &[KeyId], turn: Turn, at: Stamp, found: &mut BTreeSet<Turn>);
    fn show_layer(&mut self, at: Stamp) -> bool;
    fn find_new_ids(&self, keys: &[KeyId], turn: Turn, handed: &Handed, found: &mut NewIds);

    fn rows_of_set(&self, set: SetId, each: &mut dyn FnMut(&[u8], u32));
    fn held(&self, count: &mut dyn FnMut(SetId, usize));
    /// Names the sets that hold a row in transit between the layer and a slot.
    fn for_each_in_transit(&self, each: &mut dyn FnMut(SetId));
    /// Returns `true` if anything is staged that a transaction would show.
    fn has_changes(&self) -> bool;

    /// The part that readers share, if they do not have it yet.
    fn publish(&mut self) -> Option<Arc<dyn AnySnapshot>>;
    /// The part that readers share, or will.
    fn peek(&self) -> Arc<dyn AnySnapshot>;
    /// Returns `true` if readers do not have the part yet that they share.
    fn is_unpublished(&self) -> bool;
    /// Returns `true` if new views see no row.
    fn is_empty(&self) -> bool;
    /// Returns `true` for a raw table without rows that anybody sees, or may yet see.
    fn is_unused(&self) -> bool;
    /// Returns `true` if rows are held by the set.
    fn holds(&self, set: SetId) -> bool;
    fn is_clean(&self) -> bool;

    /// Deleted rows that views may see: their number, and the memory that they take.
    fn dead(&self) -> Dead;
    /// Memory that retired rows take.
    fn retired_bytes(&self) -> usize;
    fn sweep_lists(&mut self);
    fn retire(&mut self, horizon: u64, budget: &mut usize);
    fn remove_empty_chunks(&mut self, budget: &mut usize);
    fn wants(&self, work: QuietWork) -> bool;
    /// Does work on rows while no reader has a view, if this table is the only owner of `published`, its shared part. No change
    /// may be under way for compaction.
    fn work_quietly(
        &mut self,
        work: QuietWork,
        published: &mut Arc<dyn AnySnapshot>,
        budget: &mut usize,
    );
    fn drop_vacuumed(&mut self);
    fn evacuate(&mut self, version: u64, budget: &mut usize) -> bool;
    fn mark_all_visible(&mut self, horizon: u64);
    fn freeze(&self, chunk: usize, horizon: u64) -> bool;
    fn usage(&self) -> Usage;
}

/// Work on a table's rows that needs them alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cache) enum QuietWork {
    /// Moving rows into the slots of those that they replaced.
    Compaction,
    /// Taking retired rows out of their slots.
    Vacuum,
}

/// Rows that left and may be seen by views.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::cache) struct Dead {
    pub(in crate::cache) rows: usize,
    /// The memory that they take.
    pub(in crate::cache) bytes: usize,
}

/// Use of a table's slots, in slots. For tests and diagnosis.
#[doc(hidden)]
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Rows that new views see.
    pub live: usize,
    /// Slots with a row that views see, or may yet see.
    pub occupied: usize,
    /// Slots whose rows no view sees, still to be freed.
    pub retired: usize,
    /// All slots.
    pub slots: usize,
    /// Bytes that dead rows and retired ones take, which is what is counted towards
    /// [`max_dead_bytes`](crate::cache::CacheConfig::max_dead_bytes) and what is still to be freed.
    pub garbage_bytes: usize,
}

impl<R: Row> AnyTable for TableStore<R> {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn def(&self) -> Option<&TableDef> {
        self.def.as_ref()
    }

    fn row_type(&self) -> TypeId {
        TypeId::of::<R>()
    }

    fn row_type_name(&self) -> &'static str {
        core::any::type_name::<R>()
    }

    fn afresh(&self) -> Box<dyn AnyTable> {
        Box::new(self.afresh())
    }

    fn adopt(&mut self, raw: &dyn AnyTable, version: u64, outdated: &[SetId]) -> Vec<SetFailure> {
        let raw: &dyn Any = raw;
        let raw = raw.downcast_ref::<TableStore<RawRow>>();
        raw.map_or_else(Vec::new, |raw| self.adopt_rows(raw, version, outdated))
    }

    fn stage_inserts(
        &mut self,
        set: SetId,
        list: &RowList,
        from: usize,
        max: usize,
    ) -> Result<(), Fault> {
        if self.is_event() {
            return self.writes.deliver(0, list, from, max);
        }
        self.writes.insert(&mut self.rows, set, list, from, max)
    }

    fn stage_deletes(
        &mut self,
        set: SetId,
        list: &RowList,
        from: usize,
        max: usize,
    ) -> Result<(), Fault> {
        if self.is_event() {
            // Never stored, so there is nothing to delete.
            return Ok(());
        }
        self.writes.delete(&mut self.rows, set, list, from, max)
    }

    fn expect_events(&mut self, message: u64, distinct: bool) {
        self.writes.expect_events(message, distinct);
    }

    fn stage_events(
        &mut self,
        message: u64,
        list: &RowList,
        from: usize,
        max: usize,
    ) -> Result<(), Fault> {
        self.writes.deliver(message, list, from, max)
    }

    fn stage_drop(&mut self, set: SetId, cursor: &mut DropCursor, budget: &mut usize) -> bool {
        self.writes.drop_set(&mut self.rows, set, cursor, budget)
    }

    fn net_changes(
        &mut self,
        stale: &HashSet<SetId>,
        budget: &mut usize,
    ) -> Result<bool, OutOfSyncKind> {
        self.writes.net(&mut self.rows, stale, budget)
    }

    fn commit(&mut self, at: Stamp, budget: &mut usize) -> bool {
        self.writes.commit(&mut self.rows, at, budget)
    }

    fn finish(&mut self, version: u64, horizon: u64) -> Option<TableDiff> {
        let written = self.writes.finish(&mut self.rows, version, horizon)?;
        let Written { pairs, events, left, bytes } = written;
        let retained = Retained { rows: left, bytes };
        let events = (!events.is_empty()).then(|| Box::new(events) as Box<dyn AnyEvents>);
        let (table, name) = (self.id, Arc::clone(&self.name));
        Some(TableDiff { table, name, retained, pairs, events, started_over: false })
    }

    fn abort(&mut self) {
        self.writes.abort(&mut self.rows);
        self.overlay.unlift(&mut self.rows);
    }

    fn is_watched(&self) -> bool {
        self.overlay.is_watched()
    }

    fn any_layer(&mut self) -> &mut dyn AnyLayer {
        self.overlay.layer_mut(&self.rows)
    }

    fn lend_layer(&mut self) -> Option<Box<dyn AnyLayer>> {
        self.overlay.lend_layer()
    }

    fn take_layer(&mut self, layer: Box<dyn AnyLayer>) -> bool {
        self.overlay.take_layer(layer)
    }

    fn look(
        &self,
        list: &RowList,
        from: usize,
        max: usize,
        shadowed: &mut dyn FnMut(KeyId),
    ) -> bool {
        let is_stored = !self.is_event() && max > 0;
        is_stored && self.overlay.look(&self.rows, list.iter_from(from).take(max), shadowed)
    }

    fn lift(&mut self, keys: &[KeyId], at: Stamp) -> bool {
        self.overlay.lift(&mut self.rows, keys, at)
    }

    fn lift_sets(&mut self, sets: &[SetId], at: Stamp) -> bool {
        let keys = self.overlay.shadowed_in(sets);
        self.overlay.lift(&mut self.rows, &keys, at)
    }

    fn observe(&mut self, from: usize, max: usize, found: &mut BTreeSet<Turn>) -> usize {
        let pairs = self.writes.pairs().get(from..).unwrap_or_default();
        let pairs = &pairs[..pairs.len().min(max)];
        self.overlay.observe(&self.rows, from, pairs, found)
    }

    fn withdraw(&mut self, keys: &[KeyId], turn: Turn, at: Stamp, found: &mut BTreeSet<Turn>) {
        self.overlay.withdraw(&self.rows, keys, turn, at, found);
    }

    fn show_layer(&mut self, at: Stamp) -> bool {
        self.overlay.show(&mut self.rows, &mut self.writes, at)
    }

    fn find_new_ids(&self, keys: &[KeyId], turn: Turn, handed: &Handed, found: &mut NewIds) {
        self.overlay.find_new_ids(&self.rows, self.writes.pairs(), (keys, turn), handed, found);
    }

    fn rows_of_set(&self, set: SetId, each: &mut dyn FnMut(&[u8], u32)) {
        self.show_rows_of_set(set, each);
    }

    fn held(&self, count: &mut dyn FnMut(SetId, usize)) {
        self.rows.membership().count_rows(count);
        self.overlay.held(count);
    }

    fn for_each_in_transit(&self, each: &mut dyn FnMut(SetId)) {
        self.overlay.for_each_in_transit(each);
    }

    fn has_changes(&self) -> bool {
        self.writes.has_changes()
    }

    fn publish(&mut self) -> Option<Arc<dyn AnySnapshot>> {
        if !self.rows.is_unpublished() {
            return None;
        }
        let snapshot = Arc::new(self.rows.publish());
        self.published = Some(Arc::clone(&snapshot));
        Some(snapshot)
    }

    fn peek(&self) -> Arc<dyn AnySnapshot> {
        match &self.published {
            Some(published) if !self.rows.is_unpublished() => Arc::<Snapshot<R>>::clone(published),
            _ => Arc::new(self.rows.snapshot()),
        }
    }

    fn is_unpublished(&self) -> bool {
        self.rows.is_unpublished()
    }

    fn is_clean(&self) -> bool {
        self.rows.is_clean()
    }

    fn is_empty(&self) -> bool {
        self.rows.storage().len() == 0
    }

    fn is_unused(&self) -> bool {
        self.def.is_none() && self.rows.storage().is_unoccupied() && !self.writes.has_events()
    }

    fn holds(&self, set: SetId) -> bool {
        self.rows.membership().holds_any(set)
    }

    fn dead(&self) -> Dead {
        let (rows, bytes) = self.rows.storage().deleted_size();
        Dead { rows, bytes }
    }

    fn retired_bytes(&self) -> usize {
        self.rows.storage().retired_bytes()
    }

    fn sweep_lists(&mut self) {
        self.rows.sweep_lists();
    }

    fn retire(&mut self, horizon: u64, budget: &mut usize) {
        self.rows.retire(horizon, budget);
    }

    fn remove_empty_chunks(&mut self, budget: &mut usize) {
        self.rows.remove_empty_chunks(budget);
    }

    fn wants(&self, work: QuietWork) -> bool {
        match work {
            QuietWork::Compaction => self.rows.wants_compaction(),
            QuietWork::Vacuum => self.rows.wants_vacuum(),
        }
    }

    fn work_quietly(
        &mut self,
        work: QuietWork,
        published: &mut Arc<dyn AnySnapshot>,
        budget: &mut usize,
    ) {
        // The table's own hold on what it shares has to go for a moment.
        self.published = None;
        let shared: Option<&mut dyn AnySnapshot> = Arc::get_mut(published);
        let shared = shared.and_then(|shared| (shared as &mut dyn Any).downcast_mut());
        if let Some(shared) = shared {
            match work {
                QuietWork::Compaction => self.rows.compact(shared, budget),
                QuietWork::Vacuum => self.rows.vacuum(shared, budget),
            }
        }
        let shared: Arc<dyn Any + Send + Sync> = Arc::<dyn AnySnapshot>::clone(published);
        self.published = shared.downcast().ok();
    }

    fn drop_vacuumed(&mut self) {
        self.rows.drop_vacuumed();
    }

    fn evacuate(&mut self, version: u64, budget: &mut usize) -> bool {
        let moved = self.rows.evacuate(version, budget);
        moved.iter().for_each(|row| self.overlay.moved(row.hash, row.old, row.new));
        !moved.is_empty()
    }

    fn mark_all_visible(&mut self, horizon: u64) {
        self.rows.mark_all_visible(horizon);
    }

    fn freeze(&self, chunk: usize, horizon: u64) -> bool {
        self.rows.storage().freeze(chunk, horizon)
    }

    fn usage(&self) -> Usage {
        let (slots, occupied, retired) = self.rows.storage().slot_counts();
        let garbage_bytes = self.dead().bytes + self.retired_bytes();
        let live = self.rows.storage().len();
        Usage { live, occupied, retired, slots, garbage_bytes }
    }
}
