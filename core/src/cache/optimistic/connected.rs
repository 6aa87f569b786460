//! Which mutations have to run again together, by what they read and wrote.
//!
//! A mutation that is taken away, or runs again, takes along:
//!
//! - who wrote a row that it wrote, because a row is shown as the last of them left it, and not as those before did;
//! - who came after it and read what it wrote: that may be another row now, or none;
//! - who came after it and wrote what it read: that is not there yet when it runs.
//!
//! So no row that stays is of anybody who was taken along, and whoever runs again sees what the server says, what
//! those before it wrote, and nothing else.

use std::collections::BTreeSet;

use foldhash::HashMap;

use super::footprint::{Footprint, Turn};
use crate::cache::{Cache, TableId};

/// Mutations that run again, or end, with a change.
#[derive(Debug, Default)]
pub(in crate::cache) struct Lifting {
    pub(super) turns: BTreeSet<Turn>,
    /// Whether their rows are taken away.
    pub(super) is_lifted: bool,
}

impl Lifting {
    /// Whether the rows of some mutations are taken away for the time of the change.
    pub(in crate::cache) fn is_lifted(&self) -> bool {
        self.is_lifted
    }

    /// Adds those that touched the rows of a change.
    pub(in crate::cache) fn extend(&mut self, found: impl IntoIterator<Item = Turn>) {
        self.turns.extend(found);
    }
}

/// What was met on the way from one mutation to others.
#[derive(PartialEq, Eq, Hash)]
enum Met {
    /// A row that was read.
    Read(TableId, u64),
    /// A row that was written.
    Written(TableId, u64),
    /// A table that was looked at as a whole.
    Scanned(TableId),
    /// A table that was written to.
    Changed(TableId),
}

/// Goes from mutations to those that are connected with them.
pub(super) struct Connecting<'c> {
    cache: &'c Cache,
    /// After whose turn everybody was found who has to do with this: so that a row that many share is not gone through
    /// for each of them.
    found_after: HashMap<Met, Turn>,
}

impl<'c> Connecting<'c> {
    pub(super) fn new(cache: &'c Cache) -> Self {
        Self { cache, found_after: HashMap::default() }
    }

    /// Finds those after `turn` for whom it makes a difference that it reads and writes this.
    pub(super) fn disturbed(
        &mut self,
        turn: Turn,
        table: TableId,
        footprint: &Footprint,
        found: &mut BTreeSet<Turn>,
    ) {
        let touched = &self.cache.overlay_of(table).touched;
        for &hash in &footprint.read {
            let Some(row) = touched.row(hash).filter(|row| !row.is_only(turn)) else { continue };
            self.later(Met::Read(table, hash), &row.writers, turn, found);
        }
        for &hash in &footprint.written {
            let Some(row) = touched.row(hash).filter(|row| !row.is_only(turn)) else { continue };
            self.later(Met::Read(table, hash), &row.writers, turn, found);
            self.later(Met::Written(table, hash), &row.readers, turn, found);
        }
        if footprint.scanned {
            self.later(Met::Scanned(table), &touched.writers, turn, found);
        }
        if !footprint.written.is_empty() {
            self.later(Met::Changed(table), &touched.scanners, turn, found);
        }
    }

    /// Those of a list after `turn`, but for those who were found before.
    fn later(&mut self, met: Met, turns: &[Turn], turn: Turn, found: &mut BTreeSet<Turn>) {
        let found_after = self.found_after.get(&met).copied();
        if found_after.is_some_and(|earlier| earlier <= turn) {
            return;
        }
        self.found_after.insert(met, turn);
        let from = turns.partition_point(|other| *other <= turn);
        let until = found_after.map_or(turns.len(), |known| {
            // From there on they were found.
            turns.partition_point(|other| *other <= known)
        });
        found.extend(&turns[from..until]);
    }

    /// Everybody whom these take along, and they themselves, but for those in `known`.
    pub(super) fn closure(
        &mut self,
        known: &BTreeSet<Turn>,
        mut found: BTreeSet<Turn>,
    ) -> BTreeSet<Turn> {
        let mut all = BTreeSet::new();
        while let Some(turn) = found.pop_first() {
            if known.contains(&turn) || !all.insert(turn) {
                continue;
            }
            for (table, footprint) in self.cache.mutations.footprints_of(turn) {
                self.disturbed(turn, *table, footprint, &mut found);
                self.co_writers(turn, *table, footprint, &mut found);
            }
        }
        all
    }

    fn co_writers(
        &self,
        turn: Turn,
        table: TableId,
        footprint: &Footprint,
        found: &mut BTreeSet<Turn>,
    ) {
        let touched = &self.cache.overlay_of(table).touched;
        for &hash in &footprint.written {
            // The first of them leads to all others.
            let first = touched.writers_of(hash).first();
            found.extend(first.filter(|first| **first < turn));
        }
    }
}
