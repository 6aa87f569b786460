//! Net effect of a staged message on one table, making it visible, and undoing it.

use std::sync::Arc;

use foldhash::HashSet;

use super::staging::Staging;
use super::store::TableStore;
use crate::cache::error::OutOfSyncKind;
use crate::cache::membership::sets::{ListId, SetId};
use crate::cache::storage::slots::{NO_ROW, RowId};
use crate::cache::storage::stamp::Stamp;
use crate::cache::transaction::diff::{AnyEvents, Pair, Retained, TableDiff};
use crate::schema::Row;

impl<R: Row> TableStore<R> {
    /// Finds out what the message changes; whether that is done.
    pub(in crate::cache) fn settle(
        &mut self,
        stale: &HashSet<SetId>,
        budget: &mut usize,
    ) -> Result<bool, OutOfSyncKind> {
        while !self.staging.settling.came_done {
            let at = self.staging.settling.looked_at;
            let Some(&pair) = self.staging.pairs.get(at) else {
                self.staging.settling.came_done = true;
                self.staging.pairs.truncate(self.staging.settling.kept);
                break;
            };
            if !spend(budget) {
                return Ok(false);
            }
            let kept = self.settle_came(pair, stale)?;
            let Staging { pairs, settling, waste, .. } = &mut self.staging;
            settling.looked_at += 1;
            if kept {
                pairs[settling.kept] = pair;
                settling.kept += 1;
            } else {
                waste.push(pair.new);
            }
        }
        while let Some(&(id, _)) = self.staging.log.get(self.staging.settling.log_at) {
            if !spend(budget) {
                return Ok(false);
            }
            self.staging.settling.log_at += 1;
            if !self.membership.is_held(id) {
                self.membership.set_holders(id, ListId::GONE);
                self.staging.pairs.push(Pair { old: id.0, new: NO_ROW });
            }
        }
        Ok(true)
    }

    /// Nets a row that came, and returns `true` if it stays.
    fn settle_came(&mut self, pair: Pair, stale: &HashSet<SetId>) -> Result<bool, OutOfSyncKind> {
        let stays = self.membership.is_held(RowId(pair.new));
        if stays && pair.old != NO_ROW {
            let old = RowId(pair.old);
            if self.membership.is_held(old) {
                self.carry_over(old, RowId(pair.new), stale)?;
            }
            self.membership.set_holders(old, ListId::GONE);
        }
        if !stays {
            self.discard_pair(pair);
        }
        Ok(stays)
    }

    /// Hands the stale sets that hold a row on to the row that replaces it: they do not hear of changes.
    fn carry_over(
        &mut self,
        old: RowId,
        new: RowId,
        stale: &HashSet<SetId>,
    ) -> Result<(), OutOfSyncKind> {
        let holders = self.membership.members(old);
        if !holders.iter().all(|(set, _)| stale.contains(set)) {
            return Err(OutOfSyncKind::Replaced);
        }
        let holders = holders.to_vec();
        self.staging.log.push((old, self.membership.holders(old)));
        self.membership.add_members(new, &holders);
        Ok(())
    }

    /// Stamps what the message changed, for the version `at`; whether that is done.
    pub(in crate::cache) fn commit(&mut self, at: Stamp, budget: &mut usize) -> bool {
        while let Some(&pair) = self.staging.pairs.get(self.staging.committed) {
            if !spend(budget) {
                return false;
            }
            self.staging.committed += 1;
            if pair.new != NO_ROW {
                self.storage.make_visible(RowId(pair.new), at);
            }
            if pair.old != NO_ROW {
                self.storage.delete(RowId(pair.old), at);
                self.membership.release(RowId(pair.old));
                self.staging.died.push(pair.old);
            }
        }
        true
    }

    /// Ends the message after its commit: what changed with `version`, if anything.
    pub(in crate::cache) fn finish(&mut self, version: u64, horizon: u64) -> Option<TableDiff> {
        let Staging { pairs, waste, events, event_bytes, died, .. } =
            core::mem::replace(&mut self.staging, Staging::new());
        self.storage.note_change(version);
        self.storage.retire_later(0, waste);
        let (rows, row_bytes) = self.storage.retire_later(version, died);
        if !pairs.is_empty() {
            self.storage.note_count(version, horizon);
        }
        if pairs.is_empty() && events.is_empty() {
            return None;
        }
        let listed = pairs.len() * size_of::<Pair>() + events.len() * size_of::<R>();
        let retained = Retained { rows, bytes: row_bytes + event_bytes + listed };
        let events = (!events.is_empty()).then(|| Box::new(events) as Box<dyn AnyEvents>);
        let (table, name) = (self.id, Arc::clone(&self.name));
        Some(TableDiff { table, name, retained, pairs, events, started_over: false })
    }

    /// Undoes whatever the message did so far.
    pub(in crate::cache) fn abort(&mut self) {
        let Staging { pairs, log, mut waste, settling, committed, .. } =
            core::mem::replace(&mut self.staging, Staging::new());
        for pair in &pairs[..committed] {
            if pair.new != NO_ROW {
                self.storage.undo_make_visible(RowId(pair.new));
            }
            if pair.old != NO_ROW {
                self.storage.undo_delete(RowId(pair.old));
            }
        }
        for &(id, before) in log.iter().rev() {
            self.membership.set_holders(id, before);
        }
        // Between these two are copies and rows that went to `waste`, unless settling is through.
        let gap = if settling.came_done { 0..0 } else { settling.kept..settling.looked_at };
        for (at, pair) in pairs.iter().enumerate() {
            if pair.new == NO_ROW || gap.contains(&at) {
                continue;
            }
            self.discard_pair(*pair);
            self.membership.release(RowId(pair.new));
            waste.push(pair.new);
        }
        self.storage.retire_later(0, waste);
    }

    /// Ends a staged row, which replaces none then.
    fn discard_pair(&self, pair: Pair) {
        self.storage.discard(RowId(pair.new));
        if pair.old != NO_ROW {
            self.storage.set_newer(RowId(pair.old), None);
        }
    }
}

/// Takes one off the budget, unless it is used up.
#[inline]
fn spend(budget: &mut usize) -> bool {
    match budget.checked_sub(1) {
        Some(left) => {
            *budget = left;
            true
        }
        None => false,
    }
}
