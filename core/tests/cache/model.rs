//! The cache's rules, as a few maps.

use std::collections::{BTreeMap, BTreeSet};

use lightlike_core::bsatn::from_slice;
use lightlike_core::cache::{Change, Part, SetId};
use lightlike_core::wire::RowList;

use super::support::*;

pub(crate) type Bytes = Vec<u8>;

/// Query sets that hold a row, and how often.
type Holders = BTreeMap<SetId, u32>;

/// One table as the rules say it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ModelTable {
    /// By what identifies a row: its encoding and who holds it.
    rows: BTreeMap<Bytes, (Bytes, Holders)>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Model {
    tables: BTreeMap<String, ModelTable>,
    failed: BTreeSet<SetId>,
}

/// A message that cannot follow.
#[derive(Debug)]
pub(crate) struct Impossible;

/// Changes of rows, as encodings.
pub(crate) type Happened = BTreeMap<String, Vec<Seen<Bytes>>>;

/// Effects of one message on a row.
#[derive(Default)]
struct Touched {
    /// Sets that hold the row that was there.
    old: Holders,
    /// The row that comes in its place, and the sets that hold that.
    new: Option<(Bytes, Holders)>,
}

enum Fault {
    Impossible,
    Mismatch(String),
}

fn identity(table: &str, bytes: &Bytes) -> Result<Bytes, Fault> {
    match table {
        "player" => bytes.get(..8).map(<[u8]>::to_vec).ok_or_else(|| Fault::Mismatch(table.into())),
        _ => Ok(bytes.clone()),
    }
}

pub(crate) fn decodes(table: &str, bytes: &[u8]) -> bool {
    match table {
        "player" => from_slice::<Player>(bytes).is_ok(),
        "message" => from_slice::<Message>(bytes).is_ok(),
        _ => from_slice::<Tick>(bytes).is_ok(),
    }
}

fn take_one(holders: &mut Holders, set: SetId) -> Result<(), Fault> {
    match holders.get_mut(&set) {
        None => Err(Fault::Impossible),
        Some(1) => {
            holders.remove(&set);
            Ok(())
        }
        Some(count) => {
            *count -= 1;
            Ok(())
        }
    }
}

type Work = BTreeMap<String, BTreeMap<Bytes, Touched>>;

impl Model {
    pub(crate) fn apply(
        &mut self,
        change: &Change,
    ) -> Result<(Happened, BTreeSet<SetId>), Impossible> {
        let mut failed = BTreeSet::new();
        loop {
            let ignored = &self.failed | &failed;
            match self.try_apply(change, &ignored, &failed) {
                Ok((next, happened)) => {
                    *self = next;
                    self.failed.extend(&failed);
                    for part in &change.parts {
                        if let Part::DropSet { set } = part {
                            self.failed.remove(set);
                        }
                    }
                    return Ok((happened, failed));
                }
                Err(Fault::Impossible) => return Err(Impossible),
                Err(Fault::Mismatch(table)) => {
                    let parts = change.parts.iter().filter_map(named);
                    let carry = parts.filter(|(_, name, _)| *name == table);
                    failed.extend(carry.map(|part| part.0).filter(|set| !ignored.contains(set)));
                }
            }
        }
    }

    fn try_apply(
        &self,
        change: &Change,
        ignored: &BTreeSet<SetId>,
        failed: &BTreeSet<SetId>,
    ) -> Result<(Self, Happened), Fault> {
        let mut work = Work::new();
        let mut happened = Happened::new();
        let parts: Vec<_> = change
            .parts
            .iter()
            .filter(|part| match named(part) {
                Some((set, ..)) => !ignored.contains(&set),
                None => true,
            })
            .collect();
        for part in &parts {
            match part {
                Part::Inserts { set, table, rows } => {
                    for row in rows.iter() {
                        self.insert(&mut work, *set, table, row.to_vec())?;
                    }
                }
                Part::Events { table, rows, .. } => {
                    for row in rows.iter() {
                        if !decodes(table, row) {
                            return Err(Fault::Mismatch(table.to_string()));
                        }
                        let events = happened.entry(table.to_string()).or_default();
                        events.push(Seen::Event(row.to_vec()));
                    }
                }
                _ => (),
            }
        }
        for part in &parts {
            if let Part::Deletes { set, table, rows } = part {
                for row in rows.iter() {
                    self.delete(&mut work, *set, table, row.to_vec())?;
                }
            }
        }
        let dropped = change.parts.iter().filter_map(|part| match part {
            Part::DropSet { set } => Some(set),
            _ => None,
        });
        for set in dropped.chain(failed) {
            self.drop_set(&mut work, *set);
        }
        self.net(work, happened)
    }

    /// Effects of a message on a row so far; none if there is no such row.
    fn touched<'w>(
        &self,
        work: &'w mut Work,
        table: &str,
        id: &Bytes,
    ) -> (&'w mut Touched, Option<Bytes>) {
        let held = self.tables.get(table).and_then(|model| model.rows.get(id));
        let touched =
            work.entry(table.into()).or_default().entry(id.clone()).or_insert_with(|| {
                let old = held.map(|(_, holders)| holders.clone()).unwrap_or_default();
                Touched { old, new: None }
            });
        (touched, held.map(|(bytes, _)| bytes.clone()))
    }

    fn insert(&self, work: &mut Work, set: SetId, table: &str, row: Bytes) -> Result<(), Fault> {
        let id = identity(table, &row)?;
        let (touched, held) = self.touched(work, table, &id);
        if let Some((new, holders)) = &mut touched.new
            && *new == row
        {
            *holders.entry(set).or_default() += 1;
        } else if held.as_ref() == Some(&row) {
            *touched.old.entry(set).or_default() += 1;
        } else if touched.new.is_some() {
            return Err(Fault::Impossible);
        } else if !decodes(table, &row) {
            return Err(Fault::Mismatch(table.into()));
        } else {
            touched.new = Some((row, Holders::from([(set, 1)])));
        }
        Ok(())
    }

    fn delete(&self, work: &mut Work, set: SetId, table: &str, row: Bytes) -> Result<(), Fault> {
        let id = identity(table, &row)?;
        let (touched, held) = self.touched(work, table, &id);
        match (held, &mut touched.new) {
            (None, None) => Err(Fault::Impossible),
            (None, Some((_, holders))) => take_one(holders, set),
            (Some(_), Some((new, holders))) if *new == row => take_one(holders, set),
            (Some(_), _) => take_one(&mut touched.old, set),
        }
    }

    fn drop_set(&self, work: &mut Work, set: SetId) {
        for (table, model) in &self.tables {
            for id in model.rows.keys() {
                self.touched(work, table, id).0.old.remove(&set);
            }
        }
        for touched in work.values_mut().flat_map(BTreeMap::values_mut) {
            if let Some((_, holders)) = &mut touched.new {
                holders.remove(&set);
            }
        }
    }

    fn net(&self, work: Work, mut happened: Happened) -> Result<(Self, Happened), Fault> {
        let mut next = self.clone();
        for (table, rows) in work {
            let model = next.tables.entry(table.clone()).or_default();
            for (id, touched) in rows {
                let held = model.rows.remove(&id).map(|(bytes, _)| bytes);
                let new = touched.new.filter(|(_, holders)| !holders.is_empty());
                let seen = match (held, new) {
                    (Some(_), Some(_)) if !touched.old.is_empty() => return Err(Fault::Impossible),
                    (Some(held), Some((new, holders))) => {
                        model.rows.insert(id, (new.clone(), holders));
                        Seen::Update(held, new)
                    }
                    (Some(held), None) if touched.old.is_empty() => Seen::Delete(held),
                    (Some(held), None) => {
                        model.rows.insert(id, (held, touched.old));
                        continue;
                    }
                    (None, Some((new, holders))) => {
                        model.rows.insert(id, (new.clone(), holders));
                        Seen::Insert(new)
                    }
                    (None, None) => continue,
                };
                happened.entry(table.clone()).or_default().push(seen);
            }
        }
        Ok((next, happened))
    }

    pub(crate) fn rows(&self, table: &str) -> BTreeSet<Bytes> {
        let rows = self.tables.get(table).into_iter().flat_map(|table| table.rows.values());
        rows.map(|(bytes, _)| bytes.clone()).collect()
    }
}

pub(crate) fn named(part: &Part) -> Option<(SetId, &str, &RowList)> {
    match part {
        Part::Inserts { set, table, rows }
        | Part::Deletes { set, table, rows }
        | Part::Events { set, table, rows, .. } => Some((*set, table, rows)),
        Part::DropSet { .. } => None,
    }
}
