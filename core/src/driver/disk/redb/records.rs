//! Records as they lie in the database: each with a checksum over its table, its key and its value, so that damage to the
//! tree which shows a record in another place shows none.

use std::ops::Bound;

use ::redb::{
    Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _, TableDefinition,
    TableError, TableHandle as _, WriteTransaction,
};
use bytes::Bytes;

use super::super::{BoxError, checksum};
use super::guarded::Guarded;
use crate::journal::{Loss, Write};

type Table = ::redb::ReadOnlyTable<&'static [u8], &'static [u8]>;
type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

const RECORDS: Definition = TableDefinition::new("records");
/// What is known of the database itself.
const STATE: Definition = TableDefinition::new("state");
/// Keys of that: the number of the last commit, and what an earlier file has lost.
const COMMIT: &[u8] = b"commit";
const REPORT: &[u8] = b"report";
/// The number of the commit that a new database has.
pub(super) const FIRST_COMMIT: u64 = 1;

const SUM_BYTES: usize = 4;

pub(super) type Record = (Box<[u8]>, Bytes);

/// What is known of damage to an earlier file, as long as nothing was committed since.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) loss: Loss,
    /// Name of the file that has what was damaged.
    pub(super) aside: Vec<u8>,
}

/// What a database has.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) records: Vec<Record>,
    /// The number of its last commit; none if that cannot be read.
    pub(super) commit: Option<u64>,
    pub(super) report: Report,
    /// Records are damaged, or cannot be read.
    pub(super) is_damaged: bool,
}

impl Found {
    /// Reads everything that can be read.
    pub(super) fn read(database: &mut Guarded) -> Self {
        let mut found = Self::default();
        let state = database.run(|database| read_state(database));
        match state {
            Ok((commit, report)) => (found.commit, found.report) = (Some(commit), report),
            Err(_) => found.is_damaged = true,
        }
        let records = &mut found.records;
        let read = database.run(|database| {
            each(database, RECORDS, false, &mut |key, value| records.push((key.into(), value)))
        });
        if !matches!(read, Ok(true)) {
            found.is_damaged = true;
            found.read_from_end(database);
        }
        found
    }

    /// Reads what is behind a damaged place, from the end.
    fn read_from_end(&mut self, database: &mut Guarded) {
        let last = self.records.last().map(|(key, _)| key.clone());
        let mut behind: Vec<Record> = Vec::new();
        let _ = database.run(|database| {
            each(database, RECORDS, true, &mut |key, value| {
                if last.as_deref().is_none_or(|last| key > last) {
                    behind.push((key.into(), value));
                }
            })
        });
        self.records.extend(behind.into_iter().rev());
        // A tree that is damaged may lead to the same place twice.
        self.records.sort_by(|a, b| a.0.cmp(&b.0));
        self.records.dedup_by(|a, b| a.0 == b.0);
    }
}

/// Shows the whole records of a table, in order or from the end. False if others are damaged.
pub(super) fn each_record(
    database: &Database,
    each_one: &mut dyn FnMut(&[u8], Bytes),
) -> Result<bool, BoxError> {
    each(database, RECORDS, false, each_one)
}

fn each(
    database: &Database,
    name: Definition,
    from_end: bool,
    each: &mut dyn FnMut(&[u8], Bytes),
) -> Result<bool, BoxError> {
    let transaction = database.begin_read()?;
    let Some(table) = open(&transaction, name)? else { return Ok(true) };
    let all: (Bound<&[u8]>, Bound<&[u8]>) = (Bound::Unbounded, Bound::Unbounded);
    let mut range = table.range::<&[u8]>(all)?;
    let mut is_whole = true;
    let mut before: Option<Box<[u8]>> = None;
    while let Some(record) = if from_end { range.next_back() } else { range.next() } {
        let (key, kept) = record?;
        let key = key.value();
        // Keys that are not in order come from a damaged tree, in which one may walk for ever.
        let in_order = before.as_deref().is_none_or(|b| if from_end { key < b } else { key > b });
        if !in_order {
            return Err("the keys are not in order".into());
        }
        before = Some(key.into());
        match unwrap(name, key, kept.value()) {
            Some(value) => each(key, Bytes::copy_from_slice(value)),
            None => is_whole = false,
        }
    }
    Ok(is_whole)
}

fn open(transaction: &ReadTransaction, table: Definition) -> Result<Option<Table>, BoxError> {
    match transaction.open_table(table) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn read_state(database: &Database) -> Result<(u64, Report), BoxError> {
    let (mut commit, mut report) = (FIRST_COMMIT, Report::default());
    let mut makes_sense = true;
    let is_whole = each(database, STATE, false, &mut |key, value| match key {
        COMMIT => match value[..].try_into() {
            Ok(number) => commit = u64::from_le_bytes(number),
            Err(_) => makes_sense = false,
        },
        REPORT => match decode_report(&value) {
            Some(read) => report = read,
            None => makes_sense = false,
        },
        _ => (),
    })?;
    if is_whole && makes_sense { Ok((commit, report)) } else { Err("its state is damaged".into()) }
}

/// Makes the writes of a commit of this number, all or none. What was reported before is acknowledged by it.
pub(super) fn commit(database: &Database, number: u64, writes: &[Write]) -> Result<(), BoxError> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(RECORDS)?;
        for write in writes {
            match write {
                Write::Put { key, value } => {
                    drop(table.insert(&**key, &*wrap(RECORDS, key, value))?);
                }
                Write::Delete { key } => drop(table.remove(&**key)?),
            }
        }
    }
    put_state(&transaction, number, None)?;
    transaction.commit()?;
    Ok(())
}

/// Fills a new database.
pub(super) fn fill(
    database: &Database,
    number: u64,
    records: &[Record],
    report: &Report,
) -> Result<(), BoxError> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(RECORDS)?;
        for (key, value) in records {
            table.insert(&**key, &*wrap(RECORDS, key, value))?;
        }
    }
    put_state(&transaction, number, Some(report))?;
    transaction.commit()?;
    Ok(())
}

fn put_state(
    transaction: &WriteTransaction,
    commit: u64,
    report: Option<&Report>,
) -> Result<(), BoxError> {
    let mut table = transaction.open_table(STATE)?;
    table.insert(COMMIT, &*wrap(STATE, COMMIT, &commit.to_le_bytes()))?;
    match report {
        Some(report) => drop(table.insert(REPORT, &*wrap(STATE, REPORT, &encode_report(report)))?),
        None => drop(table.remove(REPORT)?),
    }
    Ok(())
}

fn sum(table: Definition, key: &[u8], value: &[u8]) -> [u8; SUM_BYTES] {
    checksum(&[table.name().as_bytes(), key, value]).to_le_bytes()
}

fn wrap(table: Definition, key: &[u8], value: &[u8]) -> Vec<u8> {
    [&sum(table, key, value), value].concat()
}

fn unwrap<'a>(table: Definition, key: &[u8], kept: &'a [u8]) -> Option<&'a [u8]> {
    let (kept_sum, value) = kept.split_at_checked(SUM_BYTES)?;
    (kept_sum == sum(table, key, value)).then_some(value)
}

fn encode_report(report: &Report) -> Vec<u8> {
    let mut out = vec![u8::from(report.loss.unnamed)];
    for part in std::iter::once(&report.aside[..]).chain(report.loss.keys.iter().map(|key| &**key))
    {
        out.extend_from_slice(&(part.len() as u64).to_le_bytes());
        out.extend_from_slice(part);
    }
    out
}

fn decode_report(bytes: &[u8]) -> Option<Report> {
    let (unnamed, mut rest) = bytes.split_first()?;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (len, behind) = rest.split_first_chunk()?;
        let (part, behind) =
            behind.split_at_checked(usize::try_from(u64::from_le_bytes(*len)).ok()?)?;
        parts.push(part);
        rest = behind;
    }
    let (aside, keys) = parts.split_first()?;
    let keys = keys.iter().map(|key| Box::from(*key)).collect();
    let loss = Loss { keys, unnamed: *unnamed != 0 };
    Some(Report { loss, aside: aside.to_vec() })
}

/// The records of a database as it was before they had checksums.
pub(super) fn read_old(database: &mut Guarded) -> (Vec<Record>, bool) {
    let mut records: Vec<Record> = Vec::new();
    let read = database.run(|database| {
        let transaction = database.begin_read()?;
        let Some(table) = open(&transaction, RECORDS)? else { return Ok(()) };
        for record in table.iter()? {
            let (key, value) = record?;
            records.push((key.value().into(), Bytes::copy_from_slice(value.value())));
        }
        Ok(())
    });
    (records, read.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_round_trips_and_fragments_do_not() {
        let mut report = Report { aside: b"store.damaged-1".to_vec(), ..Report::default() };
        report.loss.unnamed = true;
        report.loss.keys = [Box::from(*b"a"), Box::from(*b""), Box::from(*b"key")].into();
        let bytes = encode_report(&report);
        assert_eq!(decode_report(&bytes), Some(report));
        let whole = (0..bytes.len()).filter(|&len| decode_report(&bytes[..len]).is_some()).count();
        assert_eq!(whole, 3, "behind the name and behind each key but the last");
    }

    #[test]
    fn record_in_another_place_is_none() {
        let kept = wrap(RECORDS, b"key", b"value");
        assert_eq!(unwrap(RECORDS, b"key", &kept), Some(&b"value"[..]));
        assert_eq!(unwrap(RECORDS, b"kez", &kept), None);
        assert_eq!(unwrap(STATE, b"key", &kept), None);
        assert_eq!(unwrap(RECORDS, b"key", b"val"), None);
    }
}
