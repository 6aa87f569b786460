//! Checks of bounds and of the ownership of rows, for tests to ask at any moment.

use std::collections::HashSet;

use super::persistence::Journal;
use super::subscriptions::Subscriptions;
use crate::cache::{Cache, Change, Held, Part, SetId};

/// Memory beyond a limit, or counted wrongly.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoundFault {
    /// More is held than the limit of this name allows.
    Exceeded {
        /// The field of [`Limits`](crate::limits::Limits).
        limit: &'static str,
        /// Bytes that are held.
        bytes: usize,
    },
    /// The bytes that are counted against the limit of this name are not those that are there.
    Miscounted {
        /// The field of [`Limits`](crate::limits::Limits).
        limit: &'static str,
        /// Bytes that are counted.
        counted: usize,
        /// Bytes that are there.
        bytes: usize,
    },
}

/// Limits that are exceeded. Each of `held` is a limit's name, the bytes that are held, and the most that may be.
pub(super) fn exceeded(held: &[(&'static str, usize, usize)]) -> impl Iterator<Item = BoundFault> {
    let exceeded = held.iter().filter(|(_, bytes, most)| bytes > most);
    exceeded.map(|&(limit, bytes, _)| BoundFault::Exceeded { limit, bytes })
}

/// Limits that are counted wrongly. Each of `counts` is a limit's name, the bytes that are counted, and those that are there.
pub(super) fn miscounted(
    counts: &[(&'static str, usize, usize)],
) -> impl Iterator<Item = BoundFault> {
    let miscounted = counts.iter().filter(|(_, counted, bytes)| counted != bytes);
    miscounted.map(|&(limit, counted, bytes)| BoundFault::Miscounted { limit, counted, bytes })
}

/// A row of the cache without an owner, or a set whose rows are not what its stage says.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnershipFault {
    /// No set, set of an earlier run, or queued drop has these rows: they would stay for ever.
    Orphaned(Held),
    /// A set has rows before its first answer.
    Early(Held),
    /// A set's rows are marked as stale and are kept in step, or the other way round.
    Mismarked {
        /// The set.
        set: SetId,
        /// `true` if its rows ought to be marked.
        is_stale: bool,
    },
    /// Something is remembered of a set without an owner.
    Remembered(SetId),
    /// The journal has rows of a set without an owner.
    Journaled(SetId),
}

/// Violations of the ownership of rows: the union of the members of all row lists is a subset of the names that sets own, rows
/// of an earlier run that were not asked for yet, and those for which a drop is among the changes `to_make`.
pub(super) fn ownership_faults<'c>(
    cache: &Cache,
    subs: &Subscriptions,
    journal: Option<&Journal>,
    to_make: impl Iterator<Item = &'c Change>,
) -> Vec<OwnershipFault> {
    let leaving: HashSet<SetId> =
        to_make.flat_map(|change| &change.parts).filter_map(dropped).collect();
    let is_owned = |rows: SetId| {
        subs.by_rows(rows).is_some()
            || subs.retains(rows)
            || journal.is_some_and(|journal| journal.is_unclaimed(rows))
            || leaving.contains(&rows)
    };
    let mut faults = Vec::new();
    for held in cache.held() {
        if !is_owned(held.set) {
            faults.push(OwnershipFault::Orphaned(held));
        } else if subs.is_early(held.set) {
            faults.push(OwnershipFault::Early(held));
        }
    }
    let has_no_owner = |rows: &SetId| !is_owned(*rows);
    let journaled = journal.into_iter().flat_map(Journal::sets);
    faults.extend(cache.remembered().filter(has_no_owner).map(OwnershipFault::Remembered));
    faults.extend(journaled.filter(has_no_owner).map(OwnershipFault::Journaled));
    let held: HashSet<SetId> = cache.held().into_iter().map(|held| held.set).collect();
    let mismarked = subs.names().filter(|(set, is_stale)| {
        let is_known = held.contains(set) && !leaving.contains(set);
        is_known && cache.is_marked_stale(*set) != *is_stale
    });
    faults.extend(mismarked.map(|(set, is_stale)| OwnershipFault::Mismarked { set, is_stale }));
    faults
}

fn dropped(part: &Part) -> Option<SetId> {
    match part {
        Part::DropSet { set } => Some(*set),
        _ => None,
    }
}
