//! Refusals of a strict check: rows of tables that differ from the module's are not asked for.

use std::sync::Arc;

use lightlike_core::conn::SubscriptionId;
use lightlike_core::schema::{Difference, TableDef};

use super::{SchemaCheck, SchemaState, Theirs};
use crate::hub::Hub;

impl Theirs {
    /// Differences of these tables, if there are any.
    fn differences(&self, tables: &[TableDef]) -> Option<Arc<[Difference]>> {
        let differences = self.compare(tables, &[]);
        (!differences.is_empty()).then(|| differences.into())
    }
}

impl SchemaState {
    pub(super) fn is_strict(&self) -> bool {
        self.config.get().is_some_and(|(settings, _)| settings.check == SchemaCheck::Strict)
    }

    /// Rows of these tables are about to be asked for: why they are not, if so.
    pub(crate) fn refusal(&self, tables: &[TableDef]) -> Option<Arc<[Difference]>> {
        let theirs = self.tables(tables)?;
        if self.is_strict() { theirs.differences(tables) } else { None }
    }

    /// A set is over: whether that is because its tables differ.
    pub(crate) fn take_differing(&self, set: SubscriptionId) -> Option<Arc<[Difference]>> {
        if self.is_strict() { self.lock().differing.remove(&set) } else { None }
    }
}

impl Hub {
    /// A set with rows of these tables was asked for. If the schema was not here when that was done, it ends when it comes
    /// and they differ.
    pub(crate) fn compare_set(self: &Arc<Self>, set: SubscriptionId, tables: &[TableDef]) {
        if tables.is_empty() || !self.schema.is_strict() {
            return;
        }
        let mut mentioned = self.schema.lock();
        match mentioned.theirs.clone() {
            None => {
                // There may never be a schema.
                mentioned.sets.retain(|(set, _)| self.sets.contains(*set));
                mentioned.sets.push((set, tables.to_vec()));
            }
            Some(theirs) => {
                drop(mentioned);
                self.end_if_differing(&theirs, set, tables);
            }
        }
    }

    /// The schema is here: ends the sets that were asked for before and have tables that differ.
    pub(super) fn end_differing_sets(self: &Arc<Self>, theirs: &Theirs) {
        let sets = std::mem::take(&mut self.schema.lock().sets);
        for (set, tables) in sets.into_iter().filter(|(set, _)| self.sets.contains(*set)) {
            self.end_if_differing(theirs, set, &tables);
        }
    }

    fn end_if_differing(
        self: &Arc<Self>,
        theirs: &Theirs,
        set: SubscriptionId,
        tables: &[TableDef],
    ) {
        if let Some(differences) = theirs.differences(tables) {
            // Told when it is over, which is when its rows are gone.
            self.schema.lock().differing.insert(set, differences);
            self.command(|connection, _| connection.unsubscribe(set));
        }
    }
}
