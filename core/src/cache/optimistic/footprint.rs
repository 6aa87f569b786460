//! What each mutation read and wrote, and who read and wrote what of a table.

use foldhash::HashMap;

/// A mutation's place in the order in which mutations run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::cache) struct Turn(pub(super) u64);

/// What a mutation read and wrote of one table when it last ran. Rows are known by the hashes of what identifies them.
#[derive(Debug, Default)]
pub(in crate::cache) struct Footprint {
    /// The rows that it looked for, there or not, and did not write.
    pub(super) read: Vec<u64>,
    /// The rows that it wrote, in the order of the first writes.
    pub(super) written: Vec<u64>,
    /// Whether it may have looked at any row.
    pub(super) scanned: bool,
}

/// Who read and wrote what of a table. All lists are in the mutations' order.
#[derive(Debug, Default)]
pub(in crate::cache) struct Touched {
    rows: HashMap<u64, Touchers>,
    /// Those that may have looked at any row.
    pub(super) scanners: Vec<Turn>,
    /// Those that wrote any.
    pub(super) writers: Vec<Turn>,
}

/// Who read and wrote one row.
#[derive(Debug, Default)]
pub(super) struct Touchers {
    /// Those that only read it.
    pub(super) readers: Vec<Turn>,
    pub(super) writers: Vec<Turn>,
}

impl Touched {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.scanners.is_empty()
    }

    /// Notes what a mutation did.
    pub(super) fn add(&mut self, turn: Turn, footprint: &Footprint) {
        for &hash in &footprint.read {
            insert(&mut self.rows.entry(hash).or_default().readers, turn);
        }
        for &hash in &footprint.written {
            insert(&mut self.rows.entry(hash).or_default().writers, turn);
        }
        if footprint.scanned {
            insert(&mut self.scanners, turn);
        }
        if !footprint.written.is_empty() {
            insert(&mut self.writers, turn);
        }
    }

    /// Forgets what a mutation did, as it was noted.
    pub(super) fn remove(&mut self, turn: Turn, footprint: &Footprint) {
        for hash in footprint.read.iter().chain(&footprint.written) {
            let Some(row) = self.rows.get_mut(hash) else { continue };
            remove(&mut row.readers, turn);
            remove(&mut row.writers, turn);
            if row.readers.is_empty() && row.writers.is_empty() {
                self.rows.remove(hash);
            }
        }
        if footprint.scanned {
            remove(&mut self.scanners, turn);
        }
        if !footprint.written.is_empty() {
            remove(&mut self.writers, turn);
        }
    }

    pub(super) fn row(&self, hash: u64) -> Option<&Touchers> {
        self.rows.get(&hash)
    }

    /// Who wrote a row, in their order.
    pub(super) fn writers_of(&self, hash: u64) -> &[Turn] {
        self.rows.get(&hash).map_or(&[], |row| &row.writers)
    }
}

impl Touchers {
    /// Everybody.
    pub(super) fn all(&self) -> impl Iterator<Item = Turn> {
        self.readers.iter().chain(&self.writers).copied()
    }

    /// Whether nobody else touched it.
    pub(super) fn is_only(&self, turn: Turn) -> bool {
        self.all().all(|other| other == turn)
    }
}

fn insert(turns: &mut Vec<Turn>, turn: Turn) {
    // A mutation that runs for the first time is the last one.
    if turns.last().is_none_or(|last| *last < turn) {
        turns.push(turn);
    } else if let Err(at) = turns.binary_search(&turn) {
        turns.insert(at, turn);
    }
}

fn remove(turns: &mut Vec<Turn>, turn: Turn) {
    if let Ok(at) = turns.binary_search(&turn) {
        turns.remove(at);
    }
}
