//! Persisted rows: those that the last run left, and those that the server sends.

use std::time::Instant;

use super::Connection;
use crate::cache::{Change, Part, SetId, Step};
use crate::conn::event::Cause;
use crate::conn::lifecycle::phase::State;
use crate::conn::persistence::table_fingerprint;
use crate::guard::log;
use crate::journal::LoadedSet;
use crate::schema::Table;

/// Rows that the last run left.
impl Connection {
    /// Puts the rows of the last run into the cache, as rows of sets that are stale.
    pub(super) fn load_rows(&mut self, sets: Vec<LoadedSet>) {
        for LoadedSet { number, record, rows: tables } in sets {
            let set = self.subs.reserve_rows();
            let names = tables.iter().map(|(table, _)| table.clone()).collect();
            let parts = tables.into_iter().map(|(table, rows)| Part::Inserts { set, table, rows });
            let is_loaded = self.change_now(Change::of(parts.collect()));
            let Some(journal) = &mut self.journal else { return };
            journal.number_rows(set, number);
            if is_loaded {
                self.cache.mark_stale(set);
                journal.rows_loaded(set, record, names);
            } else {
                let _ = self.cache.drop_now([set]);
                journal.drop_rows(set);
            }
        }
    }

    /// Makes a change without an event. False if it could not be made. Nothing may be under way, and there may be no views.
    fn change_now(&mut self, change: Change) -> bool {
        self.cache.begin(change);
        loop {
            match self.cache.step(usize::MAX) {
                Step::More if self.cache.is_waiting_for_views() => {
                    self.cache.abort();
                    return false;
                }
                Step::More => (),
                Step::Committed(transaction) => return transaction.failed_sets().is_empty(),
                Step::OutOfSync(error) => {
                    log!(warn, %error, "rows of the last run do not fit together");
                    return false;
                }
            }
        }
    }

    /// Drops the rows of earlier runs that were not asked for again in time.
    pub(super) fn drop_unclaimed(&mut self, now: Instant) {
        let Some(journal) = &mut self.journal else { return };
        let expired = journal.take_expired(now);
        if !expired.is_empty() {
            let parts = expired.into_iter().map(|set| Part::DropSet { set }).collect();
            self.apply(Change::of(parts), Cause::Resync, Vec::new());
        }
    }

    /// Sets of the last run that have rows of the table `T` under another fingerprint: these are not to become visible.
    pub(super) fn outdated_rows<T: Table>(&self) -> Vec<SetId> {
        let outdated = self
            .journal
            .as_ref()
            .map(|journal| journal.outdated_rows(T::DEF.name, table_fingerprint::<T>()));
        outdated.unwrap_or_default()
    }

    /// Notes the fingerprint of the table `T`, whose rows of `outdated` sets are gone.
    pub(super) fn note_table<T: Table>(&mut self, outdated: &[SetId]) {
        let Some(journal) = &mut self.journal else { return };
        if journal.note_table(T::DEF.name, table_fingerprint::<T>()) {
            for set in outdated {
                log!(info, table = T::DEF.name, "kept rows are of another type, and dropped");
                self.drop_loaded_table(*set, T::DEF.name);
            }
        }
    }

    /// Notes that a set of the last run has no rows of a table any more. Those of its other tables stay; without any, the
    /// set is asked for as if it were new.
    pub(super) fn drop_loaded_table(&mut self, set: SetId, table: &str) {
        let Some(journal) = &mut self.journal else { return };
        if !journal.drop_table(set, table) {
            self.drop_loaded(set);
        }
    }

    /// Drops the rows of a set of the last run; a subscription that has claimed it gets the server's.
    fn drop_loaded(&mut self, rows: SetId) {
        let transaction = self.drop_now(&[rows]);
        self.tell(transaction, Cause::Resync);
        if let Some(journal) = &mut self.journal {
            journal.forget_loaded(rows);
        }
        if let Some(set) = self.subs.by_rows(rows)
            && self.subs.start_over(set)
            && let State::Online { .. } = self.state
        {
            self.send_set(set);
        }
    }

    /// Returns `true` if a set's rows are those of the last run.
    pub(super) fn is_loaded(&self, set: SetId) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.is_loaded(set))
    }
}

/// Rows that the server sends.
impl Connection {
    /// Parts of a change that are to be persisted, if it is made.
    pub(super) fn parts_to_persist(&self, change: &Change) -> Option<Vec<Part>> {
        self.journal.as_ref()?.parts_to_persist(change)
    }

    /// A change was made: it is persisted, but for sets that failed, whose rows are gone.
    pub(super) fn persist_rows(&mut self, parts: Vec<Part>, failed: &[SetId]) {
        if let Some(journal) = &mut self.journal {
            journal.persist_rows(parts, failed, |rows| {
                let set = self.subs.by_rows(rows).and_then(|set| self.subs.get(set));
                set.map(|set| set.queries().to_vec())
            });
        }
    }
}
