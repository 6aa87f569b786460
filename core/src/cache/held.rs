//! Numbers of rows by query set, for checks that every row has an owner.

use core::fmt;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::membership::sets::SetId;
use super::optimistic::LOCAL;
use super::{Cache, Change};

/// Rows of one table that a set holds: those in slots, and those that optimistic rows stand in for.
#[doc(hidden)]
#[derive(Clone, PartialEq, Eq)]
pub struct Held {
    /// The set.
    pub set: SetId,
    /// The table's name on the wire.
    pub table: Arc<str>,
    /// Their number.
    pub rows: usize,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows of `{}` in {}", self.rows, self.table, self.set)
    }
}

impl Cache {
    /// Every set that holds rows, by table. What a change under way has staged counts. Takes time in proportion to the
    /// number of combinations of sets that rows have.
    #[doc(hidden)]
    pub fn held(&self) -> Vec<Held> {
        let mut held = Vec::new();
        for (_, table) in self.tables.iter() {
            let mut sets: BTreeMap<SetId, usize> = BTreeMap::new();
            let mut count = |set, rows| *sets.entry(set).or_default() += rows;
            table.held(&mut count);
            sets.remove(&LOCAL);
            let of_table = |(set, rows)| Held { set, table: Arc::clone(table.name()), rows };
            held.extend(sets.into_iter().map(of_table));
        }
        held
    }

    /// Returns `true` if a set's rows are as they were when the server was last heard: see [`mark_stale`](Self::mark_stale).
    #[doc(hidden)]
    pub fn is_marked_stale(&self, set: SetId) -> bool {
        self.sets.is_stale(set)
    }

    /// The sets of which something is remembered besides their rows.
    #[doc(hidden)]
    pub fn remembered(&self) -> impl Iterator<Item = SetId> {
        self.sets.iter()
    }

    /// The change under way.
    #[doc(hidden)]
    pub fn under_way(&self) -> Option<&Change> {
        Some(self.applying.as_ref()?.change())
    }
}
