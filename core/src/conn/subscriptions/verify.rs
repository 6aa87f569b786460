//! Comparison of the cache with the server, on demand.
//!
//! Every set that is in step is asked for once more, under another name. The server evaluates it at one point of the
//! stream of its messages, at which the rows here ought to be the same. They are compared and not applied.

use std::collections::{BTreeMap, BTreeSet};

use crate::cache::Drift;
use crate::conn::subscriptions::{SubscriptionId, queries_bytes};
use crate::wire::QuerySetId;

/// Names one verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VerificationId(pub u64);

/// Result of comparing the cache with the server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Verification {
    /// Number of query sets that were compared: those that were in step when it was asked for, and did not end
    /// meanwhile.
    pub sets: usize,
    /// Number of rows that the server sent for it.
    pub rows: u64,
    /// Differences of rows. None, unless something is wrong with the server, the connection or this client.
    pub drifts: Vec<(SubscriptionId, Drift)>,
}

/// The verifications under way.
#[derive(Debug, Default)]
pub(in crate::conn) struct Verifying {
    next: u64,
    under_way: BTreeMap<VerificationId, (Verification, usize)>,
    /// The sets on the wire that are there to be compared.
    asked: BTreeMap<QuerySetId, Asked>,
    /// Those that are compared and not ended.
    ending: BTreeSet<QuerySetId>,
    /// Bytes that these take.
    bytes: usize,
}

/// A set that is asked for once more, to be compared.
#[derive(Debug, Clone, Copy)]
pub(in crate::conn) struct Asked {
    pub(in crate::conn) id: VerificationId,
    pub(in crate::conn) set: SubscriptionId,
    /// Bytes that it takes until it is answered: its queries may wait to be sent.
    pub(in crate::conn) bytes: usize,
}

impl Verifying {
    /// An id for one more verification.
    pub(in crate::conn) fn name(&mut self) -> VerificationId {
        let id = VerificationId(self.next);
        self.next += 1;
        id
    }

    /// Starts a verification of this many sets.
    pub(in crate::conn) fn start(&mut self, id: VerificationId, sets: usize) {
        self.under_way.insert(id, (Verification::default(), sets));
    }

    /// A set is asked for under a name on the wire.
    pub(in crate::conn) fn ask(&mut self, wire: QuerySetId, asked: Asked) {
        self.bytes += asked.bytes;
        self.asked.insert(wire, asked);
    }

    /// The server has answered a set, if it was asked for to be compared.
    pub(in crate::conn) fn answered(&mut self, wire: QuerySetId) -> Option<Asked> {
        let asked = self.asked.remove(&wire)?;
        self.bytes -= asked.bytes;
        Some(asked)
    }

    /// A set that was asked for is compared with this many rows of the server, or cannot be.
    pub(in crate::conn) fn compared(&mut self, asked: Asked, found: Option<(u64, Vec<Drift>)>) {
        let Some((verification, left)) = self.under_way.get_mut(&asked.id) else { return };
        *left -= 1;
        if let Some((rows, drifts)) = found {
            verification.sets += 1;
            verification.rows += rows;
            verification.drifts.extend(drifts.into_iter().map(|drift| (asked.set, drift)));
        }
    }

    /// The result of a verification, once every set of it is compared.
    pub(in crate::conn) fn take_done(&mut self, id: VerificationId) -> Option<Verification> {
        let (_, left) = self.under_way.get(&id)?;
        if *left > 0 {
            return None;
        }
        self.under_way.remove(&id).map(|(verification, _)| verification)
    }

    /// The server is told to end a set that was compared.
    pub(in crate::conn) fn end(&mut self, wire: QuerySetId) {
        self.ending.insert(wire);
        self.bytes += queries_bytes(&[]);
    }

    /// The server has ended a set that was compared.
    pub(in crate::conn) fn ended(&mut self, wire: QuerySetId) -> bool {
        let ended = self.ending.remove(&wire);
        if ended {
            self.bytes -= queries_bytes(&[]);
        }
        ended
    }

    /// Forgets the verifications under way, and returns them: there is no socket any more to hear from.
    pub(in crate::conn) fn give_up(&mut self) -> impl Iterator<Item = VerificationId> + use<> {
        let Self { next, under_way, .. } = std::mem::take(self);
        self.next = next;
        under_way.into_keys()
    }

    /// Memory of the sets that the server has not answered, or not ended.
    pub(in crate::conn) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns `true` if the server has answered everything that was asked for a comparison.
    pub(in crate::conn) fn is_idle(&self) -> bool {
        self.asked.is_empty() && self.ending.is_empty()
    }

    /// Returns `true` if the set is on the wire for this alone.
    pub(in crate::conn) fn has(&self, wire: QuerySetId) -> bool {
        self.asked.contains_key(&wire) || self.ending.contains(&wire)
    }
}
