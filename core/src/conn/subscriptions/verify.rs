//! Comparison of the cache with the server, on demand.
//!
//! Every set that is in step is asked for once more, under another name. The server evaluates it at one point of the
//! stream of its messages, at which the rows here ought to be the same. They are compared and not applied.

use std::collections::{BTreeMap, BTreeSet};

use crate::cache::Drift;
use crate::conn::{Connection, Event, State};
use crate::subs::{Stage, SubscriptionId, queries_bytes};
use crate::wire::{ClientMessage, QueryRows, QuerySetId, Text};

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
#[derive(Debug)]
struct Asked {
    id: VerificationId,
    set: SubscriptionId,
    /// Bytes that it takes until it is answered: its queries may wait to be sent.
    bytes: usize,
}

impl Verifying {
    /// Memory of the sets that the server has not answered, or not ended.
    pub(in crate::conn) fn bytes(&self) -> usize {
        self.bytes
    }

    fn ask(&mut self, wire: QuerySetId, asked: Asked) {
        self.bytes += asked.bytes;
        self.asked.insert(wire, asked);
    }

    fn answered(&mut self, wire: QuerySetId) -> Option<Asked> {
        let asked = self.asked.remove(&wire)?;
        self.bytes -= asked.bytes;
        Some(asked)
    }

    fn end(&mut self, wire: QuerySetId) {
        self.ending.insert(wire);
        self.bytes += queries_bytes(&[]);
    }

    /// Returns `true` if the server has answered everything that was asked for a comparison.
    pub(in crate::conn) fn is_idle(&self) -> bool {
        self.asked.is_empty() && self.ending.is_empty()
    }

    /// Returns `true` if the set is on the wire for this alone.
    pub(in crate::conn) fn has(&self, wire: QuerySetId) -> bool {
        self.asked.contains_key(&wire) || self.ending.contains(&wire)
    }

    /// The server has ended a set that was compared.
    pub(in crate::conn) fn ended(&mut self, wire: QuerySetId) -> bool {
        let ended = self.ending.remove(&wire);
        if ended {
            self.bytes -= queries_bytes(&[]);
        }
        ended
    }
}

impl Connection {
    /// Compares every set that is in step with what the server has now; [`Event::Verified`] tells what came of it.
    ///
    /// The server sends the rows of all sets once more. Comparing takes time and memory in proportion to them, at once.
    /// Nothing is compared where the sets of verifications that are not over would take more than
    /// [`max_query_set_bytes`](crate::limits::Limits::max_query_set_bytes): the server does not answer.
    pub fn verify(&mut self) -> VerificationId {
        let id = VerificationId(self.verifying.next);
        self.verifying.next += 1;
        let sets = self.subs.at(Stage::Applied);
        if !self.can_verify(&sets) {
            self.events.push_back(Event::Verified { id, outcome: None });
            return id;
        }
        for &set in &sets {
            let (wire, request_id) = (self.subs.new_wire(), self.request_id());
            let Some(query_set) = self.subs.get(set) else { continue };
            let bytes = queries_bytes(query_set.queries());
            let queries = query_set.queries().iter().map(|query| Text::from(&**query)).collect();
            self.verifying.ask(wire, Asked { id, set, bytes });
            self.send(&ClientMessage::Subscribe { request_id, query_set_id: wire, queries });
        }
        self.verifying.under_way.insert(id, (Verification::default(), sets.len()));
        self.verified_if_done(id);
        id
    }

    fn can_verify(&self, sets: &[SubscriptionId]) -> bool {
        let sets = sets.iter().filter_map(|set| self.subs.get(*set));
        let bytes: usize = sets.map(|set| queries_bytes(set.queries())).sum();
        let limit = self.config.limits.max_query_set_bytes;
        let is_online = self.ready && matches!(self.state, State::Online { .. });
        is_online && self.verifying.bytes + bytes <= limit
    }

    /// The server says what a set has; false if that was not asked for.
    pub(in crate::conn) fn compare_set(
        &mut self,
        wire: QuerySetId,
        rows: Option<&QueryRows>,
    ) -> bool {
        let Some(Asked { id, set, .. }) = self.verifying.answered(wire) else { return false };
        let held = self.subs.get(set).filter(|set| set.stage() == Stage::Applied);
        let drifts = held.zip(rows).map(|(held, rows)| self.cache.compare(held.rows(), rows));
        self.tell_panics();
        if let Some((verification, left)) = self.verifying.under_way.get_mut(&id) {
            *left -= 1;
            if let (Some(drifts), Some(rows)) = (drifts, rows) {
                verification.sets += 1;
                verification.rows +=
                    rows.tables.iter().map(|list| list.rows.len() as u64).sum::<u64>();
                verification.drifts.extend(drifts.into_iter().map(|drift| (set, drift)));
            }
        }
        if rows.is_some() {
            self.verifying.end(wire);
            let (request_id, send_dropped_rows) = (self.request_id(), false);
            self.send(&ClientMessage::Unsubscribe {
                request_id,
                query_set_id: wire,
                send_dropped_rows,
            });
        }
        self.verified_if_done(id);
        true
    }

    fn verified_if_done(&mut self, id: VerificationId) {
        if self.verifying.under_way.get(&id).is_some_and(|(_, left)| *left == 0)
            && let Some((verification, _)) = self.verifying.under_way.remove(&id)
        {
            self.events.push_back(Event::Verified { id, outcome: Some(verification) });
        }
    }

    /// There is no socket any more to hear from.
    pub(in crate::conn) fn give_up_verifying(&mut self) {
        let Verifying { next, under_way, .. } = std::mem::take(&mut self.verifying);
        self.verifying.next = next;
        for id in under_way.into_keys() {
            self.events.push_back(Event::Verified { id, outcome: None });
        }
    }
}
