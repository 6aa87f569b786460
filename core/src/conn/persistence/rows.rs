//! Rows that are kept: what the server says of them, and what an earlier run left.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use super::unclaimed::Unclaimed;
use crate::cache::{Change, Part, SetId, Step};
use crate::conn::{Cause, Connection, State};
use crate::guard::log;
use crate::journal::{KeptPart, LoadedSet, Op, SetRecord};
use crate::schema::{Table, fingerprint};
use crate::wire::TableName;

/// The sets whose rows are kept.
#[derive(Debug)]
pub(super) struct Kept {
    next_rows: u64,
    next_set: u32,
    /// The numbers in the journal of the sets that have rows there.
    numbers: HashMap<SetId, u32>,
    unclaimed: Unclaimed,
    /// The tables of those sets whose rows are still those of the last run.
    loaded: BTreeMap<SetId, Vec<TableName>>,
    /// Fingerprints of the tables' rows, as the journal says.
    tables: BTreeMap<Box<str>, u64>,
}

impl Kept {
    pub(super) fn new(next_rows: u64, next_set: u32, tables: BTreeMap<Box<str>, u64>) -> Self {
        Self {
            next_rows,
            next_set,
            numbers: HashMap::new(),
            unclaimed: Unclaimed::default(),
            loaded: BTreeMap::new(),
            tables,
        }
    }
}

/// The fingerprint under which the rows of the table `T` are kept.
pub fn table_fingerprint<T: Table>() -> u64 {
    fingerprint::row(&T::DEF.row)
}

/// Rows that the last run left.
impl Connection {
    /// Puts the rows of the last run into the cache, as rows of sets that are stale.
    pub(super) fn load_rows(&mut self, sets: Vec<LoadedSet>) {
        for LoadedSet { number, record, rows: tables } in sets {
            let set = self.subs.reserve_rows();
            let names = tables.iter().map(|(table, _)| table.clone()).collect();
            let parts = tables.into_iter().map(|(table, rows)| Part::Inserts { set, table, rows });
            let loaded = self.change_now(Change::of(parts.collect()));
            let Some(offline) = &mut self.offline else { return };
            offline.rows.numbers.insert(set, number);
            if loaded {
                self.cache.mark_stale(set);
                offline.rows.loaded.insert(set, names);
                offline.rows.unclaimed.add(record.queries, set, record.unclaimed_since);
            } else {
                let _ = self.cache.drop_now([set]);
                self.forget_rows(set);
            }
        }
    }

    /// Makes a change that nobody is told of; whether that could be. Nothing may be under way, and nobody may have a view.
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

    /// The set of the last run that these queries asked for: its rows are the new set's, until the server says more.
    pub(in crate::conn) fn claim_rows(&mut self, queries: &[Box<str>]) -> Option<SetId> {
        let offline = self.offline.as_mut()?;
        let (rows, marked) = offline.rows.unclaimed.claim(queries)?;
        if let Some(queries) = marked {
            offline.write_set(rows, SetRecord { queries, unclaimed_since: None });
        }
        Some(rows)
    }

    /// Rows of the last run that nobody asked for again may stay a while.
    pub(in crate::conn) fn start_unclaimed(&mut self, now: Instant) {
        let Some(offline) = &mut self.offline else { return };
        let grace = offline.config.unclaimed_after;
        for (rows, queries, since) in offline.rows.unclaimed.start(now, offline.clock, grace) {
            offline.write_set(rows, SetRecord { queries, unclaimed_since: Some(since) });
        }
    }

    pub(in crate::conn) fn unclaimed_until(&self) -> Option<Instant> {
        self.offline.as_ref()?.rows.unclaimed.next_due()
    }

    /// Drops the rows of the last run that nobody asked for again.
    pub(in crate::conn) fn drop_unclaimed(&mut self, now: Instant) {
        let Some(offline) = &mut self.offline else { return };
        let expired = offline.rows.unclaimed.take_expired(now);
        if !expired.is_empty() {
            let parts = expired.into_iter().map(|set| Part::DropSet { set }).collect();
            self.apply(Change::of(parts), Cause::Resync, Vec::new());
        }
    }

    /// Sets of the last run that have rows of the table `T` under another fingerprint: these are not to become visible.
    pub(in crate::conn) fn outdated_rows<T: Table>(&self) -> Vec<SetId> {
        let Some(offline) = &self.offline else { return Vec::new() };
        let before = offline.rows.tables.get(T::DEF.name).copied();
        if before.is_none_or(|before| before == table_fingerprint::<T>()) {
            return Vec::new();
        }
        let of_table = |names: &Vec<TableName>| names.iter().any(|name| *name == T::DEF.name);
        let outdated = offline.rows.loaded.iter().filter(|(_, names)| of_table(names));
        outdated.map(|(set, _)| *set).collect()
    }

    /// Notes the fingerprint of the table `T`, whose rows of `outdated` sets are gone.
    pub(in crate::conn) fn keep_type<T: Table>(&mut self, outdated: &[SetId]) {
        let Some(offline) = &mut self.offline else { return };
        let now = table_fingerprint::<T>();
        if offline.rows.tables.get(T::DEF.name) == Some(&now) {
            return;
        }
        offline.rows.tables.insert(T::DEF.name.into(), now);
        let (scope, name) = (offline.scope, T::DEF.name.into());
        offline.write(Op::Table { scope, name, fingerprint: now });
        for set in outdated {
            log!(info, table = T::DEF.name, "kept rows are of another type, and dropped");
            self.drop_loaded_table(*set, T::DEF.name);
        }
    }

    /// Notes that a set of the last run has no rows of a table any more. Those of its other tables stay; without any, the
    /// set is asked for as if it were new.
    pub(in crate::conn) fn drop_loaded_table(&mut self, set: SetId, table: &str) {
        let Some(offline) = &mut self.offline else { return };
        let Some(names) = offline.rows.loaded.get_mut(&set) else { return };
        names.retain(|name| &**name != table);
        if names.is_empty() {
            self.drop_loaded(set);
        } else if let Some(number) = offline.rows.numbers.get(&set) {
            offline.write_rows(vec![KeptPart::DropTable(*number, table.into())]);
        }
    }

    /// Returns `true` if a set's rows are those of the last run.
    pub(in crate::conn) fn is_loaded(&self, set: SetId) -> bool {
        self.offline.as_ref().is_some_and(|offline| offline.rows.loaded.contains_key(&set))
    }

    /// Whether nobody has asked yet for these rows of the last run.
    pub(in crate::conn) fn is_unclaimed(&self, rows: SetId) -> bool {
        self.offline.as_ref().is_some_and(|offline| offline.rows.unclaimed.contains(rows))
    }

    /// The rows of the last run that nobody asked for yet are gone.
    pub(in crate::conn) fn forget_unclaimed(&mut self) {
        if let Some(offline) = &mut self.offline {
            offline.rows.unclaimed.clear();
        }
    }

    /// The sets whose rows are in the journal, as far as it is kept up.
    pub(in crate::conn) fn journaled(&self) -> impl Iterator<Item = SetId> {
        let offline = self.offline.as_ref();
        let offline = offline.filter(|offline| offline.config.keeps_rows && offline.is_good());
        offline.into_iter().flat_map(|offline| offline.rows.numbers.keys().copied())
    }

    /// Drops the rows of a set of the last run; whoever has asked for it gets the server's.
    pub(in crate::conn) fn drop_loaded(&mut self, rows: SetId) {
        let transaction = self.drop_now(&[rows]);
        self.tell(transaction, Cause::Resync);
        if let Some(offline) = &mut self.offline {
            offline.rows.loaded.remove(&rows);
            offline.rows.unclaimed.remove(rows);
        }
        if let Some(set) = self.subs.by_rows(rows)
            && self.subs.start_over(set)
            && let State::Online { .. } = self.state
        {
            self.send_set(set);
        }
    }

    /// The rows of a set are gone.
    pub(in crate::conn) fn forget_rows(&mut self, set: SetId) {
        let Some(offline) = &mut self.offline else { return };
        let Some(number) = offline.rows.numbers.remove(&set) else { return };
        let parts = vec![KeptPart::Drop(number)];
        offline.write_rows(parts);
        let scope = offline.scope;
        offline.write(Op::ForgetSet { scope, set: number });
    }
}

/// Rows that the server sends.
impl Connection {
    /// Parts of a change that are to be kept, if it is made.
    pub(in crate::conn) fn parts_to_keep(&self, change: &Change) -> Option<Vec<Part>> {
        let offline = self.offline.as_ref()?;
        if !offline.config.keeps_rows || !offline.is_good() {
            return None;
        }
        let stored = |part: &&Part| !matches!(part, Part::Events { .. });
        Some(change.parts.iter().filter(stored).cloned().collect())
    }

    /// A change was made: it is kept, but for sets that failed, whose rows are gone.
    pub(in crate::conn) fn keep_rows(&mut self, parts: Vec<Part>, failed: &[SetId]) {
        let Some(offline) = &mut self.offline else { return };
        let mut kept = Vec::new();
        let mut gone: Vec<SetId> = failed.to_vec();
        for part in parts {
            let set = part.set();
            if failed.contains(&set) {
                continue;
            }
            if let Part::DropSet { .. } = part {
                gone.push(set);
                continue;
            }
            let number = match offline.rows.numbers.get(&set) {
                Some(number) => *number,
                None => {
                    let query_set = self.subs.by_rows(set).and_then(|set| self.subs.get(set));
                    let Some(query_set) = query_set else { continue };
                    offline.name_set(set, query_set.queries().to_vec())
                }
            };
            match part {
                Part::Inserts { table, rows, .. } => {
                    kept.push(KeptPart::Inserts(number, table, rows));
                }
                Part::Deletes { table, rows, .. } => {
                    kept.push(KeptPart::Deletes(number, table, rows));
                }
                Part::Events { .. } | Part::DropSet { .. } => (),
            }
        }
        let scope = offline.scope;
        for set in gone {
            offline.rows.loaded.remove(&set);
            if let Some(number) = offline.rows.numbers.remove(&set) {
                kept.push(KeptPart::Drop(number));
                offline.write(Op::ForgetSet { scope, set: number });
            }
        }
        if !kept.is_empty() {
            offline.write_rows(kept);
        }
    }
}

impl super::Offline {
    fn name_set(&mut self, set: SetId, queries: Vec<Box<str>>) -> u32 {
        let number = self.rows.next_set;
        self.rows.next_set += 1;
        self.rows.numbers.insert(set, number);
        self.write_set(set, SetRecord { queries, unclaimed_since: None });
        number
    }

    fn write_set(&mut self, set: SetId, record: SetRecord) {
        if let Some(&set) = self.rows.numbers.get(&set) {
            self.write(Op::Set { scope: self.scope, set, record });
        }
    }

    fn write_rows(&mut self, parts: Vec<KeptPart>) {
        let number = self.rows.next_rows;
        self.rows.next_rows += 1;
        self.write(Op::Rows { scope: self.scope, number, parts });
    }
}
