//! Compaction of a log of rows.

use bytes::Bytes;
use hashbrown::HashMap;

use super::Write;
use super::batch::KeptPart;
use super::format::{self, Key};
use crate::limits::Limits;
use crate::wire::{RowList, TableName};

/// Number of row bytes in one record of a compacted log.
const RECORD_BYTES: usize = 1 << 20;

/// Reference counts of rows, by table.
type Rows = HashMap<Vec<u8>, u32, foldhash::fast::RandomState>;

/// The rows that a log leaves, as inserts: `(set, table, rows)`, by set and table. A row that a set holds several times is
/// there as often.
pub(super) fn fold(log: impl IntoIterator<Item = KeptPart>) -> Vec<(u32, TableName, RowList)> {
    let mut held: HashMap<(u32, TableName), Rows, foldhash::fast::RandomState> = HashMap::default();
    for part in log {
        match part {
            KeptPart::Inserts(set, table, rows) => {
                let held = held.entry((set, table)).or_default();
                for row in rows.iter() {
                    *held.entry_ref(row).or_insert(0) += 1;
                }
            }
            KeptPart::Deletes(set, table, rows) => {
                let held = held.entry((set, table)).or_default();
                for row in rows.iter() {
                    let Some(count) = held.get_mut(row) else { continue };
                    *count -= 1;
                    if *count == 0 {
                        held.remove(row);
                    }
                }
            }
            KeptPart::Drop(dropped) => held.retain(|(set, _), _| *set != dropped),
            KeptPart::DropTable(set, table) => drop(held.remove(&(set, table))),
        }
    }
    let mut folded: Vec<_> = held.into_iter().collect();
    folded.sort_by(|a, b| a.0.cmp(&b.0));
    let lists = folded.into_iter().flat_map(|((set, table), rows)| {
        lists(rows).into_iter().map(move |rows| (set, table.clone(), rows))
    });
    lists.collect()
}

/// Packs rows into lists of about a record's size.
fn lists(rows: Rows) -> Vec<RowList> {
    let mut lists = Vec::new();
    let (mut list, mut bytes) = (Vec::new(), 0);
    for (row, count) in rows {
        for _ in 0..count {
            bytes += row.len();
            list.push(row.clone());
        }
        if bytes >= RECORD_BYTES {
            lists.push(RowList::from_rows(list.drain(..)));
            bytes = 0;
        }
    }
    if !list.is_empty() {
        lists.push(RowList::from_rows(list));
    }
    lists
}

/// The records of a store that are a log of rows: gathered from all of them, to be folded.
#[derive(Debug, Default)]
pub struct RowLogs {
    records: Vec<(u32, u64, Bytes)>,
}

impl RowLogs {
    /// Looks at a record of the store's, and keeps it if it is of a log.
    pub fn see(&mut self, key: &[u8], value: &Bytes) {
        if let Some(Key::Rows(scope, number)) = Key::parse(key) {
            self.records.push((scope, number, value.clone()));
        }
    }

    /// The writes that replace each log by what it comes to; and how many bytes of rows that is. None if a record makes
    /// no sense: whoever loads the store next will say so.
    pub fn fold(mut self, limits: &Limits) -> Option<(Vec<Write>, usize)> {
        self.records.sort_unstable_by_key(|(scope, number, _)| (*scope, *number));
        let mut writes = Vec::new();
        let mut bytes = 0;
        for log in self.records.chunk_by(|a, b| a.0 == b.0) {
            let mut parts = Vec::new();
            for (_, _, record) in log {
                parts.extend(format::decode_parts(record, limits).ok()?);
            }
            let folded = fold(parts);
            if folded.len() > log.len() {
                // The log is as short as it gets.
                bytes += log.iter().map(|(_, _, record)| record.len()).sum::<usize>();
                continue;
            }
            // The numbers of the log's first records, so that what comes later stays behind them.
            let mut numbers = log.iter().map(|(scope, number, _)| Key::Rows(*scope, *number));
            for (set, table, rows) in folded {
                let record = format::encode_parts(&[KeptPart::Inserts(set, table, rows)]);
                bytes += record.len();
                writes.extend(numbers.next().map(|key| key.put(record)));
            }
            writes.extend(numbers.map(Key::delete));
        }
        Some((writes, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&str]) -> RowList {
        RowList::from_rows(rows)
    }

    fn text(folded: &[(u32, TableName, RowList)]) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for (set, table, rows) in folded {
            let mut rows: Vec<_> = rows.iter().map(String::from_utf8_lossy).collect();
            rows.sort();
            lines.push(format!("{set} {table}: {}", rows.join(" ")));
        }
        lines
    }

    #[test]
    fn compaction_cancels_pairs_and_keeps_duplicates_once() {
        let log = [
            KeptPart::Inserts(1, "t".into(), rows(&["a", "b", "b"])),
            KeptPart::Inserts(2, "t".into(), rows(&["a"])),
            KeptPart::Deletes(1, "t".into(), rows(&["a", "b"])),
            KeptPart::Inserts(1, "u".into(), rows(&["c"])),
            KeptPart::Drop(2),
            KeptPart::Inserts(2, "u".into(), rows(&["d"])),
            KeptPart::Inserts(2, "v".into(), rows(&["e"])),
            KeptPart::DropTable(2, "v".into()),
        ];
        assert_eq!(text(&fold(log)), ["1 t: b", "1 u: c", "2 u: d"]);
    }

    #[test]
    fn compacting_a_log_keeps_rows_and_shortens() {
        let mut records = std::collections::BTreeMap::new();
        for number in 0..10_u64 {
            let came = number.to_string();
            let mut parts = vec![KeptPart::Inserts(1, "t".into(), rows(&[&came]))];
            if number > 1 {
                let left = (number - 2).to_string();
                parts.push(KeptPart::Deletes(1, "t".into(), rows(&[&left])));
            }
            let Write::Put { key, value } = Key::Rows(0, number).put(format::encode_parts(&parts))
            else {
                unreachable!()
            };
            records.insert(key, value);
        }
        let mut logs = RowLogs::default();
        records.iter().for_each(|(key, value)| logs.see(key, value));
        let (writes, _) = logs.fold(&Limits::DEFAULT).unwrap();
        for write in writes {
            match write {
                Write::Put { key, value } => drop(records.insert(key, value)),
                Write::Delete { key } => drop(records.remove(&key)),
            }
        }
        assert_eq!(records.len(), 1);
        let parts = records
            .values()
            .flat_map(|record| format::decode_parts(record, &Limits::DEFAULT).unwrap());
        assert_eq!(text(&fold(parts)), ["1 t: 8 9"]);
    }
}
