//! Staging lists of rows.

use super::WriteSet;
use super::repeats::Repeats;
use crate::bsatn::DecodeError;
use crate::cache::error::OutOfSyncKind;
use crate::cache::index::identity::{ByBytes, ByKey, Identity};
use crate::cache::membership::Dropping;
use crate::cache::membership::sets::{SetId, Step, Stepper};
use crate::cache::storage::pair::Pair;
use crate::cache::storage::row_id::{NO_ROW, RowId};
use crate::cache::table::diagnose::diagnose;
use crate::cache::table::fault::Fault;
use crate::cache::table::find::{Finder, Found};
use crate::cache::table::rows::Rows;
use crate::schema::Row;
use crate::wire::RowList;

/// Progress of dropping a set's rows.
#[derive(Debug, Default)]
pub(in crate::cache) struct DropCursor {
    chunk: usize,
}

impl<R: Row> WriteSet<R> {
    /// Stages the rows `from..from + max` of a list.
    pub(in crate::cache) fn insert(
        &mut self,
        rows: &mut Rows<R>,
        set: SetId,
        list: &RowList,
        from: usize,
        max: usize,
    ) -> Result<(), Fault> {
        if from == 0 {
            if rows.reserve(list.len()) {
                self.pairs.reserve(list.len());
            }
            rows.expect_row_bytes(list.data_bytes() / list.len().max(1));
        }
        let first = self.pairs.len();
        let done = if rows.is_keyed() {
            self.insert_all::<ByKey>(rows, set, list, from, max)
        } else {
            self.insert_all::<ByBytes>(rows, set, list, from, max)
        };
        if rows.indexes().has_further() {
            let came: Vec<_> = self.pairs[first..].iter().map(|pair| pair.new).collect();
            rows.index_further(&came);
        }
        done
    }

    fn insert_all<I: Identity<R>>(
        &mut self,
        rows: &mut Rows<R>,
        set: SetId,
        list: &RowList,
        from: usize,
        max: usize,
    ) -> Result<(), Fault> {
        let mut more = Stepper::new(set, Step::More);
        let mut left = list.len().saturating_sub(from);
        let mut finder = Finder::<_, I, _>::new(list.iter_from(from).take(max));
        while let Some((bytes, found)) = finder.next(rows) {
            let found = found.map_err(|error| mismatch::<R>(bytes, error))?;
            self.insert_one::<I>(rows, bytes, found, &mut more, left)?;
            left -= 1;
        }
        Ok(())
    }

    /// Stages a row. A row with the same identity may be live, or staged by the same change, or both, one replacing the
    /// other.
    #[inline]
    fn insert_one<I: Identity<R>>(
        &mut self,
        rows: &mut Rows<R>,
        bytes: &[u8],
        found: Found,
        more: &mut Stepper,
        expected: usize,
    ) -> Result<(), Fault> {
        // Without a key, a row is found by all of its bytes.
        let is_same = |id| !I::KEYED || rows.is_encoded_as(id, bytes);
        let (live, hash) = match found {
            // The same row by another query: it is held once more.
            Found::Staged(staged) | Found::Live { staged: Some(staged), .. } if is_same(staged) => {
                return step_row(rows, staged, more, OutOfSyncKind::TooManyRows);
            }
            Found::Live { live, .. } if is_same(live) => {
                self.log.push((live, rows.membership().holders(live)));
                return step_row(rows, live, more, OutOfSyncKind::TooManyRows);
            }
            Found::Staged(_) | Found::Live { staged: Some(_), .. } => {
                return Err(Fault::OutOfSync(OutOfSyncKind::TwoRowsOfOneKey));
            }
            Found::Live { live, staged: None } => (Some(live), 0),
            Found::Nothing { hash } => (None, hash),
        };
        let row = R::decode_row(bytes).map_err(|error| mismatch::<R>(bytes, error))?;
        let id = rows.put(row, bytes.len(), expected)?;
        rows.stage::<I>(id, live, hash);
        let old = live.map_or(NO_ROW, |live| live.0);
        self.pairs.push(Pair { old, new: id.0 });
        step_row(rows, id, more, OutOfSyncKind::TooManyRows)
    }

    /// Stages the deletes `from..from + max` of a list. Only what identifies a row is decoded.
    pub(in crate::cache) fn delete(
        &mut self,
        rows: &mut Rows<R>,
        set: SetId,
        list: &RowList,
        from: usize,
        max: usize,
    ) -> Result<(), Fault> {
        let list = list.iter_from(from).take(max);
        if rows.is_keyed() {
            self.delete_all::<ByKey>(rows, set, list)
        } else {
            self.delete_all::<ByBytes>(rows, set, list)
        }
    }

    fn delete_all<'b, I: Identity<R>>(
        &mut self,
        rows: &mut Rows<R>,
        set: SetId,
        list: impl Iterator<Item = &'b [u8]>,
    ) -> Result<(), Fault> {
        let mut less = Stepper::new(set, Step::Less);
        let mut finder = Finder::<_, I, _>::new(list);
        while let Some((bytes, found)) = finder.next(rows) {
            let found = found.map_err(|error| mismatch::<R>(bytes, error))?;
            self.delete_one(rows, bytes, found, &mut less)?;
        }
        Ok(())
    }

    #[inline]
    fn delete_one(
        &mut self,
        rows: &mut Rows<R>,
        bytes: &[u8],
        found: Found,
        less: &mut Stepper,
    ) -> Result<(), Fault> {
        let row_bytes = bytes.len();
        let live = match found {
            Found::Nothing { .. } => {
                return Err(Fault::OutOfSync(OutOfSyncKind::UnknownRow { row_bytes }));
            }
            Found::Live { live, staged: None } => live,
            // A row is being replaced: the delete means one or the other.
            Found::Live { live, staged: Some(staged) } if !rows.is_encoded_as(staged, bytes) => {
                live
            }
            Found::Staged(staged) | Found::Live { staged: Some(staged), .. } => {
                return step_row(rows, staged, less, OutOfSyncKind::NotInSet { row_bytes });
            }
        };
        self.log.push((live, rows.membership().holders(live)));
        step_row(rows, live, less, OutOfSyncKind::NotInSet { row_bytes })
    }

    /// Stages rows that are delivered and not stored.
    pub(in crate::cache) fn deliver(
        &mut self,
        message: u64,
        list: &RowList,
        from: usize,
        max: usize,
    ) -> Result<(), Fault> {
        let rows_left = list.len().saturating_sub(from).min(max);
        let rows = list.iter_from(from).take(max);
        match core::mem::take(&mut self.repeats) {
            Repeats::Possible { message: last, mut seen } => {
                if last != message {
                    seen.clear();
                }
                self.deliver_each(rows.filter(|bytes| seen.insert(Box::from(*bytes))))?;
                self.repeats = Repeats::Possible { message, seen };
                Ok(())
            }
            unchanged => {
                self.repeats = unchanged;
                self.events.reserve(rows_left);
                self.deliver_each(rows)
            }
        }
    }

    #[inline]
    fn deliver_each<'b>(&mut self, rows: impl Iterator<Item = &'b [u8]>) -> Result<(), Fault> {
        for bytes in rows {
            let row = R::decode_row(bytes).map_err(|error| mismatch::<R>(bytes, error))?;
            self.events.push(row);
            self.event_bytes += bytes.len();
        }
        Ok(())
    }

    /// Stages that a set holds nothing any more; whether that is done.
    pub(in crate::cache) fn drop_set(
        &mut self,
        rows: &mut Rows<R>,
        set: SetId,
        cursor: &mut DropCursor,
        budget: &mut usize,
    ) -> bool {
        if cursor.chunk == 0 && !rows.membership().holds_any(set) {
            return true;
        }
        let mut dropping = Dropping::new(set);
        while cursor.chunk < rows.storage().chunk_count() {
            if *budget == 0 {
                return false;
            }
            let (count, live) = rows.drop_in_chunk(cursor.chunk, &mut dropping);
            self.log.extend(live);
            // Looking at a slot costs much less than applying a row.
            let looked_at = rows.storage().used_in(cursor.chunk) / 16;
            *budget = budget.saturating_sub(count + looked_at + 1);
            cursor.chunk += 1;
        }
        true
    }
}

#[inline]
fn step_row<R: Row>(
    rows: &mut Rows<R>,
    id: RowId,
    stepper: &mut Stepper,
    impossible: OutOfSyncKind,
) -> Result<(), Fault> {
    if rows.step(id, stepper) { Ok(()) } else { Err(Fault::OutOfSync(impossible)) }
}

#[cold]
fn mismatch<R: Row>(bytes: &[u8], error: DecodeError) -> Fault {
    Fault::Mismatch(diagnose(&R::DEF, bytes, error))
}
