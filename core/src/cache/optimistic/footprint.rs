//! Read and write sets of mutations, and an index from rows to the mutations that read them.

use core::hash::Hash;
use std::collections::{BTreeSet, VecDeque};

use foldhash::fast::RandomState;
use foldhash::{HashMap, HashSet};

use super::ids::{KeyId, Turn};
use super::layer::stack::Seen;
use crate::schema::{IndexVisitor, Row};

/// Part of a row that a mutation read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Extent {
    /// Existence of a row with this identity.
    Presence,
    /// Its columns.
    Value,
}

/// Read set of a mutation that runs, for one table, below its own writes. Rows are known by the hashes of what
/// identifies them, values of unique columns by theirs.
#[derive(Debug, Default)]
pub(super) struct Reads {
    rows: HashMap<u64, Extent>,
    uniques: HashSet<(u16, u64)>,
    scanned: bool,
}

impl Reads {
    pub(super) fn row(&mut self, hash: u64, extent: Extent) {
        let known = self.rows.entry(hash).or_insert(extent);
        *known = extent.max(*known);
    }

    pub(super) fn unique(&mut self, column: u16, hash: u64) {
        self.uniques.insert((column, hash));
    }

    pub(super) fn scan(&mut self) {
        self.scanned = true;
    }
}

/// Read and write set of a mutation's last run, for one table.
#[derive(Debug, Default)]
pub(in crate::cache) struct Footprint {
    rows: Vec<(u64, Extent)>,
    uniques: Vec<(u16, u64)>,
    /// `true` if it may have looked at any row.
    scanned: bool,
    /// The rows that it wrote, in the order of the first writes.
    written: Vec<KeyId>,
}

impl Footprint {
    pub(super) fn new(reads: Reads, written: Vec<KeyId>) -> Self {
        let Reads { rows, uniques, scanned } = reads;
        if scanned {
            // Any change of the table concerns it.
            return Self { scanned, written, ..Self::default() };
        }
        let (rows, uniques) = (rows.into_iter().collect(), uniques.into_iter().collect());
        Self { rows, uniques, scanned, written }
    }

    pub(super) fn written(&self) -> &[KeyId] {
        &self.written
    }
}

/// Turns after one and up to another; without bounds, all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) after: Option<Turn>,
    pub(super) until: Option<Turn>,
}

/// Index of a table's read sets. All lists are in the order of turns.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    rows: HashMap<u64, VecDeque<(Turn, Extent)>>,
    uniques: HashMap<(u16, u64), VecDeque<Turn>>,
    scanners: VecDeque<Turn>,
}

impl Watchers {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && !self.is_wide()
    }

    /// Returns `true` if some of them are not found by the identity of a row.
    pub(super) fn is_wide(&self) -> bool {
        !self.uniques.is_empty() || !self.scanners.is_empty()
    }

    pub(super) fn has_row(&self, hash: u64) -> bool {
        self.rows.contains_key(&hash)
    }

    pub(super) fn add(&mut self, turn: Turn, footprint: &Footprint) {
        for &(hash, extent) in &footprint.rows {
            insert(self.rows.entry(hash).or_default(), (turn, extent), |entry| entry.0);
        }
        for &unique in &footprint.uniques {
            insert(self.uniques.entry(unique).or_default(), turn, |turn| *turn);
        }
        if footprint.scanned {
            insert(&mut self.scanners, turn, |turn| *turn);
        }
    }

    /// Undoes [`add`](Self::add).
    pub(super) fn remove(&mut self, turn: Turn, footprint: &Footprint) {
        for (hash, _) in &footprint.rows {
            if let Some(turns) = self.rows.get_mut(hash)
                && remove(turns, turn, |entry| entry.0)
            {
                self.rows.remove(hash);
            }
        }
        for unique in &footprint.uniques {
            if let Some(turns) = self.uniques.get_mut(unique)
                && remove(turns, turn, |turn| *turn)
            {
                self.uniques.remove(unique);
            }
        }
        if footprint.scanned {
            remove(&mut self.scanners, turn, |turn| *turn);
        }
    }

    /// Finds those for whom it makes a difference that a row of this hash is another one now: for the turns of `span`
    /// it was `old`, and is `new`.
    pub(super) fn affected<R: Row>(
        &self,
        hash: u64,
        span: Span,
        [old, new]: [Option<Seen<'_, R>>; 2],
        hasher: &RandomState,
        found: &mut BTreeSet<Turn>,
    ) {
        let came_or_left = old.is_some() != new.is_some();
        if let Some(turns) = self.rows.get(&hash) {
            let notices = |extent| came_or_left || extent == Extent::Value;
            let turns = within(turns, span, |entry| entry.0);
            found.extend(turns.filter(|entry| notices(entry.1)).map(|entry| entry.0));
        }
        found.extend(within(&self.scanners, span, |turn| *turn));
        if !self.uniques.is_empty() {
            for row in [old, new].into_iter().flatten().filter_map(Seen::get) {
                R::visit_indexes(&mut ByUniques { row, span, hasher, watchers: self, found });
            }
        }
    }
}

/// Finds those who looked for the values that a row has in unique columns.
struct ByUniques<'a, R> {
    row: &'a R,
    span: Span,
    hasher: &'a RandomState,
    watchers: &'a Watchers,
    found: &'a mut BTreeSet<Turn>,
}

impl<R> IndexVisitor<R> for ByUniques<'_, R> {
    fn unique<V: Hash + Eq + 'static>(
        &mut self,
        column: u16,
        get: impl Fn(&R) -> &V + Copy + Send + Sync + 'static,
    ) {
        let hash = core::hash::BuildHasher::hash_one(self.hasher, get(self.row));
        if let Some(turns) = self.watchers.uniques.get(&(column, hash)) {
            self.found.extend(within(turns, self.span, |turn| *turn));
        }
    }

    fn ordered(
        &mut self,
        _: &'static [u16],
        _: impl Fn(&R, &R) -> core::cmp::Ordering + Copy + Send + Sync + 'static,
    ) {
    }
}

fn within<T>(
    turns: &VecDeque<T>,
    Span { after, until }: Span,
    of: impl Fn(&T) -> Turn,
) -> impl Iterator<Item = &T> {
    let from = after.map_or(0, |after| turns.partition_point(|entry| of(entry) <= after));
    let to = until
        .map_or(turns.len(), |until| turns.partition_point(|entry| of(entry) <= until))
        .max(from);
    turns.range(from..to)
}

fn insert<T>(turns: &mut VecDeque<T>, entry: T, of: impl Fn(&T) -> Turn) {
    // A mutation that runs for the first time is the last one.
    match turns.back() {
        Some(last) if of(last) >= of(&entry) => {
            if let Err(at) = turns.binary_search_by_key(&of(&entry), of) {
                turns.insert(at, entry);
            }
        }
        _ => turns.push_back(entry),
    }
}

/// Takes a turn out; whether none is left.
fn remove<T>(turns: &mut VecDeque<T>, turn: Turn, of: impl Fn(&T) -> Turn) -> bool {
    if let Ok(at) = turns.binary_search_by_key(&turn, of) {
        turns.remove(at);
    }
    turns.is_empty()
}
