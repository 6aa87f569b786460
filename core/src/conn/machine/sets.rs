//! Query sets on their way to the server and back: sending, ending, resync and verification.

use std::collections::BTreeSet;
use std::time::Instant;

use super::Connection;
use crate::cache::{Change, Part, SetId};
use crate::conn::apply::changes::Then;
use crate::conn::apply::messages::excerpt;
use crate::conn::event::{Cause, Event, SetEnd, StaleReason};
use crate::conn::lifecycle::phase::State;
use crate::conn::subscriptions::resync::{Resync, Resynced};
use crate::conn::subscriptions::verify::{Asked, VerificationId};
use crate::conn::subscriptions::{Arrival, End, QuerySet, Stage, SubscriptionId, queries_bytes};
use crate::deadline::after;
use crate::guard::log;
use crate::wire::{
    BatchSet, ClientMessage, Protocol, QueryRows, QuerySetId, Text, subscribe_batch_len,
};

/// Sending and ending.
impl Connection {
    pub(super) fn send_set(&mut self, set: SubscriptionId) {
        let request_id = self.transmit.request_id();
        if let Some((query_set_id, queries)) = self.subs.send(set) {
            let queries = queries.iter().map(|query| Text::from(&**query)).collect();
            self.send(&ClientMessage::Subscribe { request_id, query_set_id, queries });
        }
    }

    pub(super) fn send_unsubscribe(&mut self, query_set_id: QuerySetId) {
        let request_id = self.transmit.request_id();
        // The cache knows which rows the set holds: they need not be sent.
        let send_dropped_rows = false;
        self.send(&ClientMessage::Unsubscribe { request_id, query_set_id, send_dropped_rows });
    }

    /// Does what is left to be done about a set that ends: tells the server, drops its rows, tells the application.
    pub(super) fn end_set(&mut self, set: SubscriptionId, end: End, reason: SetEnd) {
        match end {
            End::Nothing => (),
            End::Asked(wire) => self.send_unsubscribe(wire),
            End::Over { rows, wire } => {
                if let Some(wire) = wire {
                    self.send_unsubscribe(wire);
                }
                self.drop_set(set, rows, reason);
                self.leave_resync(set);
            }
        }
    }
}

/// Resync.
impl Connection {
    /// Asks again for every set that has rows. False if there is none.
    pub(super) fn start_resync(&mut self, now: Instant) -> bool {
        let State::Online { protocol, .. } = self.state else { return false };
        let stale = self.subs.at(Stage::Stale);
        let reloads = self.recovery.reloads();
        if stale.is_empty() && !reloads {
            return false;
        }
        let batched = protocol == Protocol::V3
            && stale.len() > 1
            && self.recovery.may_batch()
            && self.fits_in_batch(&stale);
        if batched {
            self.send_batch(&stale);
        } else {
            stale.iter().for_each(|set| self.send_set(*set));
        }
        let until = after(now, self.config.reconnect.resync_timeout);
        self.resync = Some(Resync::new(stale, reloads, until));
        self.finish_resync_if_answered();
        true
    }

    /// Returns `true` if one message may have all sets.
    fn fits_in_batch(&self, sets: &[SubscriptionId]) -> bool {
        let sets = sets.iter().filter_map(|set| self.subs.get(*set));
        let bytes = subscribe_batch_len(sets.map(QuerySet::queries));
        bytes <= self.config.limits.max_outgoing_bytes
    }

    /// One message for all sets: the server evaluates them at one point of its history.
    fn send_batch(&mut self, sets: &[SubscriptionId]) {
        let request_id = self.transmit.request_id();
        let sets = sets.iter().filter_map(|set| {
            let (query_set_id, queries) = self.subs.send(*set)?;
            let queries = queries.iter().map(|query| Text::from(&**query)).collect();
            Some(BatchSet { query_set_id, queries })
        });
        let message = ClientMessage::SubscribeBatch { request_id, sets: sets.collect() };
        self.recovery.batch_sent();
        self.send(&message);
    }

    /// The server has answered a set that was asked for again, with these rows.
    pub(super) fn resync_answered(&mut self, arrival: Arrival, rows: impl Iterator<Item = Part>) {
        let frame = self.inbox.frame();
        if let Some(resync) = &mut self.resync
            && resync.waits_for(arrival.set)
        {
            resync.answered(arrival, frame, rows);
            self.finish_resync_if_answered();
        } else if self.subs.join(&arrival) {
            // Too late to be part of the whole, or never part of it: a resync of its own.
            let drops = arrival.replaces.map(|set| Part::DropSet { set });
            let change = Change::of(rows.chain(drops).collect());
            self.bring(change, Cause::Resync, arrival);
        }
    }

    /// A change of a set that is being resynced.
    pub(super) fn resync_changed(&mut self, part: Part) {
        let frame = self.inbox.frame();
        if let Some(resync) = &mut self.resync {
            resync.changed(frame, part);
        }
    }

    /// The server refuses to resync a set.
    pub(super) fn resync_refused(&mut self, set: SubscriptionId, why: &str) {
        let reason = StaleReason::Refused(excerpt(why));
        self.events.push(Event::Stale { set, reason });
        self.leave_resync(set);
    }

    /// A set is no longer waited for.
    pub(super) fn leave_resync(&mut self, set: SubscriptionId) {
        if let Some(resync) = &mut self.resync {
            resync.leave(set);
            self.finish_resync_if_answered();
        }
    }

    /// Deadline after which sets that are not answered are left as they are. Not while a message is arriving: nothing behind it can.
    pub(super) fn resync_ends(&self) -> Option<Instant> {
        self.resync.as_ref()?.until().filter(|_| !self.arrivals.has_part())
    }

    /// A message was handled: where more is kept than may be, what is here is applied without the sets that are not answered.
    /// Their answers are a resync of their own.
    pub(super) fn bound_resync(&mut self) {
        let limit = self.config.limits.max_resync_bytes;
        if self.resync.as_ref().is_some_and(|resync| resync.bytes() > limit) {
            self.resync_without_the_rest(&StaleReason::NotGathered { limit });
        }
    }

    /// Sets that are not answered stay as they are.
    pub(super) fn resync_without_the_rest(&mut self, reason: &StaleReason) {
        let Some(resync) = &mut self.resync else { return };
        for set in resync.stop_waiting() {
            self.events.push(Event::Stale { set, reason: reason.clone() });
        }
        self.finish_resync_if_answered();
    }

    /// Applies what came as one change: rows that were there before and are there now are silent.
    fn finish_resync_if_answered(&mut self) {
        let Some(resync) = self.resync.take_if(|resync| resync.is_answered()) else { return };
        // One change drops the old names' rows and brings the new ones' in, so that a row on both sides is silent. It also
        // ends the predictions that no answer will end. `Ready` is its last consequence: calls wait until it is committed.
        let Resynced { parts, arrivals, reloads } =
            resync.finish(|arrival| self.subs.join(arrival));
        let change = Change { parts, ends: self.orphaned_mutations() };
        let mut then = vec![Then::Arrived(arrivals), Then::Ready];
        if reloads {
            then.insert(0, Then::Reloaded);
        }
        self.apply(change, Cause::Resync, then);
    }

    /// Drops that a change which replaces everything makes besides its own: all that the cache has, but for rows that
    /// are kept in step. It is asked when the change begins, because rows may have come since it was queued.
    pub(super) fn drops_of_the_rest(&self, change: &Change) -> Vec<Part> {
        let held = self.cache.held().into_iter().map(|held| held.set);
        let mut sets: BTreeSet<SetId> = held.chain(self.cache.remembered()).collect();
        sets.retain(|set| !self.subs.keeps_in_step(*set));
        let named: BTreeSet<SetId> = change.parts.iter().map(Part::set).collect();
        sets.difference(&named).map(|set| Part::DropSet { set: *set }).collect()
    }

    /// Everything was loaded anew.
    pub(super) fn reloaded(&mut self) {
        self.recovery.reloaded();
        self.stats.reloads += 1;
        if let Some(journal) = &mut self.journal {
            journal.forget_unclaimed();
        }
        log!(info, "everything was loaded anew");
    }
}

/// Verification.
impl Connection {
    /// Compares every set that is in step with what the server has now; [`Event::Verified`] tells what came of it.
    ///
    /// The server sends the rows of all sets once more. Comparing takes time and memory in proportion to them, at once.
    /// Nothing is compared where the sets of verifications that are not over would take more than
    /// [`max_query_set_bytes`](crate::limits::Limits::max_query_set_bytes): the server does not answer.
    pub fn verify(&mut self) -> VerificationId {
        let id = self.verifying.name();
        let sets = self.subs.at(Stage::Applied);
        if !self.can_verify(&sets) {
            self.events.push(Event::Verified { id, outcome: None });
            return id;
        }
        for &set in &sets {
            let (query_set_id, request_id) = (self.subs.new_wire(), self.transmit.request_id());
            let Some(query_set) = self.subs.get(set) else { continue };
            let bytes = queries_bytes(query_set.queries());
            let queries = query_set.queries().iter().map(|query| Text::from(&**query)).collect();
            self.verifying.ask(query_set_id, Asked { id, set, bytes });
            self.send(&ClientMessage::Subscribe { request_id, query_set_id, queries });
        }
        self.verifying.start(id, sets.len());
        self.verified_if_done(id);
        id
    }

    fn can_verify(&self, sets: &[SubscriptionId]) -> bool {
        let sets = sets.iter().filter_map(|set| self.subs.get(*set));
        let bytes: usize = sets.map(|set| queries_bytes(set.queries())).sum();
        let limit = self.config.limits.max_query_set_bytes;
        let is_online = self.ready && matches!(self.state, State::Online { .. });
        is_online && self.verifying.bytes() + bytes <= limit
    }

    /// The server says what a set has; false if that was not asked for.
    pub(super) fn compare_set(&mut self, wire: QuerySetId, rows: Option<&QueryRows>) -> bool {
        let Some(asked) = self.verifying.answered(wire) else { return false };
        let held = self.subs.get(asked.set).filter(|set| set.stage() == Stage::Applied);
        let found = held.zip(rows).map(|(held, rows)| {
            let count = rows.tables.iter().map(|list| list.rows.len() as u64).sum();
            (count, self.cache.compare(held.rows(), rows))
        });
        self.tell_panics();
        self.verifying.compared(asked, found);
        if rows.is_some() {
            self.verifying.end(wire);
            self.send_unsubscribe(wire);
        }
        self.verified_if_done(asked.id);
        true
    }

    fn verified_if_done(&mut self, id: VerificationId) {
        if let Some(verification) = self.verifying.take_done(id) {
            self.events.push(Event::Verified { id, outcome: Some(verification) });
        }
    }
}
