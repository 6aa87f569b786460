//! Mutations that have not ended, in order.

use core::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashMap;

use super::footprint::Footprint;
use super::ids::MutationId;
use super::ids::Turn;
use super::mutation::{Mutation, MutationError};
use super::new_ids::Handed;
use super::temp_id::AnyId;
use crate::cache::TableId;
use crate::cache::error::RegisterError;
use crate::guard::Fenced;

/// The name of panics of mutations, where these are dropped.
pub(super) const MUTATOR: &str = "mutator";

/// The mutations that have not ended, in order.
#[derive(Default)]
pub(in crate::cache) struct Mutations {
    list: BTreeMap<Turn, Pending>,
    /// Those that name temporary ids of others.
    naming: BTreeSet<Turn>,
    /// Owners of temporary ids.
    handed: HashMap<AnyId, Turn>,
    by_id: BTreeSet<(MutationId, Turn)>,
    next: u64,
    /// Tables that mutations named and that have other types.
    refused: Vec<(TypeId, RegisterError)>,
    /// Number of times that the change under way was started anew because a mutation came in between.
    restarts: u32,
    /// Those that have to run again with the next change: a table that they read or wrote started over.
    rerun: BTreeSet<Turn>,
}

pub(super) struct Pending {
    pub(super) id: MutationId,
    /// Number that distinguishes its temporary ids from those of others.
    pub(super) number: u64,
    pub(super) mutation: Fenced<Box<dyn Mutation>>,
    /// A row type panicked over what it wrote: it does not run again.
    pub(super) is_silenced: bool,
    pub(super) error: Option<MutationError>,
    pub(super) footprints: Vec<(TableId, Footprint)>,
    pub(super) handed: Handed,
}

/// Result of a mutation that ran again.
pub(super) struct Ran {
    pub(super) turn: Turn,
    pub(super) footprints: Vec<(TableId, Footprint)>,
    pub(super) handed: Handed,
    pub(super) result: Result<(), MutationError>,
}

impl Mutations {
    /// The place of a mutation that comes last.
    pub(super) fn next_turn(&mut self) -> Turn {
        self.next += 1;
        Turn(self.next - 1)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = MutationId> {
        self.list.values().map(|pending| pending.id)
    }

    /// Tables that mutations named and that have other types.
    pub(super) fn refused(&self) -> &[(TypeId, RegisterError)] {
        &self.refused
    }

    pub(super) fn refuse(&mut self, marker: TypeId, error: RegisterError) {
        self.refused.push((marker, error));
    }

    /// Number of times that the change under way was started anew because a mutation came in between.
    pub(super) fn restarts(&self) -> u32 {
        self.restarts
    }

    pub(super) fn count_restart(&mut self) {
        self.restarts += 1;
    }

    pub(super) fn forget_restarts(&mut self) {
        self.restarts = 0;
    }

    /// Returns `true` if mutations have been given temporary ids.
    pub(super) fn has_temp_ids(&self) -> bool {
        !self.handed.is_empty()
    }

    /// Mutation that was given this temporary id.
    pub(super) fn owner(&self, id: AnyId) -> Option<MutationId> {
        self.list.get(self.handed.get(&id)?).map(|pending| pending.id)
    }

    /// Adds what a mutation read and wrote in a table when it ran for the first time.
    pub(super) fn add_footprint(&mut self, turn: Turn, table: TableId, footprint: Footprint) {
        if let Some(pending) = self.list.get_mut(&turn) {
            pending.footprints.push((table, footprint));
        }
    }

    pub(super) fn add(&mut self, turn: Turn, pending: Pending) {
        self.by_id.insert((pending.id, turn));
        if pending.mutation.get().is_some_and(|mutation| mutation.names_ids()) {
            self.naming.insert(turn);
        }
        self.handed.extend(pending.handed.ids.iter().map(|id| (*id, turn)));
        self.list.insert(turn, pending);
    }

    /// Those that name temporary ids of others.
    pub(super) fn naming(&self) -> impl Iterator<Item = (Turn, &Pending)> {
        self.naming.iter().filter_map(|turn| Some((*turn, self.list.get(turn)?)))
    }

    /// Puts a mutation in the place of one, which comes to the same but for ids that it names.
    pub(super) fn rebind(&mut self, turn: Turn, mutation: Box<dyn Mutation>) {
        if !mutation.names_ids() {
            self.naming.remove(&turn);
        }
        if let Some(pending) = self.list.get_mut(&turn) {
            pending.mutation = Fenced::new(MUTATOR, mutation);
        }
    }

    pub(super) fn turns_of(&self, id: MutationId) -> impl Iterator<Item = Turn> {
        let turns = (id, Turn(0))..=(id, Turn(u64::MAX));
        self.by_id.range(turns).map(|&(_, turn)| turn)
    }

    pub(super) fn get(&self, turn: Turn) -> Option<&Pending> {
        self.list.get(&turn)
    }

    pub(super) fn footprints_of(&self, turn: Turn) -> &[(TableId, Footprint)] {
        self.list.get(&turn).map_or(&[], |pending| &pending.footprints)
    }

    pub(super) fn turns(&self) -> impl Iterator<Item = Turn> {
        self.list.keys().copied()
    }

    pub(super) fn remove(&mut self, turn: Turn) -> Option<Pending> {
        let pending = self.list.remove(&turn)?;
        self.by_id.remove(&(pending.id, turn));
        self.naming.remove(&turn);
        for id in &pending.handed.ids {
            self.handed.remove(id);
        }
        Some(pending)
    }

    /// Notes what became of one that ran again; what it read and wrote before is returned.
    pub(super) fn ran(&mut self, ran: Ran) -> Vec<(TableId, Footprint)> {
        let Some(pending) = self.list.get_mut(&ran.turn) else { return Vec::new() };
        for id in &pending.handed.ids {
            self.handed.remove(id);
        }
        self.handed.extend(ran.handed.ids.iter().map(|id| (*id, ran.turn)));
        pending.handed = ran.handed;
        pending.error = ran.result.err();
        core::mem::replace(&mut pending.footprints, ran.footprints)
    }

    /// Sees to it that a mutation does not run again.
    pub(super) fn silence(&mut self, turn: Turn, message: &str) {
        if let Some(pending) = self.list.get_mut(&turn) {
            pending.error = Some(MutationError::Panicked(message.into()));
            pending.is_silenced = true;
            self.rerun.insert(turn);
        }
    }

    /// A table starts over because its row type panicked: what mutations did there is gone. Those that wrote to it may be
    /// why, and do not run again.
    pub(in crate::cache) fn table_started_over(&mut self, table: TableId, message: &str) {
        let mut wrote = Vec::new();
        for (&turn, pending) in &mut self.list {
            let before = pending.footprints.len();
            wrote.extend(
                pending
                    .footprints
                    .iter()
                    .any(|(of, footprint)| *of == table && !footprint.written().is_empty())
                    .then_some(turn),
            );
            pending.footprints.retain(|(of, _)| *of != table);
            if pending.footprints.len() < before {
                self.rerun.insert(turn);
            }
        }
        wrote.into_iter().for_each(|turn| self.silence(turn, message));
    }

    pub(super) fn to_rerun(&self) -> impl Iterator<Item = Turn> {
        self.rerun.iter().copied()
    }

    pub(super) fn have_rerun(&mut self) {
        self.rerun.clear();
    }

    pub(in crate::cache) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl core::fmt::Debug for Mutations {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.list.values().map(|pending| pending.id)).finish()
    }
}
