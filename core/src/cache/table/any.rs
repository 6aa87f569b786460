//! Tables as the machine has them: of no particular row type. Each method takes a list of rows or a budget, so that no
//! row costs a virtual call.

use core::any::{Any, TypeId};
use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::HashSet;

use super::stage::DropCursor;
use super::store::TableStore;
use crate::cache::error::{OutOfSyncKind, RowMismatch};
use crate::cache::membership::sets::SetId;
use crate::cache::optimistic::{AnyLayer, Handed, KeyId, NewIds, Turn};
use crate::cache::read::snapshot::{AnySnapshot, Snapshot};
use crate::cache::storage::stamp::Stamp;
use crate::cache::transaction::diff::TableDiff;
use crate::schema::{Row, TableDef};
use crate::wire::RowList;

/// Reason for which rows could not be staged.
#[derive(Debug)]
pub(in crate::cache) enum Fault {
    /// The server said something that cannot be.
    OutOfSync(OutOfSyncKind),
    /// A row is not what its Rust type says.
    Mismatch(RowMismatch),
}

/// A [`TableStore`] of whatever row type. What the methods do is said there.
pub(in crate::cache) trait AnyTable: Any + Send {
    fn name(&self) -> &Arc<str>;
    fn def(&self) -> Option<&TableDef>;
    fn row_type(&self) -> TypeId;
    fn row_type_name(&self) -> &'static str;
    fn afresh(&self) -> Box<dyn AnyTable>;

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
    fn settle(&mut self, stale: &HashSet<SetId>, budget: &mut usize)
    -> Result<bool, OutOfSyncKind>;
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
    /// Names the sets that hold a row which is on its way between the layer and a slot.
    fn for_each_on_its_way(&self, each: &mut dyn FnMut(SetId));
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

    /// How many rows left and may be seen by views, and the memory that they take.
    fn dead(&self) -> Dead;
    /// The memory that rows take which nobody sees any more.
    fn retired_bytes(&self) -> usize;
    fn sweep_lists(&mut self);
    fn retire(&mut self, horizon: u64, budget: &mut usize);
    fn remove_empty_chunks(&mut self, budget: &mut usize);
    fn wants_compaction(&self) -> bool;
    fn compact(&mut self, published: &mut Arc<dyn AnySnapshot>, budget: &mut usize);
    fn wants_vacuum(&self) -> bool;
    fn vacuum(&mut self, published: &mut Arc<dyn AnySnapshot>, budget: &mut usize);
    fn drop_vacuumed(&mut self);
    fn evacuate(&mut self, version: u64, budget: &mut usize) -> bool;
    fn mark_all_visible(&mut self, horizon: u64);
    fn freeze(&self, chunk: usize, horizon: u64) -> bool;
    fn usage(&self) -> Usage;
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
    /// Slots with a row that somebody sees, or may yet see.
    pub occupied: usize,
    /// Slots whose rows nobody sees, still to be freed.
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

    fn stage_inserts(
        &mut self,
        set: SetId,
        rows: &RowList,
        from: usize,
        max: usize,
    ) -> Result<(), Fault> {
        self.stage_inserts(set, rows, from, max)
    }

    fn stage_deletes(
        &mut self,
        set: SetId,
        rows: &RowList,
        from: usize,
        max: usize,
    ) -> Result<(), Fault> {
        self.stage_deletes(set, rows, from, max)
    }

    fn expect_events(&mut self, message: u64, distinct: bool) {
        self.staging.repeats.expect(message, distinct);
    }

    fn stage_events(
        &mut self,
        message: u64,
        rows: &RowList,
        from: usize,
        max: usize,
    ) -> Result<(), Fault> {
        self.stage_events(message, rows, from, max)
    }

    fn stage_drop(&mut self, set: SetId, cursor: &mut DropCursor, budget: &mut usize) -> bool {
        self.stage_drop(set, cursor, budget)
    }

    fn settle(
        &mut self,
        stale: &HashSet<SetId>,
        budget: &mut usize,
    ) -> Result<bool, OutOfSyncKind> {
        self.settle(stale, budget)
    }

    fn commit(&mut self, at: Stamp, budget: &mut usize) -> bool {
        self.commit(at, budget)
    }

    fn finish(&mut self, version: u64, horizon: u64) -> Option<TableDiff> {
        self.finish(version, horizon)
    }

    fn abort(&mut self) {
        self.abort();
        self.unlift();
    }

    fn is_watched(&self) -> bool {
        self.is_watched()
    }

    fn any_layer(&mut self) -> &mut dyn AnyLayer {
        self.any_layer()
    }

    fn lend_layer(&mut self) -> Option<Box<dyn AnyLayer>> {
        self.lend_layer()
    }

    fn take_layer(&mut self, layer: Box<dyn AnyLayer>) -> bool {
        self.take_layer(layer)
    }

    fn look(
        &self,
        rows: &RowList,
        from: usize,
        max: usize,
        shadowed: &mut dyn FnMut(KeyId),
    ) -> bool {
        self.look(rows, from, max, shadowed)
    }

    fn lift(&mut self, keys: &[KeyId], at: Stamp) -> bool {
        self.lift(keys, at)
    }

    fn lift_sets(&mut self, sets: &[SetId], at: Stamp) -> bool {
        self.lift_sets(sets, at)
    }

    fn observe(&mut self, from: usize, max: usize, found: &mut BTreeSet<Turn>) -> usize {
        self.observe(from, max, found)
    }

    fn withdraw(&mut self, keys: &[KeyId], turn: Turn, at: Stamp, found: &mut BTreeSet<Turn>) {
        self.withdraw(keys, turn, at, found);
    }

    fn show_layer(&mut self, at: Stamp) -> bool {
        self.show_layer(at)
    }

    fn find_new_ids(&self, keys: &[KeyId], turn: Turn, handed: &Handed, found: &mut NewIds) {
        self.find_new_ids(keys, turn, handed, found);
    }

    fn rows_of_set(&self, set: SetId, each: &mut dyn FnMut(&[u8], u32)) {
        self.rows_of_set(set, each);
    }

    fn held(&self, count: &mut dyn FnMut(SetId, usize)) {
        self.membership.count_rows(count);
        if let Some(layer) = &self.layer {
            layer.held(count);
        }
    }

    fn for_each_on_its_way(&self, each: &mut dyn FnMut(SetId)) {
        self.on_its_way.iter().for_each(|set| each(*set));
        if let Some(layer) = &self.layer {
            layer.held_by_lifted(each);
        }
    }

    fn has_changes(&self) -> bool {
        !self.staging.pairs.is_empty() || !self.staging.events.is_empty()
    }

    fn publish(&mut self) -> Option<Arc<dyn AnySnapshot>> {
        if !self.is_unpublished() {
            return None;
        }
        self.storage.published();
        let (chunks, counts) = self.storage.share();
        let snapshot = Arc::new(Snapshot { chunks, indexes: self.indexes.publish(), counts });
        self.published = Some(Arc::clone(&snapshot));
        Some(snapshot)
    }

    fn peek(&self) -> Arc<dyn AnySnapshot> {
        match &self.published {
            Some(published) if !self.is_unpublished() => Arc::<Snapshot<R>>::clone(published),
            _ => {
                let (chunks, counts) = self.storage.share();
                Arc::new(Snapshot { chunks, indexes: self.indexes.clone(), counts })
            }
        }
    }

    fn is_unpublished(&self) -> bool {
        self.is_unpublished()
    }

    fn is_clean(&self) -> bool {
        self.is_clean()
    }

    fn is_empty(&self) -> bool {
        self.storage.len() == 0
    }

    fn is_unused(&self) -> bool {
        self.def.is_none() && self.storage.is_unoccupied() && self.staging.events.is_empty()
    }

    fn holds(&self, set: SetId) -> bool {
        self.membership.holds_any(set)
    }

    fn dead(&self) -> Dead {
        let (rows, bytes) = self.storage.deleted_size();
        Dead { rows, bytes }
    }

    fn retired_bytes(&self) -> usize {
        self.storage.retired_bytes()
    }

    fn sweep_lists(&mut self) {
        self.membership.sweep();
    }

    fn retire(&mut self, horizon: u64, budget: &mut usize) {
        self.retire(horizon, budget);
    }

    fn remove_empty_chunks(&mut self, budget: &mut usize) {
        self.remove_empty_chunks(budget);
    }

    fn wants_compaction(&self) -> bool {
        self.wants_compaction()
    }

    fn compact(&mut self, published: &mut Arc<dyn AnySnapshot>, budget: &mut usize) {
        self.compact(published, budget);
    }

    fn wants_vacuum(&self) -> bool {
        self.wants_vacuum()
    }

    fn vacuum(&mut self, published: &mut Arc<dyn AnySnapshot>, budget: &mut usize) {
        self.vacuum(published, budget);
    }

    fn drop_vacuumed(&mut self) {
        self.storage.drop_vacuumed();
    }

    fn evacuate(&mut self, version: u64, budget: &mut usize) -> bool {
        self.evacuate(version, budget)
    }

    fn mark_all_visible(&mut self, horizon: u64) {
        self.storage.mark_all_visible(horizon);
    }

    fn freeze(&self, chunk: usize, horizon: u64) -> bool {
        self.storage.freeze(chunk, horizon)
    }

    fn usage(&self) -> Usage {
        let (slots, occupied, retired) = self.storage.slot_counts();
        let garbage_bytes = self.dead().bytes + self.retired_bytes();
        Usage { live: self.storage.len(), occupied, retired, slots, garbage_bytes }
    }
}
