//! Checks of bounds and of the ownership of rows, for tests to ask at any moment.

use std::collections::HashSet;

use super::Connection;
use crate::cache::{Held, Part, SetId};
use crate::conn::subscriptions::resync::Resync;

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

impl Connection {
    /// Bounds that do not hold. None, at any moment, where the driver reads only what
    /// [it may](Connection::can_receive), and no journal had more calls than may be made.
    #[doc(hidden)]
    pub fn bound_faults(&self) -> Vec<BoundFault> {
        let limits = &self.config.limits;
        let resync = self.resync.as_ref().map_or(0, Resync::bytes);
        let held = [
            // One frame may exceed it: the last, or the one under way.
            ("max_received_bytes", self.inbox.bytes_before_last(), limits.max_received_bytes),
            ("max_resync_bytes", resync, limits.max_resync_bytes),
            ("max_call_bytes", self.calls.bytes(), limits.max_call_bytes),
            ("max_query_set_bytes", self.subs.bytes(), limits.max_query_set_bytes),
            ("max_query_set_bytes", self.verifying.bytes(), limits.max_query_set_bytes),
        ];
        let exceeded = held.into_iter().filter(|(_, bytes, most)| bytes > most);
        let exceeded = exceeded.map(|(limit, bytes, _)| BoundFault::Exceeded { limit, bytes });
        let counts = [
            ("max_call_bytes", self.calls.bytes(), self.calls.recounted_bytes()),
            ("max_query_set_bytes", self.subs.bytes(), self.subs.recounted_bytes()),
        ];
        let miscounted = counts.into_iter().filter(|(_, counted, bytes)| counted != bytes);
        let miscounted = miscounted.map(|(limit, counted, bytes)| BoundFault::Miscounted {
            limit,
            counted,
            bytes,
        });
        exceeded.chain(miscounted).collect()
    }
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

impl Connection {
    /// Violations of the ownership of rows. None, at any moment: the union of the members of all row lists is a
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
                || self.journal.as_ref().is_some_and(|journal| journal.is_unclaimed(rows))
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
        let journaled = self.journal.iter().flat_map(|journal| journal.sets());
        let of_nobody = |rows: &SetId| !is_owned(*rows);
        faults.extend(self.cache.remembered().filter(of_nobody).map(OwnershipFault::Remembered));
        faults.extend(journaled.filter(of_nobody).map(OwnershipFault::Journaled));
        let held: HashSet<SetId> = self.cache.held().into_iter().map(|held| held.set).collect();
        let mismarked = self.subs.names().filter(|(set, is_stale)| {
            let is_known = held.contains(set) && !leaving.contains(set);
            is_known && self.cache.is_marked_stale(*set) != *is_stale
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

#[cfg(test)]
#[allow(dead_code, reason = "the machine's tests use all of it")]
#[path = "../../../tests/machine/item.rs"]
mod item;
#[cfg(test)]
#[allow(dead_code, reason = "the machine's tests use all of it")]
#[path = "../../../tests/machine/rig.rs"]
mod rig;

#[cfg(test)]
mod tests {
    use super::item::{Item, item};
    use super::rig::{Rig, applied, greeting, told};
    use super::*;
    use crate::cache::{Change, Step};
    use crate::conn::Config;
    use crate::wire::{ClientMessage, Protocol, RowList};

    /// A connection with a row without an owner, as no history ought to leave one.
    fn with_orphan() -> Rig {
        let mut rig = Rig::with(Config::default());
        rig.connection.register::<Item>().unwrap();
        let mut rig = rig.greeted(Protocol::V3);
        let rows = RowList::from_rows([item(1, 0).bytes(), item(2, 0).bytes()]);
        let (set, table) = (SetId(1000), "t".into());
        rig.connection.cache.begin(Change::of(vec![Part::Inserts { set, table, rows }]));
        assert!(matches!(rig.connection.cache.step(100), Step::Committed(_)));
        rig
    }

    /// Answers the one set that was asked for with another version of the row.
    fn answer(rig: &mut Rig) -> Vec<String> {
        let sent = rig.sent();
        let [ClientMessage::Subscribe { request_id, query_set_id, .. }] = sent[..] else {
            panic!("{sent:?}")
        };
        rig.server(applied(request_id, query_set_id, &[&item(1, 7).bytes()]));
        told(&rig.events_unchecked())
    }

    fn come_back(rig: &mut Rig) -> Vec<String> {
        let _ = rig.sleep();
        let _ = rig.actions();
        rig.connection.handle_opened(Protocol::V3);
        rig.server(greeting());
        told(&rig.events_unchecked())
    }

    #[test]
    fn orphaned_rows_are_found() {
        let rig = with_orphan();
        let faults = rig.connection.ownership_faults();
        let [OwnershipFault::Orphaned(held)] = &faults[..] else { panic!("{faults:?}") };
        assert_eq!((held.set, &*held.table, held.rows), (SetId(1000), "t", 2));
    }

    #[test]
    fn orphaned_rows_go_when_everything_reloads() {
        let mut rig = with_orphan();
        let _ = rig.connection.subscribe(vec!["SELECT * FROM t".into()]);
        assert_eq!(answer(&mut rig), ["Reconnecting"]);
        assert_eq!(come_back(&mut rig), ["Connected", "Ready"]);
        assert_eq!(answer(&mut rig), ["Reconnecting"], "it does not fit what is here");
        let reloaded = ["Connected", "Resyncing", "transaction: Resync", "Ready"];
        assert_eq!(come_back(&mut rig), reloaded);
        assert_eq!(answer(&mut rig), ["transaction: Applied", "set 0 applied"]);
        assert_eq!(rig.connection.ownership_faults(), []);
        assert_eq!(rig.connection.stats().reloads, 1);
        let view = rig.connection.reader().read();
        let items: Vec<Item> = view.table::<Item>().unwrap().iter().copied().collect();
        assert_eq!(items, [item(1, 7)]);
    }
}
