//! Running mutations again that read what a change has changed, in order, each at most once a change.
//!
//! A change is made to the server's rows, with those of them in slots that it is about. What it made of them in the end
//! says who is *dirty*: the mutations that read a row as it was, and are not cut off from it by another's version of it. So
//! do the versions that end with the change. The first of the dirty ones runs again, over the server's rows and the
//! versions before it; where what it writes is not what it wrote, those who read that are dirty too. They come after it,
//! so that none runs twice. A row that comes out as it was causes no run: a call that is confirmed as expected runs
//! nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::HashMap;

use super::ids::{KeyId, Turn};
use super::mutation::Mutation;
use super::mutations::Ran;
use super::temp_id::NewIds;
use super::tx::{LocalTx, Rewritten};
use crate::cache::read::epoch::{Epoch, View};
use crate::cache::registration::Registration;
use crate::cache::storage::stamp::Stamp;
use crate::cache::transaction::apply::Applying;
use crate::cache::{Cache, SetFailure, TableId};

/// Least cost of running a mutation, in rows applied.
const RUN_COST: usize = 4;

/// Progress of running mutations again over the change under way.
#[derive(Default)]
pub(in crate::cache) struct Rebasing {
    /// The keys whose server's rows have to be in slots.
    lifts: Vec<(TableId, KeyId)>,
    /// The tables of which mutations read or wrote rows that the change is about.
    met: BTreeSet<TableId>,
    is_lifted: bool,
    /// `true` if mutations have to do with the change, decided when its rows are committed.
    pub(in crate::cache) is_concerned: bool,
    /// The mutations that end with the change.
    ended: BTreeSet<Turn>,
    /// Those that have to run again.
    dirty: BTreeSet<Turn>,
    runs: Vec<Ran>,
    /// The server's ids in whose places those that end had temporary ones, and mutations that name them by now.
    new_ids: NewIds,
    rebound: BTreeMap<Turn, Box<dyn Mutation>>,
}

impl Rebasing {
    /// Returns `true` if rows that readers see are taken away for the time of the change.
    pub(in crate::cache) fn is_lifted(&self) -> bool {
        self.is_lifted
    }
}

impl core::fmt::Debug for Rebasing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Rebasing").field("dirty", &self.dirty).finish_non_exhaustive()
    }
}

/// Around a change of the server's.
impl Cache {
    /// Returns `true` if changes have to be checked against the footprints of mutations.
    pub(in crate::cache) fn has_mutations(&self) -> bool {
        !self.mutations.is_empty()
    }

    /// Returns `true` if the change may make another row of one that a mutation read or wrote, or ends one, or comes when
    /// some have to run again anyway. Most changes of others do not, and cost what they cost without mutations.
    pub(in crate::cache) fn concerns_mutations(&self, applying: &Applying) -> bool {
        let Rebasing { met, is_lifted, .. } = &applying.rebasing;
        let is_concerned = !met.is_empty() || *is_lifted || !applying.ends().is_empty();
        let reruns = self.mutations.to_rerun().next().is_some() || self.config.reruns_all_mutations;
        self.has_mutations() && (is_concerned || reruns)
    }

    /// Looks for rows that mutations have read or written; whether it is through.
    pub(in crate::cache) fn look(&self, applying: &mut Applying, budget: &mut usize) -> bool {
        while let Some((table, rows, from)) = applying.next_rows(&self.sets) {
            self.name(table);
            let store = &self.tables[table];
            let left = if store.is_watched() { rows.len().saturating_sub(from) } else { 0 };
            if left > 0 && *budget == 0 {
                return false;
            }
            let count = left.min(*budget);
            let mut keys = Vec::new();
            if store.look(rows, from, count, &mut |key| keys.push(key)) {
                applying.rebasing.met.insert(table);
            }
            applying.rebasing.lifts.extend(keys.into_iter().map(|key| (table, key)));
            // Looking at a row costs much less than applying it.
            *budget -= count.div_ceil(4);
            applying.looked_at(count, count == left);
        }
        true
    }

    /// Puts the server's rows back into slots that the change is about and that mutations' rows stand in for, with a
    /// version that no reader has.
    pub(in crate::cache) fn lift(&mut self, applying: &mut Applying) {
        let at = Stamp::of(self.versions.next());
        let mut by_table: HashMap<TableId, Vec<KeyId>> = HashMap::default();
        for (table, key) in core::mem::take(&mut applying.rebasing.lifts) {
            by_table.entry(table).or_default().push(key);
        }
        let mut is_lifted = false;
        for (table, keys) in by_table {
            self.name(table);
            is_lifted |= self.tables[table].lift(&keys, at);
        }
        if !applying.drops().is_empty() {
            let mut watched = BTreeSet::new();
            for &table in applying.touched() {
                let store = &mut self.tables[table];
                self.resets.name(table);
                is_lifted |= store.lift_sets(applying.drops(), at);
                watched.extend(store.is_watched().then_some(table));
            }
            applying.rebasing.met.append(&mut watched);
        }
        applying.rebasing.is_lifted |= is_lifted;
    }

    /// Finds the mutations that read a row as it was before the change; whether it is through.
    pub(in crate::cache) fn observe(
        &mut self,
        applying: &mut Applying,
        budget: &mut usize,
    ) -> bool {
        while let Some((table, from)) = applying.next_table() {
            let max = if applying.rebasing.met.contains(&table) { *budget } else { 0 };
            if max == 0 && *budget == 0 {
                return false;
            }
            self.name(table);
            let store = &mut self.tables[table];
            let count = store.observe(from, max, &mut applying.rebasing.dirty);
            *budget -= count.div_ceil(4);
            applying.looked_at(count, count == 0);
        }
        true
    }

    /// Takes away what the mutations wrote that end with the change.
    pub(in crate::cache) fn withdraw_ended(&mut self, applying: &mut Applying) {
        let at = Stamp::of(self.versions.next());
        let ends = applying.ends().iter().flat_map(|&id| self.mutations.turns_of(id));
        let ended: BTreeSet<Turn> = ends.collect();
        // Sets that are dropped come with rows that no call has inserted.
        if applying.drops().is_empty() {
            self.find_new_ids(applying, &ended);
        }
        for &turn in &ended {
            let Some(pending) = self.mutations.get(turn) else { continue };
            for (table, footprint) in &pending.footprints {
                let store = &mut self.tables[*table];
                self.resets.name(*table);
                store.withdraw(footprint.written(), turn, at, &mut applying.rebasing.dirty);
                applying.add_touched(*table);
            }
        }
        applying.rebasing.ended = ended;
        applying.rebasing.dirty.extend(self.mutations.to_rerun());
        if self.config.reruns_all_mutations {
            applying.rebasing.dirty = self.mutations.turns().collect();
        }
    }

    /// Finds the ids that the server gave to the rows of mutations that end, and gives them to those that name them.
    fn find_new_ids(&self, applying: &mut Applying, ended: &BTreeSet<Turn>) {
        let Rebasing { new_ids, rebound, dirty, .. } = &mut applying.rebasing;
        for &turn in ended {
            let Some(pending) = self.mutations.get(turn) else { continue };
            if pending.handed.ids.is_empty() {
                continue;
            }
            let before = new_ids.iter().count();
            for (table, footprint) in &pending.footprints {
                self.resets.name(*table);
                let store = &self.tables[*table];
                store.find_new_ids(footprint.written(), turn, &pending.handed, new_ids);
            }
            if new_ids.iter().count() > before {
                new_ids.add_owner(pending.id);
            }
        }
        if new_ids.is_empty() {
            return;
        }
        for (turn, pending) in self.mutations.naming() {
            let bound = pending.mutation.get().and_then(|mutation| mutation.with_ids(new_ids));
            if let Some(mutation) = bound {
                rebound.insert(turn, mutation);
                dirty.insert(turn);
            }
        }
    }

    /// Runs dirty mutations again, in order; whether it is through.
    ///
    /// # Errors
    ///
    /// Tables that one of them named and that have no types yet. Nothing has happened then that cannot be undone.
    pub(in crate::cache) fn run_again(
        &mut self,
        applying: &mut Applying,
        budget: &mut usize,
    ) -> Result<bool, Vec<Registration>> {
        let Rebasing { ended, dirty, .. } = &mut applying.rebasing;
        dirty.retain(|turn| !ended.contains(turn));
        if dirty.is_empty() {
            return Ok(true);
        }
        let layers = self.tables.iter_mut();
        let layers = layers.filter_map(|(table, store)| Some((table, store.lend_layer()?)));
        let layers = layers.collect();
        let mut tx = LocalTx::new(self.unpublished(), self.mutations.refused().to_vec());
        tx = tx.with_layers(layers);
        let wanted = self.run_over(&mut tx, &mut applying.rebasing, budget);
        let panicked = tx.take_panicked();
        for (table, layer) in tx.into_layers() {
            if self.tables[table].take_layer(layer) {
                applying.add_touched(table);
            }
        }
        if let Some(Rewritten { table, turn, message }) = panicked {
            // The layers are back: from here on it is as if the table itself had panicked.
            self.mutations.silence(turn, &message);
            self.name(table);
            std::panic::resume_unwind(Box::new(String::from(message)));
        }
        if wanted.is_empty() { Ok(applying.rebasing.dirty.is_empty()) } else { Err(wanted) }
    }

    fn run_over(
        &self,
        tx: &mut LocalTx,
        rebasing: &mut Rebasing,
        budget: &mut usize,
    ) -> Vec<Registration> {
        let Rebasing { ended, dirty, runs, rebound, .. } = rebasing;
        while *budget > 0
            && let Some(turn) = dirty.pop_first()
        {
            let Some(pending) = self.mutations.get(turn).filter(|_| !ended.contains(&turn)) else {
                continue;
            };
            let bound = rebound.get(&turn).map(|mutation| &**mutation);
            let mutation = bound.or_else(|| pending.mutation.get().map(|mutation| &**mutation));
            runs.push(tx.run_again(turn, pending, mutation, dirty));
            if tx.has_panicked() {
                return Vec::new();
            }
            *budget = budget.saturating_sub(RUN_COST);
            let wanted = tx.take_wanted();
            if !wanted.is_empty() {
                return wanted;
            }
        }
        Vec::new()
    }

    /// Ends the mutations that end with the change, notes what those did that ran again, and shows it. Whether any row
    /// has moved, and the server's ids that are known by now.
    pub(in crate::cache) fn show_rebased(&mut self, applying: &mut Applying) -> (bool, NewIds) {
        let Rebasing { ended, runs, is_lifted, new_ids, rebound, .. } =
            core::mem::take(&mut applying.rebasing);
        for turn in ended {
            let before = self.mutations.remove(turn).map(|pending| pending.footprints);
            for (table, footprint) in before.into_iter().flatten() {
                self.tables[table].any_layer().unwatch(turn, &footprint);
            }
        }
        for (turn, mutation) in rebound {
            self.mutations.rebind(turn, mutation);
        }
        for ran in runs {
            let turn = ran.turn;
            for (table, footprint) in self.mutations.ran(ran) {
                self.tables[table].any_layer().unwatch(turn, &footprint);
            }
            for (table, footprint) in self.mutations.footprints_of(turn) {
                self.tables[*table].any_layer().watch(turn, footprint);
            }
        }
        let at = Stamp::of(self.versions.next());
        let mut moved = is_lifted;
        self.mutations.have_rerun();
        for &table in applying.touched() {
            self.tables.touch(table);
            moved |= self.show_layer(table, at);
        }
        (moved, new_ids)
    }

    /// Shows what mutations wrote to a table. What is shown of other tables cannot be undone: where the row type panics its
    /// table starts over, and the transaction goes on.
    pub(super) fn show_layer(&mut self, table: TableId, at: Stamp) -> bool {
        let shown = self.fenced(|cache| {
            cache.name(table);
            cache.tables[table].show_layer(at)
        });
        shown.unwrap_or(false)
    }

    /// Gives tables their types that a mutation named while it ran over a change, which is to be started over.
    pub(in crate::cache) fn mention(&mut self, wanted: Vec<Registration>) -> Vec<SetFailure> {
        self.give_types(wanted)
    }

    /// The tables as they will be when the change under way is published.
    fn unpublished(&self) -> View {
        let tables = self.tables.peek(&self.versions.view().epoch.tables);
        View { epoch: Arc::new(Epoch::new(self.versions.next(), Arc::new(tables))) }
    }
}
