//! Applying one message, in steps: see [`Cache::begin`] and [`Cache::step`].

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use super::change::{Change, Part, Step};
use super::diff::Transaction;
use crate::cache::error::{OutOfSync, RowMismatch, SetFailure};
use crate::cache::membership::sets::SetId;
use crate::cache::optimistic::{MutationId, NewIds, Rebasing};
use crate::cache::query_sets::QuerySets;
use crate::cache::read::epoch::View;
use crate::cache::registration::Registration;
use crate::cache::storage::stamp::{Stamp, VIEW_AGE_MAX};
use crate::cache::storage::weigh::cost_of_bytes;
use crate::cache::table::any::AnyTable;
use crate::cache::table::fault::Fault;
use crate::cache::table::write_set::DropCursor;
use crate::cache::{Cache, TableId};
use crate::guard::log;
use crate::wire::RowList;

/// The change under way.
#[derive(Debug)]
pub(in crate::cache) struct Applying {
    change: Change,
    /// The part's table, by part.
    tables: Vec<Option<TableId>>,
    /// The tables that were named, in the change's order; then those that only dropped sets had.
    touched: Vec<TableId>,
    phase: Phase,
    /// The place within the phase: a part or a table, and a row within it.
    at: usize,
    row: usize,
    /// The sets to drop: those that the change names, then those that failed.
    drops: Vec<SetId>,
    /// Mutations that have to do with it.
    pub(in crate::cache) rebasing: Rebasing,
    drop_cursor: DropCursor,
    failed: Vec<SetFailure>,
    /// `true` if it is made though too many deleted rows are still seen.
    is_urgent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Start,
    Look,
    Inserts,
    Deletes,
    Drops,
    Net,
    Commit,
    Observe,
    RunAgain,
    Done,
}

/// Reason for which a phase could not go on.
enum Stop {
    OutOfSync(OutOfSync),
    /// Rows of a table are not what their type says.
    Mismatch(TableId, RowMismatch),
    /// A mutation named tables that have no types yet.
    Wanted(Vec<Registration>),
}

impl Applying {
    pub(in crate::cache) fn new(change: Change) -> Self {
        Self {
            change,
            tables: Vec::new(),
            touched: Vec::new(),
            phase: Phase::Start,
            at: 0,
            row: 0,
            drops: Vec::new(),
            rebasing: Rebasing::default(),
            drop_cursor: DropCursor::default(),
            failed: Vec::new(),
            is_urgent: false,
        }
    }

    pub(in crate::cache) fn change(&self) -> &Change {
        &self.change
    }

    /// Returns `true` if changes made so far would show if a version was published now.
    pub(in crate::cache) fn would_show(&self) -> bool {
        let is_committed =
            matches!(self.phase, Phase::Commit | Phase::Observe | Phase::RunAgain | Phase::Done);
        self.rebasing.is_lifted() || is_committed
    }

    /// The sets that end with it.
    pub(in crate::cache) fn drops(&self) -> &[SetId] {
        &self.drops
    }

    /// The mutations that end with it.
    pub(in crate::cache) fn ends(&self) -> &[MutationId] {
        &self.change.ends
    }

    pub(in crate::cache) fn touched(&self) -> &[TableId] {
        &self.touched
    }

    pub(in crate::cache) fn touches(&self, table: TableId) -> bool {
        self.touched.contains(&table)
    }

    pub(in crate::cache) fn add_touched(&mut self, table: TableId) {
        if !self.touches(table) {
            self.touched.push(table);
        }
    }

    /// Adds sets that failed, unless they are known to have.
    fn fail(&mut self, failures: impl IntoIterator<Item = SetFailure>) {
        for failure in failures {
            if self.failed.iter().all(|known| known.set != failure.set) {
                self.failed.push(failure);
            }
        }
    }

    /// Starts over, after what it did was undone, without the sets that failed.
    fn start_over(&mut self) {
        self.touched.clear();
        self.rebasing = Rebasing::default();
        self.drop_cursor = DropCursor::default();
        self.enter(Phase::Start);
    }

    fn enter(&mut self, phase: Phase) {
        (self.phase, self.at, self.row) = (phase, 0, 0);
    }

    fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    fn next(&mut self) {
        (self.at, self.row) = (self.at + 1, 0);
    }

    /// The next rows to be looked at for what mutations read and wrote, and the first of them; not of sets that failed.
    pub(in crate::cache) fn next_rows(
        &mut self,
        sets: &QuerySets,
    ) -> Option<(TableId, &RowList, usize)> {
        let is_over = |part: &Part| part.stored_rows().is_none() || sets.has_failed(part.set());
        while is_over(self.change.parts.get(self.at)?) {
            self.next();
        }
        let rows = self.change.parts.get(self.at)?.stored_rows()?;
        Some((self.tables.get(self.at).copied()??, rows, self.row))
    }

    /// The next table whose changes are to be looked at, and the first of them.
    pub(in crate::cache) fn next_table(&self) -> Option<(TableId, usize)> {
        Some((*self.touched.get(self.at)?, self.row))
    }

    /// So many rows were looked at, of those that were next.
    pub(in crate::cache) fn looked_at(&mut self, count: usize, is_through: bool) {
        self.row += count;
        if is_through {
            self.next();
        }
    }
}

impl Cache {
    /// Starts to apply a change, of which nothing is visible until a step says that it is committed.
    ///
    /// A change that is still under way is forgotten, as by [`abort`](Self::abort).
    pub fn begin(&mut self, change: Change) {
        drop(self.abort());
        self.applying = Some(Applying::new(change));
    }

    /// A set's rows stay as they are, and the server says no more of them, until the set is dropped. A row that such a
    /// set holds may be replaced without it.
    pub fn mark_stale(&mut self, set: SetId) {
        self.sets.mark_stale(set);
    }

    /// Returns `true` while a change is under way.
    pub fn is_applying(&self) -> bool {
        self.applying.is_some()
    }

    /// Returns `true` if the change under way cannot go on before views are dropped, or transactions delivered: too many rows
    /// that left are still seen, or too many bytes of them. See
    /// [`CacheConfig::max_dead_bytes`](crate::cache::CacheConfig::max_dead_bytes). Steps do
    /// nothing then but look again.
    pub fn is_waiting_for_views(&self) -> bool {
        self.waiting
    }

    /// Goes on with the change under way by about `max_rows` rows. Without one, an empty transaction is committed.
    ///
    /// If code of a row type panics, the change begins anew without the sets that carry its table: see
    /// [`take_panics`](Self::take_panics).
    pub fn step(&mut self, max_rows: usize) -> Step {
        let Some(mut applying) = self.applying.take() else {
            return Step::Committed(self.empty_transaction());
        };
        let mut budget = max_rows.max(1);
        drop(self.resets.take_recent());
        loop {
            let step = self.fenced(|cache| cache.run_phases(&mut applying, &mut budget));
            let panicked = self.resets.take_recent();
            match step {
                Some(step @ (Step::Committed(_) | Step::OutOfSync(_))) => return step,
                Some(Step::More) if panicked.is_empty() => {
                    self.applying = Some(applying);
                    return Step::More;
                }
                // What was staged in a table that started over is lost with it. Each time around, at least one more
                // set of the change has failed, or a table has no rows left that could panic.
                _ => {
                    for (table, reason) in &panicked {
                        self.fail_sets(&mut applying, *table, reason);
                    }
                    self.undo(&applying);
                    applying.start_over();
                }
            }
        }
    }

    /// Goes on until the budget is used up or the change is over.
    fn run_phases(&mut self, applying: &mut Applying, budget: &mut usize) -> Step {
        loop {
            match self.run(applying, budget) {
                Ok(true) if applying.is_done() => return Step::Committed(self.finish(applying)),
                Ok(true) => (),
                Ok(false) => return Step::More,
                Err(Stop::OutOfSync(error)) => {
                    self.undo(applying);
                    return Step::OutOfSync(error);
                }
                // Each time around, at least one more set has failed, or a table has got its type: so this ends.
                Err(Stop::Mismatch(table, reason)) => {
                    self.fail_sets(applying, table, &reason);
                    self.undo(applying);
                    applying.start_over();
                }
                Err(Stop::Wanted(wanted)) => {
                    self.undo(applying);
                    let failed = self.mention(wanted);
                    applying.fail(failed);
                    applying.start_over();
                }
            }
        }
    }

    /// Forgets the change under way, if there is one, and gives it back. The cache is as it was before.
    pub fn abort(&mut self) -> Option<Change> {
        let applying = self.applying.take()?;
        self.undo(&applying);
        Some(applying.change)
    }

    /// Undoes the change under way and takes it aside, so that something can be done before it.
    pub(in crate::cache) fn suspend(&mut self) -> Option<Applying> {
        let mut applying = self.applying.take()?;
        self.undo(&applying);
        applying.start_over();
        Some(applying)
    }

    /// Goes on with a change that was suspended, from its beginning, without the sets that have failed in it.
    pub(in crate::cache) fn resume(&mut self, suspended: Option<Applying>) {
        if suspended.is_some() {
            self.applying = suspended;
        }
    }

    /// Ends sets at once, however many rows that left are still seen: as by a change that drops them, ahead of the one that
    /// is under way, which starts from its beginning. Takes time in proportion to the rows.
    pub fn drop_now(&mut self, sets: impl IntoIterator<Item = SetId>) -> Transaction {
        let suspended = self.suspend();
        let drops = sets.into_iter().map(|set| Part::DropSet { set });
        let change = Change::of(drops.collect());
        self.applying = Some(Applying { is_urgent: true, ..Applying::new(change) });
        let transaction = loop {
            match self.step(usize::MAX) {
                Step::More => (),
                Step::Committed(transaction) => break transaction,
                Step::OutOfSync(error) => {
                    log!(error, %error, "sets could not be dropped");
                    break self.empty_transaction();
                }
            }
        };
        self.resume(suspended);
        transaction
    }

    pub(in crate::cache) fn undo(&mut self, applying: &Applying) {
        self.waiting = false;
        for &table in &applying.touched {
            self.tables[table].abort();
        }
    }

    /// Runs one phase; `false` if the budget is used up before its end.
    fn run(&mut self, applying: &mut Applying, budget: &mut usize) -> Result<bool, Stop> {
        match applying.phase {
            Phase::Start => {
                // A server that never pauses leaves no other time for this.
                self.reclaim_some(*budget);
                self.waiting = !applying.is_urgent && self.must_wait();
                if self.waiting {
                    return Ok(false);
                }
                self.start(applying).map_err(Stop::OutOfSync)?;
                applying.enter(Phase::Look);
            }
            Phase::Look => {
                if self.has_mutations() {
                    if !self.look(applying, budget) {
                        return Ok(false);
                    }
                    self.lift(applying);
                }
                applying.enter(Phase::Inserts);
            }
            Phase::Inserts => {
                if !self.stage_parts(applying, budget)? {
                    return Ok(false);
                }
                applying.enter(Phase::Deletes);
            }
            Phase::Deletes => {
                if !self.stage_parts(applying, budget)? {
                    return Ok(false);
                }
                applying.enter(Phase::Drops);
            }
            Phase::Drops => {
                if !self.stage_drops(applying, budget) {
                    return Ok(false);
                }
                applying.enter(Phase::Net);
            }
            Phase::Net => {
                if !self.net_changes(applying, budget)? {
                    return Ok(false);
                }
                applying.enter(Phase::Commit);
            }
            Phase::Commit => {
                let at = Stamp::of(self.versions.next());
                while let Some(&table) = applying.touched.get(applying.at) {
                    if !self.tables[table].commit(at, budget) {
                        return Ok(false);
                    }
                    applying.next();
                }
                let is_concerned = self.concerns_mutations(applying);
                applying.rebasing.is_concerned = is_concerned;
                applying.enter(if is_concerned { Phase::Observe } else { Phase::Done });
            }
            Phase::Observe => {
                if !self.observe(applying, budget) {
                    return Ok(false);
                }
                self.withdraw_ended(applying);
                applying.enter(Phase::RunAgain);
            }
            Phase::RunAgain => {
                if !self.run_again(applying, budget).map_err(Stop::Wanted)? {
                    return Ok(false);
                }
                applying.enter(Phase::Done);
            }
            Phase::Done => (),
        }
        Ok(true)
    }

    /// Returns `true` if views hold too many dead rows.
    fn must_wait(&self) -> bool {
        let dead = self.tables.dead();
        dead.rows >= self.config.max_dead_rows
            || dead.bytes >= self.config.max_dead_bytes
            || self.versions.current() - self.versions.horizon() > VIEW_AGE_MAX
    }

    /// Finds the tables of all parts and the sets to drop.
    fn start(&mut self, applying: &mut Applying) -> Result<(), OutOfSync> {
        let mut known: HashMap<&str, TableId> = HashMap::new();
        let mut tables = Vec::with_capacity(applying.change.parts.len());
        for part in &applying.change.parts {
            let Some(name) = part.table() else {
                tables.push(None);
                continue;
            };
            let table = match known.get(&**name) {
                Some(&table) => table,
                None => {
                    let limit = self.config.max_table_bytes;
                    let named = self.tables.of_rows(name, &applying.touched, limit);
                    let table = named.map_err(|kind| {
                        OutOfSync::new(&Arc::from(name.as_str()), Some(part.set()), kind)
                    })?;
                    self.tables[table].sweep_lists();
                    known.insert(name, table);
                    applying.touched.push(table);
                    table
                }
            };
            if let Part::Events { message, distinct, .. } = part {
                self.tables[table].expect_events(*message, *distinct);
            }
            tables.push(Some(table));
        }
        applying.fail(self.resets.take_failed());
        let dropped = applying.change.parts.iter().filter_map(|part| match part {
            Part::DropSet { set } => Some(*set),
            _ => None,
        });
        let failed = applying.failed.iter().map(|failure| failure.set);
        applying.drops = dropped.chain(failed).collect();
        if !applying.drops.is_empty() {
            self.tables.note_ended_sets();
            let rest = self.tables_of(&applying.drops, &applying.touched);
            applying.touched.extend(rest);
        }
        applying.tables = tables;
        applying.touched.iter().for_each(|&table| self.tables.touch(table));
        Ok(())
    }

    /// The tables that may have rows of these sets, without those that are known. Of tables that the program does not mention, also
    /// those that are empty: they may be forgotten.
    fn tables_of(&self, sets: &[SetId], known: &[TableId]) -> Vec<TableId> {
        let mut is_known = vec![false; self.tables.len()];
        known.iter().for_each(|table| is_known[table.0 as usize] = true);
        let tables = self.tables.iter().zip(is_known);
        let rest = tables.filter(|((_, table), is_known)| {
            let may_have = || {
                table.def().is_some()
                    || table.is_empty()
                    || sets.iter().any(|&set| table.holds(set))
            };
            !is_known && may_have()
        });
        rest.map(|((table, _), _)| table).collect()
    }

    /// Stages the parts that belong to the phase.
    fn stage_parts(&mut self, applying: &mut Applying, budget: &mut usize) -> Result<bool, Stop> {
        while let Some(part) = applying.change.parts.get(applying.at) {
            let set = part.set();
            let (Some(table), false) = (applying.tables[applying.at], self.sets.has_failed(set))
            else {
                applying.next();
                continue;
            };
            let Some(rows) = staged_in(part, applying.phase) else {
                applying.next();
                continue;
            };
            let left = rows.len().saturating_sub(applying.row);
            if left > 0 && *budget == 0 {
                return Ok(false);
            }
            let cost = 1 + cost_of_bytes(rows.data_bytes() / rows.len().max(1));
            let count = left.min(budget.div_ceil(cost));
            self.name(table);
            let store = &mut self.tables[table];
            if let Err(fault) = stage(store, part, applying.row, count) {
                return Err(match fault {
                    Fault::Mismatch(reason) => Stop::Mismatch(table, reason),
                    Fault::OutOfSync(kind) => {
                        Stop::OutOfSync(OutOfSync::new(store.name(), Some(set), kind))
                    }
                });
            }
            *budget = budget.saturating_sub(count * cost);
            applying.row += count;
            if count == left {
                applying.next();
            }
        }
        self.resets.leave();
        Ok(true)
    }

    fn stage_drops(&mut self, applying: &mut Applying, budget: &mut usize) -> bool {
        while let Some(&set) = applying.drops.get(applying.at) {
            while let Some(&table) = applying.touched.get(applying.row) {
                let cursor = &mut applying.drop_cursor;
                if !self.tables[table].stage_drop(set, cursor, budget) {
                    return false;
                }
                applying.drop_cursor = DropCursor::default();
                applying.row += 1;
            }
            applying.next();
        }
        true
    }

    fn net_changes(&mut self, applying: &mut Applying, budget: &mut usize) -> Result<bool, Stop> {
        while let Some(&table) = applying.touched.get(applying.at) {
            let store = &mut self.tables[table];
            match store.net_changes(self.sets.stale(), budget) {
                Ok(true) => applying.next(),
                Ok(false) => return Ok(false),
                Err(kind) => {
                    return Err(Stop::OutOfSync(OutOfSync::new(store.name(), None, kind)));
                }
            }
        }
        Ok(true)
    }

    /// Makes everything visible at once.
    fn finish(&mut self, applying: &mut Applying) -> Transaction {
        for part in &applying.change.parts {
            if let Part::DropSet { set } = part {
                self.sets.forget(*set);
            }
        }
        let failed = core::mem::take(&mut applying.failed);
        self.change_is_over();
        // From here on nothing can be undone: all slots are stamped with the next version, which no reader has yet.
        let (moved, new_ids) = match applying.rebasing.is_concerned {
            true => self.show_rebased(applying),
            false => (false, NewIds::default()),
        };
        let mut tables = self.publish_resets();
        self.resets.leave();
        let changes = |table: &TableId| self.tables[*table].has_changes();
        // A change without effect makes no version. Rows that moved, though equal, are in other slots now.
        if !moved && tables.is_empty() && !applying.touched.iter().any(changes) {
            let current = self.versions.current();
            for &table in &applying.touched {
                let unchanged = self.tables[table].finish(current, current);
                debug_assert!(unchanged.is_none());
            }
            return Transaction { failed, new_ids, ..self.empty_transaction() };
        }
        // The view before keeps the deleted rows until the transaction is dropped; one assignment makes all tables' changes
        // visible at once.
        let before = self.versions.view();
        let (version, horizon) = (self.versions.next(), self.versions.horizon());
        let finish = |table: &TableId| self.tables[*table].finish(version, horizon);
        tables.extend(applying.touched.iter().filter_map(finish));
        let after = View { epoch: self.publish(version) };
        Transaction { before, after, tables, failed, new_ids }
    }

    pub(in crate::cache) fn empty_transaction(&self) -> Transaction {
        let view = self.versions.view();
        Transaction {
            before: view.clone(),
            after: view,
            tables: Vec::new(),
            failed: Vec::new(),
            new_ids: NewIds::default(),
        }
    }

    /// Ends the sets of the change that carry a table whose rows do not decode, or whose row type panicked.
    fn fail_sets(&mut self, applying: &mut Applying, table: TableId, reason: &RowMismatch) {
        let store = &self.tables[table];
        for (part, &of) in applying.change.parts.iter().zip(&applying.tables) {
            if of == Some(table) && self.sets.fail(part.set()) {
                applying.failed.push(SetFailure::of(store, table, part.set(), reason));
            }
        }
    }
}

/// The rows of a part that is staged in a phase.
fn staged_in(part: &Part, phase: Phase) -> Option<&RowList> {
    match (part, phase) {
        (Part::Inserts { rows, .. } | Part::Events { rows, .. }, Phase::Inserts)
        | (Part::Deletes { rows, .. }, Phase::Deletes) => Some(rows),
        _ => None,
    }
}

/// Stages the rows `from..from + max` of a part in its table.
fn stage(table: &mut dyn AnyTable, part: &Part, from: usize, max: usize) -> Result<(), Fault> {
    match part {
        Part::Inserts { set, rows, .. } => table.stage_inserts(*set, rows, from, max),
        Part::Deletes { set, rows, .. } => table.stage_deletes(*set, rows, from, max),
        Part::Events { message, rows, .. } => table.stage_events(*message, rows, from, max),
        Part::DropSet { .. } => Ok(()),
    }
}
