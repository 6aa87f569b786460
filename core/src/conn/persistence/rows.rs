//! Rows that are persisted: what the server says of them, and what an earlier run left.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::log::Log;
use super::unclaimed::Unclaimed;
use crate::cache::{Part, SetId};
use crate::journal::{KeptPart, Op, SetRecord};
use crate::schema::{Table, fingerprint};
use crate::wire::TableName;

/// Row log of the journal: the query sets whose rows are persisted.
#[derive(Debug)]
pub(super) struct RowLog {
    scope: u32,
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

/// The fingerprint under which the rows of the table `T` are persisted.
pub fn table_fingerprint<T: Table>() -> u64 {
    fingerprint::row(&T::DEF.row)
}

/// Rows that the last run left.
impl RowLog {
    pub(super) fn new(
        scope: u32,
        next_rows: u64,
        next_set: u32,
        tables: BTreeMap<Box<str>, u64>,
    ) -> Self {
        Self {
            scope,
            next_rows,
            next_set,
            numbers: HashMap::new(),
            unclaimed: Unclaimed::default(),
            loaded: BTreeMap::new(),
            tables,
        }
    }

    /// The journal has a set under a number.
    pub(super) fn number(&mut self, set: SetId, number: u32) {
        self.numbers.insert(set, number);
    }

    /// The rows of a set of the last run are in the cache.
    pub(super) fn loaded(&mut self, set: SetId, record: SetRecord, tables: Vec<TableName>) {
        self.loaded.insert(set, tables);
        self.unclaimed.add(record.queries, set, record.unclaimed_since);
    }

    /// Takes the set of an earlier run that these queries asked for.
    pub(super) fn claim(&mut self, log: &mut Log, queries: &[Box<str>]) -> Option<SetId> {
        let (rows, marked) = self.unclaimed.claim(queries)?;
        if let Some(queries) = marked {
            self.write_set(log, rows, SetRecord { queries, unclaimed_since: None });
        }
        Some(rows)
    }

    /// Rows of earlier runs that nobody asked for again may stay a while: the connection is ready.
    pub(super) fn start_unclaimed(
        &mut self,
        log: &mut Log,
        now: Instant,
        clock: Clock,
        grace: Duration,
    ) {
        for (rows, queries, since) in self.unclaimed.start(now, clock, grace) {
            self.write_set(log, rows, SetRecord { queries, unclaimed_since: Some(since) });
        }
    }

    /// Time at which the next set expires that nobody asked for again.
    pub(super) fn unclaimed_until(&self) -> Option<Instant> {
        self.unclaimed.next_due()
    }

    /// Takes the sets that have expired.
    pub(super) fn take_expired(&mut self, now: Instant) -> Vec<SetId> {
        self.unclaimed.take_expired(now)
    }

    pub(super) fn forget_unclaimed(&mut self) {
        self.unclaimed.clear();
    }

    /// Returns `true` if nobody has asked yet for these rows of the last run.
    pub(super) fn is_unclaimed(&self, rows: SetId) -> bool {
        self.unclaimed.contains(rows)
    }

    /// Returns `true` if a set's rows are those of the last run.
    pub(super) fn is_loaded(&self, set: SetId) -> bool {
        self.loaded.contains_key(&set)
    }

    /// Sets of the last run that have rows of a table under another fingerprint than this.
    pub(super) fn outdated(&self, table: &str, fingerprint: u64) -> Vec<SetId> {
        if self.tables.get(table).is_none_or(|before| *before == fingerprint) {
            return Vec::new();
        }
        let of_table = |names: &Vec<TableName>| names.iter().any(|name| *name == table);
        let outdated = self.loaded.iter().filter(|(_, names)| of_table(names));
        outdated.map(|(set, _)| *set).collect()
    }

    /// Notes the fingerprint of a table; false if it is noted already.
    pub(super) fn note_table(&mut self, log: &mut Log, table: &str, fingerprint: u64) -> bool {
        if self.tables.get(table) == Some(&fingerprint) {
            return false;
        }
        self.tables.insert(table.into(), fingerprint);
        log.write(Op::Table { scope: self.scope, name: table.into(), fingerprint });
        true
    }

    /// Notes that a set of the last run has no rows of a table any more. False if it has no rows of any then.
    pub(super) fn drop_table(&mut self, log: &mut Log, set: SetId, table: &str) -> bool {
        let Some(names) = self.loaded.get_mut(&set) else { return true };
        names.retain(|name| &**name != table);
        if names.is_empty() {
            return false;
        }
        if let Some(number) = self.numbers.get(&set) {
            self.write(log, vec![KeptPart::DropTable(*number, table.into())]);
        }
        true
    }

    /// The rows of a set are not those of the last run any more.
    pub(super) fn forget_loaded(&mut self, rows: SetId) {
        self.loaded.remove(&rows);
        self.unclaimed.remove(rows);
    }
}

/// Rows that the server sends.
impl RowLog {
    /// The sets that have rows in the journal.
    pub(super) fn sets(&self) -> impl Iterator<Item = SetId> {
        self.numbers.keys().copied()
    }

    /// The rows of a set are gone.
    pub(super) fn drop_set(&mut self, log: &mut Log, set: SetId) {
        let Some(number) = self.numbers.remove(&set) else { return };
        self.write(log, vec![KeptPart::Drop(number)]);
        log.write(Op::ForgetSet { scope: self.scope, set: number });
    }

    /// Persists a change that was made, but for sets that failed, whose rows are gone. `queries` has those of a set.
    pub(super) fn persist(
        &mut self,
        log: &mut Log,
        parts: Vec<Part>,
        failed: &[SetId],
        queries: impl Fn(SetId) -> Option<Vec<Box<str>>>,
    ) {
        let mut persisted = Vec::new();
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
            let number = match self.numbers.get(&set) {
                Some(number) => *number,
                None => match queries(set) {
                    Some(queries) => self.name_set(log, set, queries),
                    None => continue,
                },
            };
            match part {
                Part::Inserts { table, rows, .. } => {
                    persisted.push(KeptPart::Inserts(number, table, rows));
                }
                Part::Deletes { table, rows, .. } => {
                    persisted.push(KeptPart::Deletes(number, table, rows));
                }
                Part::Events { .. } | Part::DropSet { .. } => (),
            }
        }
        for set in gone {
            self.loaded.remove(&set);
            if let Some(number) = self.numbers.remove(&set) {
                persisted.push(KeptPart::Drop(number));
                log.write(Op::ForgetSet { scope: self.scope, set: number });
            }
        }
        if !persisted.is_empty() {
            self.write(log, persisted);
        }
    }

    fn name_set(&mut self, log: &mut Log, set: SetId, queries: Vec<Box<str>>) -> u32 {
        let number = self.next_set;
        self.next_set += 1;
        self.numbers.insert(set, number);
        self.write_set(log, set, SetRecord { queries, unclaimed_since: None });
        number
    }

    fn write_set(&self, log: &mut Log, set: SetId, record: SetRecord) {
        if let Some(&set) = self.numbers.get(&set) {
            log.write(Op::Set { scope: self.scope, set, record });
        }
    }

    fn write(&mut self, log: &mut Log, parts: Vec<KeptPart>) {
        let number = self.next_rows;
        self.next_rows += 1;
        log.write(Op::Rows { scope: self.scope, number, parts });
    }
}
