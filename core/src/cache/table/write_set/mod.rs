//! Write set of the change under way, for one table: staged, then netted, committed, and finished; or aborted.
//!
//! Nothing that a view sees changes until it is committed, and all can be undone.
//!
//! Inserts come first, then deletes, whatever the message's order: one update may delete a row and insert the same row
//! through different queries, and such a row never left. Counts are netted by row and set over the whole message.

mod repeats;
mod stage;

use foldhash::HashSet;

use self::repeats::Repeats;
pub(in crate::cache) use self::stage::DropCursor;
use super::rows::Rows;
use crate::cache::error::OutOfSyncKind;
use crate::cache::membership::sets::{ListId, SetId};
use crate::cache::storage::pair::Pair;
use crate::cache::storage::row_id::{NO_ROW, RowId};
use crate::cache::storage::stamp::Stamp;
use crate::guard::FencedRows;
use crate::schema::Row;

/// Effects of a change on a table so far.
#[derive(Debug)]
pub(in crate::cache) struct WriteSet<R> {
    /// Rows that came, with the live rows that they replace; once netted, all changes.
    pairs: Vec<Pair>,
    /// The list that a live row had before each change of it.
    log: Vec<(RowId, ListId)>,
    /// Rows that came and went, and those of messages that failed.
    discarded: Vec<u32>,
    /// Rows of an event table, and the size of their encodings.
    events: FencedRows<R>,
    event_bytes: usize,
    repeats: Repeats,
    netting: Netting,
    /// Number of committed pairs.
    committed: usize,
    /// The rows that left, as far as they are committed.
    deleted: Vec<u32>,
}

/// Progress of netting.
#[derive(Debug, Default, Clone, Copy)]
struct Netting {
    /// Number of rows that came and were looked at, and number of them that stay.
    looked_at: usize,
    kept: usize,
    /// `true` if all were: then the log is next.
    is_log_next: bool,
    log_at: usize,
}

/// Changes of one table that were committed.
pub(in crate::cache) struct Written<R> {
    pub(in crate::cache) pairs: Vec<Pair>,
    pub(in crate::cache) events: FencedRows<R>,
    /// Number of rows that left, and memory that the changes keep.
    pub(in crate::cache) left: usize,
    pub(in crate::cache) bytes: usize,
}

impl<R> WriteSet<R> {
    pub(in crate::cache) fn new() -> Self {
        Self {
            pairs: Vec::new(),
            log: Vec::new(),
            discarded: Vec::new(),
            events: FencedRows::new(),
            event_bytes: 0,
            repeats: Repeats::None,
            netting: Netting::default(),
            committed: 0,
            deleted: Vec::new(),
        }
    }

    /// Returns `true` if anything is staged that a transaction would show.
    pub(in crate::cache) fn has_changes(&self) -> bool {
        !self.pairs.is_empty() || self.has_events()
    }

    pub(in crate::cache) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Rows that came, with those that they replace; once netted, all changes.
    pub(in crate::cache) fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// Expects one more list of events; the arguments are as in [`Part::Events`](crate::cache::Part::Events).
    pub(in crate::cache) fn expect_events(&mut self, message: u64, distinct: bool) {
        self.repeats.expect(message, distinct);
    }

    /// Adds a row to those that were deleted with the change.
    pub(in crate::cache) fn add_deleted(&mut self, id: u32) {
        self.deleted.push(id);
    }

    /// Replaces some of the committed changes, marked by their places, with others that are made already.
    pub(in crate::cache) fn replace_committed(&mut self, replaced: Vec<bool>, by: Vec<Pair>) {
        let mut is_replaced = replaced.into_iter();
        self.pairs.retain(|_| is_replaced.next() != Some(true));
        self.pairs.extend(by);
        self.committed = self.pairs.len();
    }
}

impl<R: Row> WriteSet<R> {
    /// Nets what the change does by row and set; whether that is done.
    ///
    /// A row that came stays if a set holds it in the end; `pairs` is compacted in place to those that stay. A live row
    /// that no set holds any more left: it is marked, since its log may have it several times.
    pub(in crate::cache) fn net(
        &mut self,
        rows: &mut Rows<R>,
        stale: &HashSet<SetId>,
        budget: &mut usize,
    ) -> Result<bool, OutOfSyncKind> {
        while !self.netting.is_log_next {
            let Some(&pair) = self.pairs.get(self.netting.looked_at) else {
                self.netting.is_log_next = true;
                self.pairs.truncate(self.netting.kept);
                break;
            };
            if !spend(budget) {
                return Ok(false);
            }
            // An update that deletes a row and inserts it again, through other queries, nets to nothing: its row is held
            // as before. So only the count in the end decides, never the order in which the message has the parts.
            let stays = self.net_one(rows, pair, stale)?;
            self.netting.looked_at += 1;
            if stays {
                self.pairs[self.netting.kept] = pair;
                self.netting.kept += 1;
            } else {
                self.discarded.push(pair.new);
            }
        }
        while let Some(&(id, _)) = self.log.get(self.netting.log_at) {
            if !spend(budget) {
                return Ok(false);
            }
            self.netting.log_at += 1;
            // Of the rows in the log, those that were replaced are marked already, and are not deleted twice.
            if !rows.membership().is_held(id) {
                rows.set_holders(id, ListId::GONE);
                self.pairs.push(Pair { old: id.0, new: NO_ROW });
            }
        }
        Ok(true)
    }

    /// Nets a row that came, and returns `true` if it stays.
    fn net_one(
        &mut self,
        rows: &mut Rows<R>,
        pair: Pair,
        stale: &HashSet<SetId>,
    ) -> Result<bool, OutOfSyncKind> {
        let stays = rows.membership().is_held(RowId(pair.new));
        if stays && pair.old != NO_ROW {
            let old = RowId(pair.old);
            if rows.membership().is_held(old) {
                self.carry_over(rows, pair, stale)?;
            }
            // The pair itself is the delete of the old row.
            rows.set_holders(old, ListId::GONE);
        }
        if !stays {
            rows.discard(pair);
        }
        Ok(stays)
    }

    /// Hands the stale sets that hold a row on to the row that replaces it: they do not hear of changes.
    fn carry_over(
        &mut self,
        rows: &mut Rows<R>,
        pair: Pair,
        stale: &HashSet<SetId>,
    ) -> Result<(), OutOfSyncKind> {
        let (old, new) = (RowId(pair.old), RowId(pair.new));
        let holders = rows.membership().members(old);
        if !holders.iter().all(|(set, _)| stale.contains(set)) {
            return Err(OutOfSyncKind::Replaced);
        }
        let holders = holders.to_vec();
        self.log.push((old, rows.membership().holders(old)));
        rows.add_members(new, &holders);
        Ok(())
    }

    /// Stamps what the change did, for the version `at`; whether that is done.
    pub(in crate::cache) fn commit(
        &mut self,
        rows: &mut Rows<R>,
        at: Stamp,
        budget: &mut usize,
    ) -> bool {
        while let Some(&pair) = self.pairs.get(self.committed) {
            if !spend(budget) {
                return false;
            }
            self.committed += 1;
            rows.commit(pair, at);
            if pair.old != NO_ROW {
                self.deleted.push(pair.old);
            }
        }
        true
    }

    /// Ends the change after its commit: what it did with `version`, if anything.
    #[inline]
    pub(in crate::cache) fn finish(
        &mut self,
        rows: &mut Rows<R>,
        version: u64,
        horizon: u64,
    ) -> Option<Written<R>> {
        let Self { pairs, discarded, events, event_bytes, deleted, .. } =
            core::mem::replace(self, Self::new());
        rows.retire_later(0, discarded);
        let (left, left_bytes) = rows.retire_later(version, deleted);
        rows.note_change(version, horizon, !pairs.is_empty());
        if pairs.is_empty() && events.is_empty() {
            return None;
        }
        let listed = pairs.len() * size_of::<Pair>() + events.len() * size_of::<R>();
        Some(Written { pairs, events, left, bytes: left_bytes + event_bytes + listed })
    }

    /// Undoes whatever the change did so far.
    pub(in crate::cache) fn abort(&mut self, rows: &mut Rows<R>) {
        let Self { pairs, log, mut discarded, netting, committed, .. } =
            core::mem::replace(self, Self::new());
        pairs[..committed].iter().for_each(|&pair| rows.undo_commit(pair));
        // The latest first: a row that was changed several times ends with the list that it had before the first.
        for &(id, before) in log.iter().rev() {
            rows.set_holders(id, before);
        }
        // Between these two are copies and rows that were discarded, unless netting is through.
        let gap = if netting.is_log_next { 0..0 } else { netting.kept..netting.looked_at };
        for (at, pair) in pairs.iter().enumerate() {
            if pair.new == NO_ROW || gap.contains(&at) {
                continue;
            }
            rows.discard(*pair);
            rows.set_holders(RowId(pair.new), ListId::EMPTY);
            discarded.push(pair.new);
        }
        rows.retire_later(0, discarded);
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
