//! Staging one message in one table: nothing that a view sees changes until it is committed, and all can be undone.
//!
//! Inserts come first, then deletes, whatever the message's order: one update may delete a row and insert the same row
//! through different queries, and such a row never left. Counts are netted by row and set over the whole message.

use core::hint::black_box;

use super::diagnose;
use super::diff::Pair;
use super::error::OutOfSyncKind;
use super::identity::{ByBytes, ByKey, Identity, encodes_as};
use super::sets::{ListId, SetId, Step, Stepper};
use super::slots::{NO_ROW, RowId, SlotState};
use super::store::TableStore;
use super::table::Fault;
use crate::bsatn::DecodeError;
use crate::schema::{Row, RowDef};
use crate::wire::RowList;

/// The rows that a probe of the index found.
#[derive(Debug, Default, Clone, Copy)]
struct Found {
    live: Option<RowId>,
    staged: Option<RowId>,
}

/// A row as it came, and what identifies it, with its hash.
struct Probed<'b, P> {
    bytes: &'b [u8],
    probe: Result<(u64, P), DecodeError>,
}

/// Where the next rows of a list may be: as far from the last ones as those are from the ones before.
///
/// A server tells the two sides of its updates in different orders, but in stretches of each the rows lie one behind
/// the other, there as here. There it costs less to compare a row's key than to look the key up.
#[derive(Debug, Default)]
struct Guess {
    last: Found,
    before: Found,
}

impl Guess {
    fn learn(&mut self, found: Found) {
        self.before = core::mem::replace(&mut self.last, found);
    }

    fn next(&self) -> Option<Found> {
        let next =
            |last: RowId, before: RowId| RowId(last.0.wrapping_add(last.0.wrapping_sub(before.0)));
        let live = next(self.last.live?, self.before.live?);
        let staged = match (self.last.staged, self.before.staged) {
            (Some(last), Some(before)) => Some(next(last, before)),
            (None, None) => None,
            _ => return None,
        };
        Some(Found { live: Some(live), staged })
    }
}

/// How many rows are looked at ahead of being staged: more than a processor fetches at once.
const AHEAD_ROWS: usize = 32;

/// How far a set's rows are dropped.
#[derive(Debug, Default)]
pub(super) struct DropCursor {
    chunk: usize,
}

impl<R: Row> TableStore<R> {
    /// Stages the rows `from..from + max` of a list.
    pub(super) fn stage_inserts(
        &mut self,
        set: SetId,
        rows: &RowList,
        from: usize,
        max: usize,
    ) -> Result<(), Fault> {
        if self.is_event() {
            return self.stage_events(rows, from, max);
        }
        if from == 0 {
            self.reserve(rows.len());
        }
        let first = self.staging.pairs.len();
        let done = if self.is_keyed() {
            self.insert_all::<ByKey>(set, rows, from, max)
        } else {
            self.insert_all::<ByBytes>(set, rows, from, max)
        };
        if self.has_further_indexes() {
            let came: Vec<_> = self.staging.pairs[first..].iter().map(|pair| pair.new).collect();
            self.index_further(&came);
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
        let mut rows = rows.iter_from(from).take(max);
        let mut ahead = Vec::new();
        while self.look_ahead::<I>(&mut rows, &mut ahead) {
            for row in ahead.drain(..) {
                self.insert_one::<I>(row, &mut more, left)?;
                left -= 1;
            }
        }
        Ok(())
    }

    /// Finds out what identifies the next rows; `false` if there are none.
    ///
    /// A lookup waits for memory twice, and putting a row into its slot keeps the processor from going ahead. So the
    /// places where some rows will be looked for are touched first, all at once.
    fn look_ahead<'b, I: Identity<R>>(
        &self,
        rows: &mut impl Iterator<Item = &'b [u8]>,
        ahead: &mut Vec<Probed<'b, I::Probe<'b>>>,
    ) -> bool {
        ahead.extend(rows.take(AHEAD_ROWS).map(|bytes| {
            let probe = I::probe(bytes).map(|probe| {
                let hash = I::hash(&probe, &self.snapshot.hasher);
                (hash, probe)
            });
            Probed { bytes, probe }
        }));
        if ahead.len() > 1 {
            let probes = || ahead.iter().flat_map(|row| &row.probe);
            let index = &self.snapshot.primary;
            black_box(probes().fold(0, |seen, (hash, _)| seen ^ index.touch(*hash)));
            let found = probes().filter(|(hash, probe)| {
                let slot = index.first(*hash).and_then(|id| self.slot(RowId(id)));
                // A key may lie in another cache line than the stamps.
                slot.is_some_and(|slot| {
                    slot.state() == SlotState::Live
                        && (!I::KEYED || slot.row().is_some_and(|row| I::is(probe, row)))
                })
            });
            black_box(found.count());
        }
        !ahead.is_empty()
    }

    #[inline]
    fn insert_one<I: Identity<R>>(
        &mut self,
        Probed { bytes, probe }: Probed<'_, I::Probe<'_>>,
        more: &mut Stepper,
        expected: usize,
    ) -> Result<(), Fault> {
        let (hash, probe) = probe.map_err(|error| self.mismatch(bytes, error))?;
        let found = self.probe::<I>(hash, &probe);
        if let Some(id) = found.staged
            && (!I::KEYED || self.is_encoded_as(id, bytes))
        {
            return self.step_row(id, more, OutOfSyncKind::TooManyRows);
        }
        if let Some(id) = found.live
            && (!I::KEYED || self.is_encoded_as(id, bytes))
        {
            self.staging.log.push((id, self.list(id)));
            return self.step_row(id, more, OutOfSyncKind::TooManyRows);
        }
        if found.staged.is_some() {
            return Err(Fault::OutOfSync(OutOfSyncKind::TwoRowsOfOneKey));
        }
        let row = R::decode_row(bytes).map_err(|error| self.mismatch(bytes, error))?;
        let id = self.put(row, expected)?;
        self.index_row::<I>(hash, id);
        let old = found.live.map_or(NO_ROW, |id| id.0);
        self.staging.pairs.push(Pair { old, new: id.0 });
        self.step_row(id, more, OutOfSyncKind::TooManyRows)
    }

    /// Puts a row into a free slot.
    #[inline]
    pub(super) fn put(&mut self, row: R, expected: usize) -> Result<RowId, Fault> {
        let id = self.alloc(expected).map_err(Fault::OutOfSync)?;
        let put = self.slot(id).is_some_and(|slot| slot.put(row));
        debug_assert!(put, "a slot that is given away is free");
        Ok(id)
    }

    #[inline]
    fn probe<I: Identity<R>>(&self, hash: u64, probe: &I::Probe<'_>) -> Found {
        let mut found = Found::default();
        // There may be one of each, in any order.
        self.snapshot.primary.find(hash, |id| {
            let id = RowId(id);
            let slot = self.slot(id)?;
            let state = slot.state();
            if state != SlotState::Dead && I::is(probe, slot.row()?) {
                let found =
                    if state == SlotState::Live { &mut found.live } else { &mut found.staged };
                *found = Some(id);
            }
            None::<()>
        });
        found
    }

    fn is_encoded_as(&self, id: RowId, bytes: &[u8]) -> bool {
        let row = self.slot(id).and_then(|slot| slot.row());
        row.is_some_and(|row| encodes_as(row, bytes))
    }

    #[inline]
    fn step_row(
        &mut self,
        id: RowId,
        stepper: &mut Stepper,
        impossible: OutOfSyncKind,
    ) -> Result<(), Fault> {
        let before = self.list(id);
        let list = stepper.next(&mut self.lists, before);
        self.set_list(id, list.ok_or(Fault::OutOfSync(impossible))?);
        Ok(())
    }

    /// Stages the deletes `from..from + max` of a list. Only what identifies a row is decoded.
    pub(super) fn stage_deletes(
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
        mut rows: impl Iterator<Item = &'b [u8]>,
    ) -> Result<(), Fault> {
        let mut less = Stepper::new(set, Step::Less);
        let mut ahead = Vec::new();
        let mut guess = Guess::default();
        loop {
            let mut missed = None;
            for bytes in rows.by_ref() {
                let probe = I::probe(bytes).map_err(|error| self.mismatch(bytes, error))?;
                let Some(found) = self.guessed::<I>(&mut guess, &probe) else {
                    missed = Some(bytes);
                    break;
                };
                self.delete_found(bytes, found, &mut less)?;
            }
            let mut rest = missed.into_iter().chain(rows.by_ref());
            if !self.look_ahead::<I>(&mut rest, &mut ahead) {
                return Ok(());
            }
            for Probed { bytes, probe } in ahead.drain(..) {
                let (hash, probe) = probe.map_err(|error| self.mismatch(bytes, error))?;
                let found = self.probe::<I>(hash, &probe);
                guess.learn(found);
                self.delete_found(bytes, found, &mut less)?;
            }
        }
    }

    /// The rows of a probe, if they are where the guess says.
    fn guessed<I: Identity<R>>(&self, guess: &mut Guess, probe: &I::Probe<'_>) -> Option<Found> {
        let found = guess.next()?;
        let is = |id: RowId, state| {
            let slot = self.slot(id)?;
            (slot.state() == state && I::is(probe, slot.row()?)).then_some(())
        };
        is(found.live?, SlotState::Live)?;
        match found.staged {
            Some(id) => is(id, SlotState::Staged)?,
            // There may be one all the same.
            None if !self.staging.pairs.is_empty() => return None,
            None => (),
        }
        guess.learn(found);
        Some(found)
    }

    #[inline]
    fn delete_found(
        &mut self,
        bytes: &[u8],
        found: Found,
        less: &mut Stepper,
    ) -> Result<(), Fault> {
        let row_bytes = bytes.len();
        let live = match (found.live, found.staged) {
            (None, None) => return Err(Fault::OutOfSync(OutOfSyncKind::UnknownRow { row_bytes })),
            (Some(live), None) => live,
            // A row is being replaced: the delete means one or the other.
            (Some(live), Some(staged)) if !self.is_encoded_as(staged, bytes) => live,
            (_, Some(staged)) => {
                return self.step_row(staged, less, OutOfSyncKind::NotInSet { row_bytes });
            }
        };
        self.staging.log.push((live, self.list(live)));
        self.step_row(live, less, OutOfSyncKind::NotInSet { row_bytes })
    }

    /// Stages rows that are delivered and not stored.
    pub(super) fn stage_events(
        &mut self,
        rows: &RowList,
        from: usize,
        max: usize,
    ) -> Result<(), Fault> {
        self.staging.events.reserve(rows.len().saturating_sub(from).min(max));
        for bytes in rows.iter_from(from).take(max) {
            let row = R::decode_row(bytes).map_err(|error| self.mismatch(bytes, error))?;
            self.staging.events.push(row);
        }
        Ok(())
    }

    /// Stages that a set holds nothing any more; whether that is done.
    pub(super) fn stage_drop(
        &mut self,
        set: SetId,
        cursor: &mut DropCursor,
        budget: &mut usize,
    ) -> bool {
        if cursor.chunk == 0 && !self.lists.any_names(set) {
            return true;
        }
        let mut last = None;
        while cursor.chunk < self.sides.len() {
            if *budget == 0 {
                return false;
            }
            let dropped = self.drop_in_chunk(set, cursor.chunk, &mut last);
            // Looking at a slot costs much less than applying a row.
            let looked_at = self.sides[cursor.chunk].used / 16;
            *budget = budget.saturating_sub(dropped + looked_at + 1);
            cursor.chunk += 1;
        }
        true
    }

    fn drop_in_chunk(
        &mut self,
        set: SetId,
        chunk: usize,
        last: &mut Option<(ListId, Option<ListId>)>,
    ) -> usize {
        let mut dropped = 0;
        for slot in 0..self.sides[chunk].used {
            let list = self.sides[chunk].sets[slot];
            if list == ListId::EMPTY {
                continue;
            }
            let without = match *last {
                Some((known, without)) if known == list => without,
                _ => {
                    let without = self.lists.without(list, set);
                    *last = Some((list, without));
                    without
                }
            };
            let Some(without) = without else { continue };
            let id = RowId::new(chunk, slot);
            if self.slot(id).is_some_and(|slot| slot.state() == SlotState::Live) {
                self.staging.log.push((id, list));
            }
            self.set_list(id, without);
            dropped += 1;
        }
        dropped
    }

    #[cold]
    fn mismatch(&self, bytes: &[u8], error: DecodeError) -> Fault {
        const RAW: RowDef = RowDef { name: "raw row", columns: &[], lenient: false };
        let def = self.def.map_or(RAW, |def| def.row);
        Fault::Mismatch(diagnose::diagnose(&def, bytes, error))
    }
}
