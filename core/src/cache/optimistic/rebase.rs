//! Running mutations again, because the server's rows changed beneath them or one of them ended.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::LocalTx;
use super::connected::Connecting;
use super::footprint::Turn;
use super::tx::{Ran, Want, Writes};
use crate::cache::apply::Applying;
use crate::cache::epoch::{Epoch, Tables, View};
use crate::cache::stamp::Stamp;
use crate::cache::{Cache, SetFailure};

/// How often those that run again may turn out to have to do with more, before all do.
const WIDENINGS_MAX: u32 = 4;

/// Mutations that ran again, and what they wrote.
struct Reran {
    runs: Vec<(Turn, Ran)>,
    writes: Vec<Writes>,
}

/// Around a change of the server's.
impl Cache {
    /// Whether changes have to be looked at for what mutations read and wrote.
    pub(in crate::cache) fn has_mutations(&self) -> bool {
        !self.mutations.is_empty()
    }

    /// Takes away what the mutations wrote that end with the change, that touched its rows, and that are connected with
    /// those, and puts the server's rows back: for nobody to see.
    pub(in crate::cache) fn lift(&mut self, applying: &mut Applying) {
        let found = if applying.drops_sets() {
            // Nobody knows which rows go before they are looked at.
            self.mutations.list.keys().copied().collect()
        } else {
            let ends = applying.ends().iter().flat_map(|&id| self.mutations.turns_of(id));
            let mut found: BTreeSet<_> = ends.collect();
            found.append(&mut applying.lifting.turns);
            found
        };
        self.lift_more(applying, found);
    }

    /// Lifts these, and those that are connected with them.
    fn lift_more(&mut self, applying: &mut Applying, found: BTreeSet<Turn>) {
        let more = Connecting::new(self).closure(&applying.lifting.turns, found);
        if more.is_empty() {
            return;
        }
        let at = Stamp::of(self.version + 1);
        for turn in &more {
            let Some(pending) = self.mutations.list.get(turn) else { continue };
            let written = pending.footprints.iter().filter(|(_, rows)| !rows.written.is_empty());
            for (table, footprint) in written {
                self.tables[table.0 as usize].lift(&footprint.written, at);
                applying.add_touched(*table);
            }
        }
        applying.touched().iter().for_each(|&table| self.touch(table));
        applying.lifting.is_lifted = true;
        applying.lifting.turns.extend(more);
    }

    /// Runs those that were lifted, and do not end with the change, over its rows, and nets what came of both.
    ///
    /// # Errors
    ///
    /// Tables that one of them named and that have no types yet. Nothing has happened then that cannot be undone.
    pub(in crate::cache) fn rebase(&mut self, applying: &mut Applying) -> Result<(), Vec<Want>> {
        if !applying.lifting.is_lifted {
            return Ok(());
        }
        let ends = applying.ends().iter().flat_map(|&id| self.mutations.turns_of(id));
        let ends: BTreeSet<_> = ends.collect();
        let Reran { runs, writes } = self.run_again(applying, &ends)?;
        for &turn in &applying.lifting.turns {
            self.forget_footprints(turn);
        }
        ends.into_iter().for_each(|turn| self.mutations.remove(turn));
        for (turn, Ran { footprints, result }) in runs {
            self.note_footprints(turn, &footprints);
            if let Some(pending) = self.mutations.list.get_mut(&turn) {
                (pending.footprints, pending.error) = (footprints, result.err());
            }
        }
        let written = self.overlay(writes, Stamp::of(self.version + 1));
        written.into_iter().for_each(|table| applying.add_touched(table));
        for &table in applying.touched() {
            self.tables[table.0 as usize].rebase();
        }
        Ok(())
    }

    fn forget_footprints(&mut self, turn: Turn) {
        let Some(pending) = self.mutations.list.get_mut(&turn) else { return };
        for (table, footprint) in core::mem::take(&mut pending.footprints) {
            self.overlay_of_mut(table).touched.remove(turn, &footprint);
        }
    }

    /// Runs those that were lifted and do not end. Where they read or write something else than before and that has to
    /// do with others, those are lifted too, and they run once more.
    fn run_again(
        &mut self,
        applying: &mut Applying,
        ends: &BTreeSet<Turn>,
    ) -> Result<Reran, Vec<Want>> {
        let mut widenings = 0;
        loop {
            let again: Vec<_> = applying.lifting.turns.difference(ends).copied().collect();
            if again.is_empty() {
                return Ok(Reran { runs: Vec::new(), writes: Vec::new() });
            }
            let reran = self.run_over(&again)?;
            let more = self.disturbed(&reran.runs, &applying.lifting.turns);
            if more.is_empty() {
                return Ok(reran);
            }
            widenings += 1;
            let all = || self.mutations.list.keys().copied().collect();
            let more = if widenings < WIDENINGS_MAX { more } else { all() };
            self.lift_more(applying, more);
        }
    }

    fn run_over(&self, turns: &[Turn]) -> Result<Reran, Vec<Want>> {
        let mut tx = LocalTx::new(self.unpublished(), self.mutations.refused.clone());
        let mut runs = Vec::with_capacity(turns.len());
        for turn in turns {
            let Some(pending) = self.mutations.list.get(turn) else { continue };
            runs.push((*turn, tx.run_as(pending.id, |tx| pending.mutation.run(tx))));
        }
        let wanted = tx.take_wanted();
        if wanted.is_empty() { Ok(Reran { runs, writes: tx.into_writes() }) } else { Err(wanted) }
    }

    /// Those that were not lifted and for whom it makes a difference what was read and written now.
    fn disturbed(&self, runs: &[(Turn, Ran)], lifted: &BTreeSet<Turn>) -> BTreeSet<Turn> {
        let mut found = BTreeSet::new();
        let mut connecting = Connecting::new(self);
        for (turn, ran) in runs {
            for (table, footprint) in &ran.footprints {
                connecting.disturbed(*turn, *table, footprint, &mut found);
            }
        }
        found.difference(lifted).copied().collect()
    }

    /// Gives tables their types that a mutation named while it ran over a change, which is to be started over.
    pub(in crate::cache) fn mention(&mut self, wanted: Vec<Want>) -> Vec<SetFailure> {
        self.give_types(wanted)
    }

    /// The tables as they will be when the change under way is published.
    fn unpublished(&self) -> View {
        let current = self.shared.current();
        let mut tables = Tables::clone(&current.tables);
        for (place, table) in self.tables.iter().enumerate() {
            match tables.snapshots.get_mut(place) {
                Some(snapshot) => *snapshot = table.peek(),
                None => tables.snapshots.push(table.peek()),
            }
        }
        tables.catalog = self.catalog.clone();
        View { epoch: Arc::new(Epoch::new(self.version + 1, Arc::new(tables))) }
    }
}
