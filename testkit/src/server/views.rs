//! The rows that views have, for each identity that is subscribed to them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use lightlike_core::types::Identity;

use crate::database::{Caller, TableDelta, Tx};
use crate::module::Module;

/// A view, by its position in the database, as one identity sees it.
pub(crate) type Viewed = (usize, Identity);

/// The rows of all views that somebody is subscribed to.
#[derive(Debug, Default)]
pub(crate) struct Views {
    rows: BTreeMap<Viewed, Vec<Bytes>>,
}

/// Changes of views by a transaction.
#[derive(Debug, Default)]
pub(crate) struct ViewChanges {
    deltas: BTreeMap<Viewed, TableDelta>,
    rows: BTreeMap<Viewed, Vec<Bytes>>,
}

impl ViewChanges {
    pub(crate) fn get(&self, table: usize, sender: Identity) -> Option<&TableDelta> {
        self.deltas.get(&(table, sender))
    }
}

impl Views {
    pub(crate) fn rows(&self, table: usize, sender: Identity) -> &[Bytes] {
        self.rows.get(&(table, sender)).map_or(&[], Vec::as_slice)
    }

    /// Computes the views of which there are no rows yet.
    ///
    /// # Panics
    ///
    /// If the view's closure does.
    pub(crate) fn add(
        &mut self,
        viewed: impl IntoIterator<Item = Viewed>,
        module: &Module,
        tx: &mut Tx,
    ) {
        for viewed in viewed {
            self.rows.entry(viewed).or_insert_with(|| compute(viewed, module, tx));
        }
    }

    /// Forgets the views that are not `used`.
    pub(crate) fn retain(&mut self, used: &BTreeSet<Viewed>) {
        self.rows.retain(|viewed, _| used.contains(viewed));
    }

    /// Computes all views again, over the tables as the transaction leaves them. Nothing is kept yet.
    ///
    /// # Panics
    ///
    /// If a view's closure does.
    pub(crate) fn recompute(&self, module: &Module, tx: &mut Tx) -> ViewChanges {
        let mut changes = ViewChanges::default();
        for (viewed, before) in &self.rows {
            let after = compute(*viewed, module, tx);
            let delta = TableDelta::between(before, &after);
            if !delta.is_empty() {
                changes.deltas.insert(*viewed, delta);
                changes.rows.insert(*viewed, after);
            }
        }
        changes
    }

    /// Keeps what [`recompute`](Self::recompute) found.
    pub(crate) fn commit(&mut self, changes: &ViewChanges) {
        for (viewed, rows) in &changes.rows {
            self.rows.insert(*viewed, rows.clone());
        }
    }
}

fn compute((table, sender): Viewed, module: &Module, tx: &mut Tx) -> Vec<Bytes> {
    let Some(view) = module.views.get(&table) else { return Vec::new() };
    let caller = Caller { sender, connection_id: None, timestamp: tx.timestamp() };
    tx.as_caller(caller, |tx| view(tx))
}
