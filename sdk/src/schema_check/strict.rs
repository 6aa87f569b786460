//! Refusals of a strict check: rows of tables that differ from the module's are not asked for.

use std::sync::Arc;

use lightlike_core::conn::SubscriptionId;
use lightlike_core::schema::{Difference, TableDef};

use super::{SchemaCheck, SchemaState, Theirs};

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

    /// Compares a set with rows of these tables that was asked for: now, or when the schema is here. Returns `true` if it is
    /// to end, because they differ.
    #[must_use = "the set is to be unsubscribed"]
    pub(crate) fn compare_set(
        &self,
        set: SubscriptionId,
        tables: &[TableDef],
        is_open: impl Fn(SubscriptionId) -> bool,
    ) -> bool {
        if tables.is_empty() || !self.is_strict() {
            return false;
        }
        let mut mentioned = self.lock();
        let Some(theirs) = mentioned.theirs.clone() else {
            // There may never be a schema.
            mentioned.sets.retain(|(set, _)| is_open(*set));
            mentioned.sets.push((set, tables.to_vec()));
            return false;
        };
        drop(mentioned);
        self.note_differences(&theirs, set, tables)
    }

    /// Takes the sets that were asked for before the schema was here and are to end, because their tables differ.
    pub(super) fn take_differing_sets(
        &self,
        theirs: &Theirs,
        is_open: impl Fn(SubscriptionId) -> bool,
    ) -> Vec<SubscriptionId> {
        let sets = std::mem::take(&mut self.lock().sets);
        let open = sets.into_iter().filter(|(set, _)| is_open(*set));
        let differ = open.filter(|(set, tables)| self.note_differences(theirs, *set, tables));
        differ.map(|(set, _)| set).collect()
    }

    /// Notes the differences of a set's tables, for the report when its rows are gone. Returns `true` if there are any.
    fn note_differences(&self, theirs: &Theirs, set: SubscriptionId, tables: &[TableDef]) -> bool {
        let differences = theirs.differences(tables);
        let differs = differences.is_some();
        self.lock().differing.extend(differences.map(|differences| (set, differences)));
        differs
    }
}
