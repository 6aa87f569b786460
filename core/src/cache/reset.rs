//! Tables whose row type panicked.
//!
//! `Decode`, `Encode`, `Ord`, `Hash`, `Eq` and `Drop` of rows and keys are code of the application, and run in the middle of the
//! cache's work. A panic leaves the table as it was in that moment: a row may be in one index and not in another. So nothing of
//! that table is used again. It *starts over*, empty, and the query sets that had rows in it fail, as those whose rows do
//! not decode. All other tables are as if the change had not begun.
//!
//! # Invariants
//!
//! - Whatever calls code of row types does so inside of [`Cache::fenced`], after [`Cache::name`] has named the table.
//! - A table that started over is published together with a transaction that lists its rows as deleted, and not before. The old
//!   version of it stays with the views that have it.

use core::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use super::error::{RowMismatch, SetFailure};
use super::membership::sets::SetId;
use super::optimistic::LOCAL;
use super::storage::pair::Pair;
use super::storage::row_id::NO_ROW;
use super::storage::stamp::Stamp;
use super::table::any::AnyTable;
use super::transaction::diff::{Retained, TableDiff};
use super::{Cache, TableId};
use crate::guard::{self, Collector, Noted, Panic, ROW_TYPE};
use crate::schema::RowDef;

/// The table whose code runs, and the work that panics have left.
#[derive(Debug, Default)]
pub(super) struct Resets {
    /// The table whose rows' code runs, if any does.
    running: Cell<Option<TableId>>,
    /// Tables that started over, with the rows that readers still see in them.
    unpublished: Vec<(TableId, Vec<Pair>)>,
    /// Sets that failed and are not part of any change yet.
    failed: Vec<SetFailure>,
    /// The tables that started over since this was last emptied, for the change under way.
    recent: Vec<(TableId, RowMismatch)>,
    /// Panics that were not taken yet.
    panics: Vec<Panic>,
}

impl Resets {
    /// Names the table whose rows' code runs next.
    #[inline]
    pub(super) fn name(&self, table: TableId) {
        self.running.set(Some(table));
    }

    /// No row's code runs next.
    #[inline]
    pub(super) fn leave(&self) {
        self.running.set(None);
    }

    /// Returns true if there is anything that only a change can publish.
    pub(super) fn is_pending(&self) -> bool {
        !self.unpublished.is_empty() || !self.failed.is_empty()
    }

    /// Returns true if a table must not be published yet.
    pub(super) fn holds_back(&self, table: TableId) -> bool {
        self.unpublished.iter().any(|(held, _)| *held == table)
    }

    /// The tables that started over since this was last asked, and why.
    pub(super) fn take_recent(&mut self) -> Vec<(TableId, RowMismatch)> {
        core::mem::take(&mut self.recent)
    }

    /// The sets that failed, for a change to end.
    pub(super) fn take_failed(&mut self) -> Vec<SetFailure> {
        core::mem::take(&mut self.failed)
    }
}

/// Panics of row types.
impl Cache {
    /// Returns true if sets have failed, or tables started over, since the last change: the next change says so, and an empty one is
    /// enough.
    pub fn has_resets(&self) -> bool {
        self.resets.is_pending()
    }

    /// Ends sets that [failed](super::Registered::failed) while no change was under way, with the next change.
    pub fn end_failed(&mut self, failures: Vec<SetFailure>) {
        self.resets.failed.extend(failures);
    }

    /// Panics that were caught in code of the application since the last time.
    pub fn take_panics(&mut self) -> Vec<Panic> {
        core::mem::take(&mut self.resets.panics)
    }

    /// Names the table whose rows' code runs next.
    #[inline]
    pub(super) fn name(&self, table: TableId) {
        self.resets.name(table);
    }

    /// Runs `act`, in which code of row types runs. None if that panicked: its table has started over.
    ///
    /// A panic of anything else goes on: then the state of the cache is not known.
    pub(super) fn fenced<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let outer = self.resets.running.take();
        let collector = Collector::start();
        // Of what `act` was lent, the table that panicked is not used again, and all others are changed between calls of
        // application code only.
        let outcome = catch_unwind(AssertUnwindSafe(|| act(self)));
        let noted = collector.finish();
        let running = self.resets.running.replace(outer);
        let result = match (outcome, running) {
            (Ok(result), _) => Some(result),
            (Err(panic), Some(table)) => {
                self.reset(table, guard::take_text(panic));
                None
            }
            (Err(panic), None) => resume_unwind(panic),
        };
        noted.into_iter().for_each(|noted| self.noted(noted));
        result
    }

    /// A value panicked when it was dropped: where it was a row, as if other code of its type had.
    fn noted(&mut self, noted: Noted) {
        let (ROW_TYPE, Some(of)) = (noted.what, noted.of) else {
            return self.resets.panics.push(noted.into());
        };
        let message = noted.message;
        for table in (0..self.tables.len() as u32).map(TableId) {
            if self.tables[table].row_type_name() == of && !self.resets.holds_back(table) {
                self.reset(table, message.clone());
            }
        }
    }

    /// Lets a table start over, and fails the sets that have rows in it.
    fn reset(&mut self, table: TableId, message: Box<str>) {
        let fresh = self.tables[table].afresh();
        let broken = self.tables.replace(table, fresh);
        let reason = RowMismatch::Panicked { message: message.clone() };
        self.fail_holders(&*broken, table, &reason);
        self.mutations.table_started_over(table, &message);
        self.resets.recent.push((table, reason));
        self.note_unpublished(table);
        let name = broken.def().map(|def| def.name);
        self.resets.panics.push(Panic::new(ROW_TYPE, message).of_table(name));
        if self.applying.as_ref().is_some_and(|applying| applying.touches(table)) {
            let suspended = self.suspend();
            self.resume(suspended);
        }
        // What it shares with readers goes with the last of them.
        guard::drop_quietly(ROW_TYPE, broken);
    }

    fn fail_holders(&mut self, broken: &dyn AnyTable, table: TableId, reason: &RowMismatch) {
        let Self { sets, resets, .. } = self;
        for_each_holder(broken, &mut |set| {
            if sets.fail(set) {
                resets.failed.push(SetFailure::of(broken, table, set, reason));
            }
        });
    }

    /// Remembers the rows that readers see in a table which started over, until a transaction reports that these left.
    fn note_unpublished(&mut self, table: TableId) {
        if self.resets.holds_back(table) {
            return;
        }
        let current = self.versions.view().epoch;
        let snapshot = current.tables.snapshots.get(table.0 as usize);
        let seen = snapshot.map(|shared| shared.visible(Stamp::of(current.version)));
        let seen = seen.unwrap_or_default().into_iter();
        let pairs = seen.map(|id| Pair { old: id.0, new: NO_ROW }).collect();
        self.resets.unpublished.push((table, pairs));
    }

    /// Takes the rows that tables lost which started over, for the transaction that publishes them.
    pub(super) fn publish_resets(&mut self) -> Vec<TableDiff> {
        let unpublished = core::mem::take(&mut self.resets.unpublished).into_iter();
        let lost = unpublished.filter(|(_, pairs)| !pairs.is_empty());
        lost.map(|(table, pairs)| {
            let name = Arc::clone(self.tables[table].name());
            // What the rows themselves take is not known without their code.
            let retained = Retained { rows: pairs.len(), bytes: pairs.len() * size_of::<Pair>() };
            TableDiff { table, name, retained, pairs, events: None, started_over: true }
        })
        .collect()
    }

    /// A table that got its type could not take over the rows that were there: all sets that have some fail.
    pub(super) fn not_adopted(
        &mut self,
        typed: &dyn AnyTable,
        table: TableId,
        message: Box<str>,
    ) -> Vec<SetFailure> {
        let reason = RowMismatch::Panicked { message: message.clone() };
        let mut failed: Vec<SetFailure> = Vec::new();
        for_each_holder(&self.tables[table], &mut |set| {
            if failed.iter().all(|failure| failure.set != set) {
                failed.push(SetFailure::of(typed, table, set, &reason));
            }
        });
        let name = typed.def().map(|def| def.name);
        self.resets.panics.push(Panic::new(ROW_TYPE, message).of_table(name));
        failed
    }
}

impl SetFailure {
    pub(super) fn of(
        store: &dyn AnyTable,
        table: TableId,
        set: SetId,
        reason: &RowMismatch,
    ) -> Self {
        const RAW: RowDef = RowDef { name: "raw row", columns: &[], lenient: false };
        let row_type = store.def().map_or(RAW, |def| def.row).name;
        let table_name = Arc::clone(store.name());
        Self { set, table, table_name, row_type, reason: reason.clone() }
    }
}

/// Shows the sets that hold rows of a table, some more than once.
fn for_each_holder(table: &dyn AnyTable, each: &mut dyn FnMut(SetId)) {
    table.held(&mut |set, _| {
        if set != LOCAL {
            each(set);
        }
    });
    table.for_each_in_transit(each);
}
