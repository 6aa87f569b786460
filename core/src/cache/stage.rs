//! Staging one message in one table: nothing that a view sees changes until it is committed, and all can be undone.
//!
//! Inserts come first, then deletes, whatever the message's order: one update may delete a row and insert the same row
//! through different queries, and such a row never left. Counts are netted by row and set over the whole message.

use core::hint::black_box;

use super::diagnose;
use super::diff::Pair;
use super::error::OutOfSyncKind;
use super::guess::Guess;
use super::identity::{ByBytes, ByKey, Identity, encodes_as};
use super::sets::{ListId, SetId, Step, Stepper};
use super::slots::{NO_ROW, RowId, SlotState};
use super::store::TableStore;
use super::table::Fault;
use crate::bsatn::DecodeError;
use crate::schema::{Row, RowDef};
use crate::wire::RowList;

/// What the table has of a row that came.
#[derive(Debug, Clone, Copy)]
enum Found {
    /// Nothing, by the index.
    Nothing { hash: u64 },
    /// A row that came with the same message.
    Staged(RowId),
    /// A live row, and the one of the same message that replaces it.
    Live { live: RowId, staged: Option<RowId> },
}

/// A row as it came, and what identifies it, with its hash.
struct Probed<'b, P> {
    bytes: &'b [u8],
    probe: Result<(u64, P), DecodeError>,
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
        self.each_found::<I>(rows.iter_from(from).take(max), |table, bytes, found| {
            table.insert_one::<I>(bytes, found, &mut more, left)?;
            left -= 1;
            Ok(())
        })
    }

    /// Finds what the table has of each row of a list: where it guesses, else by the index.
    fn each_found<'b, I: Identity<R>>(
        &mut self,
        mut rows: impl Iterator<Item = &'b [u8]>,
        mut each: impl FnMut(&mut Self, &'b [u8], Found) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut ahead = Vec::new();
        let mut guess = Guess::default();
        loop {
            let mut missed = None;
            for bytes in rows.by_ref() {
                let Some(found) = self.guessed::<I>(&mut guess, bytes) else {
                    missed = Some(bytes);
                    break;
                };
                each(self, bytes, found)?;
            }
            let mut rest = missed.into_iter().chain(rows.by_ref());
            if !self.look_ahead::<I>(&mut rest, &mut ahead) {
                return Ok(());
            }
            for Probed { bytes, probe } in ahead.drain(..) {
                let (hash, probe) = probe.map_err(|error| self.mismatch(bytes, error))?;
                let found = self.probe::<I>(hash, &probe);
                guess.learn(match found {
                    Found::Live { live, .. } => Some(live),
                    Found::Staged(_) | Found::Nothing { .. } => None,
                });
                each(self, bytes, found)?;
            }
        }
    }

    /// What there is of a row, if it is where the guess says.
    #[inline]
    fn guessed<I: Identity<R>>(&self, guess: &mut Guess, bytes: &[u8]) -> Option<Found> {
        let live = guess.next()?;
        let slot = self.slot(live).filter(|slot| slot.state() == SlotState::Live)?;
        if !I::is(&I::probe(bytes).ok()?, slot.row()?) {
            return None;
        }
        guess.learn(Some(live));
        Some(Found::Live { live, staged: self.snapshot.chunks.newer(live) })
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
        bytes: &[u8],
        found: Found,
        more: &mut Stepper,
        expected: usize,
    ) -> Result<(), Fault> {
        let is_same = |id| !I::KEYED || self.is_encoded_as(id, bytes);
        match found {
            Found::Staged(staged) | Found::Live { staged: Some(staged), .. } if is_same(staged) => {
                self.step_row(staged, more, OutOfSyncKind::TooManyRows)
            }
            Found::Live { live, .. } if is_same(live) => {
                self.staging.log.push((live, self.list(live)));
                self.step_row(live, more, OutOfSyncKind::TooManyRows)
            }
            Found::Staged(_) | Found::Live { staged: Some(_), .. } => {
                Err(Fault::OutOfSync(OutOfSyncKind::TwoRowsOfOneKey))
            }
            Found::Live { live, staged: None } => {
                let id = self.decode(bytes, expected)?;
                self.snapshot.chunks.set_newer(live, Some(id));
                self.staging.pairs.push(Pair { old: live.0, new: id.0 });
                self.step_row(id, more, OutOfSyncKind::TooManyRows)
            }
            Found::Nothing { hash } => {
                let id = self.decode(bytes, expected)?;
                self.index_row::<I>(hash, id);
                self.staging.pairs.push(Pair { old: NO_ROW, new: id.0 });
                self.step_row(id, more, OutOfSyncKind::TooManyRows)
            }
        }
    }

    /// Decodes a row into a free slot.
    #[inline]
    fn decode(&mut self, bytes: &[u8], expected: usize) -> Result<RowId, Fault> {
        let row = R::decode_row(bytes).map_err(|error| self.mismatch(bytes, error))?;
        self.put(row, expected)
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
        let (mut live, mut staged) = (None, None);
        self.snapshot.primary.find(hash, |id| {
            for id in self.versions(RowId(id)) {
                let slot = self.slot(id)?;
                let found = match slot.state() {
                    SlotState::Dead => continue,
                    SlotState::Live => &mut live,
                    SlotState::Staged => &mut staged,
                };
                if !I::is(probe, slot.row()?) {
                    break;
                }
                *found = Some(id);
            }
            None::<()>
        });
        match (live, staged) {
            (Some(live), staged) => Found::Live { live, staged },
            (None, Some(staged)) => Found::Staged(staged),
            (None, None) => Found::Nothing { hash },
        }
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
        let mut less = Stepper::new(set, Step::Less);
        let rows = rows.iter_from(from).take(max);
        let delete = |table: &mut Self, bytes: &_, found| table.delete_one(bytes, found, &mut less);
        if self.is_keyed() {
            self.each_found::<ByKey>(rows, delete)
        } else {
            self.each_found::<ByBytes>(rows, delete)
        }
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
