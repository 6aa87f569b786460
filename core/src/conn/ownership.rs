//! Checks that every row of the cache is owned by somebody, for tests to ask after each operation.

use std::collections::HashSet;

use super::Connection;
use crate::cache::{Held, Part, SetId};

/// A row of the cache that nobody owns, or a set whose rows are not what its stage says.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnershipFault {
    /// No set, kept set, or queued drop has these rows: they would stay for ever.
    Orphaned(Held),
    /// A set has rows before its first answer.
    Early(Held),
    /// A set's rows are marked as stale and are kept in step, or the other way round.
    Mismarked {
        /// The set.
        set: SetId,
        /// Whether its rows ought to be marked.
        is_stale: bool,
    },
    /// Something is remembered of a set that nobody owns.
    Remembered(SetId),
    /// The journal has rows of a set that nobody owns.
    Journaled(SetId),
}

impl Connection {
    /// What is wrong with the ownership of rows. Nothing, at any moment: the union of the members of all row lists is a
    /// subset of the names that sets own, rows of an earlier run that nobody asked for yet, and those for which a drop is
    /// queued.
    ///
    /// Takes time in proportion to the number of sets and of queued changes.
    #[doc(hidden)]
    pub fn ownership_faults(&self) -> Vec<OwnershipFault> {
        let leaving: HashSet<SetId> =
            self.changes_to_make().flat_map(|change| &change.parts).filter_map(dropped).collect();
        let is_owned = |rows: SetId| {
            self.subs.by_rows(rows).is_some()
                || self.subs.retains(rows)
                || self.is_unclaimed(rows)
                || leaving.contains(&rows)
        };
        let mut faults = Vec::new();
        for held in self.cache.held() {
            if !is_owned(held.set) {
                faults.push(OwnershipFault::Orphaned(held));
            } else if self.subs.is_early(held.set) {
                faults.push(OwnershipFault::Early(held));
            }
        }
        let of_nobody = |rows: &SetId| !is_owned(*rows);
        faults.extend(self.cache.remembered().filter(of_nobody).map(OwnershipFault::Remembered));
        faults.extend(self.journaled().filter(of_nobody).map(OwnershipFault::Journaled));
        let mismarked = self.subs.names().filter(|(set, is_stale)| {
            !leaving.contains(set) && self.cache.is_marked_stale(*set) != *is_stale
        });
        let mismarked =
            mismarked.map(|(set, is_stale)| OwnershipFault::Mismarked { set, is_stale });
        faults.extend(mismarked);
        faults
    }
}

fn dropped(part: &Part) -> Option<SetId> {
    match part {
        Part::DropSet { set } => Some(*set),
        _ => None,
    }
}
