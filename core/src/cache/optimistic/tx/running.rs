//! Running mutations in a transaction.

use core::any::TypeId;
use core::cell::RefCell;
use std::collections::BTreeSet;

use foldhash::HashMap;

use super::writes::AnyWrites;
use super::{Layers, LocalTx, RUNNING, Rewritten, Touch};
use crate::cache::optimistic::footprint::Footprint;
use crate::cache::optimistic::ids::MutationId;
use crate::cache::optimistic::ids::{KeyId, Turn};
use crate::cache::optimistic::layer::any::AnyLayer;
use crate::cache::optimistic::mutation::{Mutation, MutationError};
use crate::cache::optimistic::mutations::{Pending, Ran};
use crate::cache::optimistic::new_ids::Handed;
use crate::cache::registration::Registration;
use crate::cache::storage::stamp::Stamp;
use crate::cache::{RegisterError, TableId, View};
use crate::guard;

impl LocalTx {
    pub(in crate::cache::optimistic) fn new(
        view: View,
        refused: Vec<(TypeId, RegisterError)>,
    ) -> Self {
        Self {
            view,
            mutation: MutationId(0),
            number: 0,
            handed: Handed::default(),
            layers: None,
            writes: HashMap::default(),
            order: Vec::new(),
            reads: RefCell::default(),
            error: RefCell::new(None),
            wanted: RefCell::default(),
            refused,
            panicked: None,
        }
    }

    pub(in crate::cache::optimistic) fn has_panicked(&self) -> bool {
        self.panicked.is_some()
    }

    pub(in crate::cache::optimistic) fn take_panicked(&mut self) -> Option<Rewritten> {
        self.panicked.take()
    }

    /// Lets mutations run in it that ran before, over the layers of tables.
    pub(in crate::cache::optimistic) fn with_layers(
        mut self,
        by_table: HashMap<TableId, Box<dyn AnyLayer>>,
    ) -> Self {
        self.layers = Some(Layers { by_table, turn: Turn(0) });
        self
    }

    pub(in crate::cache::optimistic) fn into_layers(self) -> HashMap<TableId, Box<dyn AnyLayer>> {
        self.layers.map(|layers| layers.by_table).unwrap_or_default()
    }

    /// Runs a mutation. What it did is to be taken before another one runs.
    pub(in crate::cache::optimistic) fn run(
        &mut self,
        (id, number): (MutationId, u64),
        mutation: &dyn Mutation,
    ) -> Result<(), MutationError> {
        (self.mutation, self.number) = (id, number);
        self.handed = Handed::default();
        // What is seen of it afterwards is undone.
        let run = std::panic::AssertUnwindSafe(|| mutation.run(self));
        let outer = RUNNING.replace(true);
        let outcome = std::panic::catch_unwind(run);
        RUNNING.set(outer);
        if let Err(panic) = outcome {
            self.fail_with(MutationError::Panicked(guard::take_text(panic)));
        }
        let result = self.error.get_mut().take().map_or(Ok(()), Err);
        if result.is_err() {
            self.writes.clear();
            self.order.clear();
        }
        result
    }

    /// Takes the mutation's reads and writes, in the order of the tables' first writes; then the tables that it only read.
    pub(in crate::cache::optimistic) fn take_touches(&mut self) -> Vec<Touch> {
        let mut reads = core::mem::take(self.reads.get_mut());
        let written = core::mem::take(&mut self.order).into_iter().map(|table| Touch {
            table,
            reads: reads.remove(&table).unwrap_or_default(),
            writes: self.writes.remove(&table),
        });
        let mut touches: Vec<_> = written.collect();
        let rest = reads.into_iter().map(|(table, reads)| Touch { table, reads, writes: None });
        touches.extend(rest);
        touches
    }

    /// The temporary ids that the mutation was given.
    pub(in crate::cache::optimistic) fn take_handed(&mut self) -> Handed {
        core::mem::take(&mut self.handed)
    }

    /// As [`run`](Self::run), of a mutation that ran before: what it writes takes the place of what it wrote then, and
    /// those after it for whom that makes a difference are found.
    pub(in crate::cache::optimistic) fn run_again(
        &mut self,
        turn: Turn,
        pending: &Pending,
        mutation: Option<&dyn Mutation>,
        found: &mut BTreeSet<Turn>,
    ) -> Ran {
        if let Some(layers) = &mut self.layers {
            layers.turn = turn;
        }
        let result = match (&pending.error, mutation) {
            // What it wrote before is taken back.
            (Some(error), _) if pending.is_silenced => Err(error.clone()),
            (_, Some(mutation)) => self.run((pending.id, pending.number), mutation),
            (_, None) => Ok(()),
        };
        let mut footprints = Vec::new();
        let touches = self.take_touches();
        let only_before = pending.footprints.iter().filter(|(table, footprint)| {
            !footprint.written().is_empty() && touches.iter().all(|touch| touch.table != *table)
        });
        for (table, footprint) in only_before {
            self.rewrite(*table, turn, footprint.written(), None, found);
        }
        for Touch { table, reads, writes } in touches {
            let before = pending.footprints.iter().find(|before| before.0 == table);
            let before = before.map_or(&[][..], |(_, footprint)| footprint.written());
            let written = self.rewrite(table, turn, before, writes, found);
            footprints.push((table, Footprint::new(reads, written)));
        }
        Ran { turn, footprints, handed: self.take_handed(), result }
    }

    /// Puts what a mutation wrote to a table in the place of what it wrote there before.
    fn rewrite(
        &mut self,
        table: TableId,
        turn: Turn,
        before: &[KeyId],
        writes: Option<Box<dyn AnyWrites>>,
        found: &mut BTreeSet<Turn>,
    ) -> Vec<KeyId> {
        let epoch = &self.view.epoch;
        let (Some(layers), Some(snapshot)) = (&mut self.layers, epoch.tables.untyped_at(table.0))
        else {
            return Vec::new();
        };
        let at = Stamp::of(epoch.version);
        // The layers must get back to their tables: that of the one which panics is not used again.
        let rewritten = guard::catch(|| match (layers.by_table.get_mut(&table), writes) {
            (Some(layer), Some(writes)) => {
                writes.replace(&mut **layer, turn, before, (snapshot, at), found)
            }
            (None, Some(writes)) => {
                let layer =
                    layers.by_table.entry(table).or_insert_with(|| writes.new_layer(snapshot));
                writes.replace(&mut **layer, turn, before, (snapshot, at), found)
            }
            (Some(layer), None) => {
                layer.withdraw_from(before, turn, snapshot, at, found);
                Vec::new()
            }
            (None, None) => Vec::new(),
        });
        rewritten.unwrap_or_else(|message| {
            self.panicked.get_or_insert(Rewritten { table, turn, message });
            Vec::new()
        })
    }

    /// The tables that have to be given their types for the mutations to run. If there are any, what was run is void.
    pub(in crate::cache::optimistic) fn take_wanted(&mut self) -> Vec<Registration> {
        core::mem::take(self.wanted.get_mut())
    }

    pub(super) fn fail_with(&self, error: MutationError) {
        self.error.borrow_mut().get_or_insert(error);
    }
}
