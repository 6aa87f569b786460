//! Nets the answers to a resync with the changes that came between them.

use hashbrown::HashMap;

use crate::cache::{Part, SetId};
use crate::wire::{RowList, TableName};

/// Number of times that rows are deleted, by table of a set.
type Deleted<'a> = HashMap<(SetId, &'a TableName), Counts<'a>, foldhash::fast::RandomState>;
type Counts<'a> = HashMap<&'a [u8], usize, foldhash::fast::RandomState>;

/// Takes out of gathered inserts what gathered deletes take away again: a change of the cache inserts first, and the old
/// and the new version of a row cannot both come in. What is deleted and did not come is left for the cache to judge.
///
/// Only tables of which something is deleted are looked at.
pub(in crate::conn) fn net_parts(parts: Vec<Part>) -> Vec<Part> {
    if !parts.iter().any(|part| matches!(part, Part::Deletes { .. })) {
        return parts;
    }
    let mut deleted = deleted_rows(&parts);
    let mut netted: Vec<Part> =
        parts.iter().filter_map(|part| net_part(part, &mut deleted)).collect();
    for ((set, table), counts) in deleted {
        let left = counts.into_iter().flat_map(|(row, count)| std::iter::repeat_n(row, count));
        let rows = RowList::from_rows(left);
        if !rows.is_empty() {
            netted.push(Part::Deletes { set, table: table.clone(), rows });
        }
    }
    netted
}

fn deleted_rows(parts: &[Part]) -> Deleted<'_> {
    let mut deleted = Deleted::default();
    for part in parts {
        if let Part::Deletes { set, table, rows } = part {
            let counts = deleted.entry((*set, table)).or_default();
            rows.iter().for_each(|row| *counts.entry(row).or_default() += 1);
        }
    }
    deleted
}

/// The rest of a part, but for deletes, which come last.
fn net_part<'a>(part: &'a Part, deleted: &mut Deleted<'a>) -> Option<Part> {
    let Part::Inserts { set, table, rows } = part else {
        let deletes = matches!(part, Part::Deletes { .. });
        return (!deletes).then(|| part.clone());
    };
    let Some(counts) = deleted.get_mut(&(*set, table)) else { return Some(part.clone()) };
    let rows = without(rows, counts);
    (!rows.is_empty()).then(|| Part::Inserts { set: *set, table: table.clone(), rows })
}

/// A list without rows that are deleted, each as often as it is.
fn without(rows: &RowList, deleted: &mut Counts<'_>) -> RowList {
    let mut stays = |row: &&[u8]| match deleted.get_mut(*row) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    let staying: Vec<&[u8]> = rows.iter().filter(|row| stays(row)).collect();
    if staying.len() == rows.len() { rows.clone() } else { RowList::from_rows(staying) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&str]) -> RowList {
        RowList::from_rows(rows)
    }

    fn inserts(set: u32, table: &str, list: &[&str]) -> Part {
        Part::Inserts { set: SetId(set), table: table.into(), rows: rows(list) }
    }

    fn deletes(set: u32, table: &str, list: &[&str]) -> Part {
        Part::Deletes { set: SetId(set), table: table.into(), rows: rows(list) }
    }

    fn text(parts: &[Part]) -> Vec<String> {
        let text = |part: &Part| {
            let (sign, rows) = match part {
                Part::Inserts { rows, .. } => ("+", rows),
                Part::Deletes { rows, .. } => ("-", rows),
                other => return format!("{other:?}"),
            };
            let rows: Vec<_> = rows.iter().map(String::from_utf8_lossy).collect();
            format!("{} {sign}{}", part.set().0, rows.join(" "))
        };
        parts.iter().map(text).collect()
    }

    #[test]
    fn deletes_cancel_inserts_of_same_set_and_table() {
        let netted = net_parts(vec![
            inserts(1, "t", &["a", "b", "b"]),
            inserts(2, "t", &["a", "b"]),
            inserts(1, "u", &["b"]),
            deletes(1, "t", &["b"]),
            inserts(1, "t", &["c"]),
            deletes(1, "t", &["c", "x"]),
        ]);
        assert_eq!(text(&netted), ["1 +a b", "2 +a b", "1 +b", "1 -x"]);
    }
}
