//! Staging one message in one table: nothing that a view sees changes until it is committed, and all can be undone.
//!
//! Inserts come first, then deletes, whatever the message's order: one update may delete a row and insert the same row
//! through different queries, and such a row never left. Counts are netted by row and set over the whole message.

use super::any::Fault;
use super::diagnose;
use super::find::{Finder, Found};
use super::staging::Repeats;
use super::store::TableStore;
use crate::bsatn::DecodeError;
use crate::cache::error::OutOfSyncKind;
use crate::cache::index::identity::{ByBytes, ByKey, Identity, encodes_as};
use crate::cache::membership::Dropping;
use crate::cache::membership::sets::{SetId, Step, Stepper};
use crate::cache::storage::slots::{NO_ROW, RowId, SlotState};
use crate::cache::transaction::diff::Pair;
use crate::schema::{Row, RowDef};
use crate::wire::RowList;

/// Progress of dropping a set's rows.
#[derive(Debug, Default)]
pub(in crate::cache) struct DropCursor {
    chunk: usize,
}

impl<R: Row> TableStore<R> {
    /// Stages the rows `from..from + max` of a list.
    pub(in crate::cache) fn stage_inserts(
        &mut self,
        set: SetId,
        rows: &RowList,
        from: usize,
        max: usize,
    ) -> Result<(), Fault> {
        if self.is_event() {
            return self.stage_events(0, rows, from, max);
        }
        if from == 0 {
            self.reserve(rows.len());
            self.storage.expect_row_bytes(rows.data_bytes() / rows.len().max(1));
        }
        let first = self.staging.pairs.len();
        let done = if self.is_keyed() {
            self.insert_all::<ByKey>(set, rows, from, max)
        } else {
            self.insert_all::<ByBytes>(set, rows, from, max)
        };
        if self.indexes.has_further() {
            let came: Vec<_> = self.staging.pairs[first..].iter().map(|pair| pair.new).collect();
            self.indexes.insert_further(&came, self.storage.chunks());
        }
        done
    }

    fn insert_all<I: Identity<R>>(
        &mut self,
        set: SetId,
        rows: &RowList,
        from: usize,
        max: usize,
    ) -> Result<(), Fault> {
        let mut more = Stepper::new(set, Step::More);
        let mut left = rows.len().saturating_sub(from);
        let mut rows = Finder::<_, I, _>::new(rows.iter_from(from).take(max));
        while let Some((bytes, found)) = rows.next(self) {
            let found = found.map_err(|error| self.mismatch(bytes, error))?;
            self.insert_one::<I>(bytes, found, &mut more, left)?;
            left -= 1;
        }
        Ok(())
    }

    #[inline]
    fn insert_one<I: Identity<R>>(
        &mut self,
        bytes: &[u8],
        found: Found,
        more: &mut Stepper,
        expected: usize,
    ) -> Result<(), Fault> {
        let is_same = |id| !I::KEYED || self.is_encoded_as(id, bytes);
        let (live, hash) = match found {
            Found::Staged(staged) | Found::Live { staged: Some(staged), .. } if is_same(staged) => {
                return self.step_row(staged, more, OutOfSyncKind::TooManyRows);
            }
            Found::Live { live, .. } if is_same(live) => {
                self.staging.log.push((live, self.membership.holders(live)));
                return self.step_row(live, more, OutOfSyncKind::TooManyRows);
            }
            Found::Staged(_) | Found::Live { staged: Some(_), .. } => {
                return Err(Fault::OutOfSync(OutOfSyncKind::TwoRowsOfOneKey));
            }
            Found::Live { live, staged: None } => (Some(live), 0),
            Found::Nothing { hash } => (None, hash),
        };
        let row = R::decode_row(bytes).map_err(|error| self.mismatch(bytes, error))?;
        let id = self.put_sized(row, bytes.len(), expected)?;
        match live {
            Some(live) => self.storage.set_newer(live, Some(id)),
            None => self.indexes.insert::<I>(hash, id, self.storage.chunks()),
        }
        let old = live.map_or(NO_ROW, |live| live.0);
        self.staging.pairs.push(Pair { old, new: id.0 });
        self.step_row(id, more, OutOfSyncKind::TooManyRows)
    }

    fn is_encoded_as(&self, id: RowId, bytes: &[u8]) -> bool {
        self.storage.row(id).is_some_and(|row| encodes_as(row, bytes))
    }

    #[inline]
    fn step_row(
        &mut self,
        id: RowId,
        stepper: &mut Stepper,
        impossible: OutOfSyncKind,
    ) -> Result<(), Fault> {
        if self.membership.step(id, stepper) { Ok(()) } else { Err(Fault::OutOfSync(impossible)) }
    }

    /// Stages the deletes `from..from + max` of a list. Only what identifies a row is decoded.
    pub(in crate::cache) fn stage_deletes(
        &mut self,
        set: SetId,
        rows: &RowList,
        from: usize,
        max: usize,
    ) -> Result<(), Fault> {
        if self.is_event() {
            // Never stored, so there is nothing to delete.
            return Ok(());
        }
        let rows = rows.iter_from(from).take(max);
        if self.is_keyed() {
            self.delete_all::<ByKey>(set, rows)
        } else {
            self.delete_all::<ByBytes>(set, rows)
        }
    }

    fn delete_all<'b, I: Identity<R>>(
        &mut self,
        set: SetId,
        rows: impl Iterator<Item = &'b [u8]>,
    ) -> Result<(), Fault> {
        let mut less = Stepper::new(set, Step::Less);
        let mut rows = Finder::<_, I, _>::new(rows);
        while let Some((bytes, found)) = rows.next(self) {
            let found = found.map_err(|error| self.mismatch(bytes, error))?;
            self.delete_one(bytes, found, &mut less)?;
        }
        Ok(())
    }

    #[inline]
    fn delete_one(&mut self, bytes: &[u8], found: Found, less: &mut Stepper) -> Result<(), Fault> {
        let row_bytes = bytes.len();
        let live = match found {
            Found::Nothing { .. } => {
                return Err(Fault::OutOfSync(OutOfSyncKind::UnknownRow { row_bytes }));
            }
            Found::Live { live, staged: None } => live,
            // A row is being replaced: the delete means one or the other.
            Found::Live { live, staged: Some(staged) } if !self.is_encoded_as(staged, bytes) => {
                live
            }
            Found::Staged(staged) | Found::Live { staged: Some(staged), .. } => {
                return self.step_row(staged, less, OutOfSyncKind::NotInSet { row_bytes });
            }
        };
        self.staging.log.push((live, self.membership.holders(live)));
        self.step_row(live, less, OutOfSyncKind::NotInSet { row_bytes })
    }

    /// Stages rows that are delivered and not stored.
    pub(in crate::cache) fn stage_events(
        &mut self,
        message: u64,
        rows: &RowList,
        from: usize,
        max: usize,
    ) -> Result<(), Fault> {
        let rows_left = rows.len().saturating_sub(from).min(max);
        let rows = rows.iter_from(from).take(max);
        match core::mem::take(&mut self.staging.repeats) {
            Repeats::Possible { message: last, mut seen } => {
                if last != message {
                    seen.clear();
                }
                self.stage_each_event(rows.filter(|bytes| seen.insert(Box::from(*bytes))))?;
                self.staging.repeats = Repeats::Possible { message, seen };
                Ok(())
            }
            unchanged => {
                self.staging.repeats = unchanged;
                self.staging.events.reserve(rows_left);
                self.stage_each_event(rows)
            }
        }
    }

    #[inline]
    fn stage_each_event<'b>(&mut self, rows: impl Iterator<Item = &'b [u8]>) -> Result<(), Fault> {
        for bytes in rows {
            let row = R::decode_row(bytes).map_err(|error| self.mismatch(bytes, error))?;
            self.staging.events.push(row);
            self.staging.event_bytes += bytes.len();
        }
        Ok(())
    }

    /// Stages that a set holds nothing any more; whether that is done.
    pub(in crate::cache) fn stage_drop(
        &mut self,
        set: SetId,
        cursor: &mut DropCursor,
        budget: &mut usize,
    ) -> bool {
        if cursor.chunk == 0 && !self.membership.holds_any(set) {
            return true;
        }
        let mut dropping = Dropping::new(set);
        while cursor.chunk < self.storage.chunk_count() {
            if *budget == 0 {
                return false;
            }
            let dropped = self.drop_in_chunk(cursor.chunk, &mut dropping);
            // Looking at a slot costs much less than applying a row.
            let looked_at = self.storage.used_in(cursor.chunk) / 16;
            *budget = budget.saturating_sub(dropped + looked_at + 1);
            cursor.chunk += 1;
        }
        true
    }

    fn drop_in_chunk(&mut self, chunk: usize, dropping: &mut Dropping) -> usize {
        let dropped = self.membership.drop_in_chunk(chunk, dropping);
        let count = dropped.len();
        let Self { storage, staging, .. } = self;
        let is_live = |id| storage.slot(id).is_some_and(|slot| slot.state() == SlotState::Live);
        staging.log.extend(dropped.into_iter().filter(|&(id, _)| is_live(id)));
        count
    }

    #[cold]
    fn mismatch(&self, bytes: &[u8], error: DecodeError) -> Fault {
        const RAW: RowDef = RowDef { name: "raw row", columns: &[], lenient: false };
        let def = self.def.map_or(RAW, |def| def.row);
        Fault::Mismatch(diagnose::diagnose(&def, bytes, error))
    }
}
