//! Catching up after a reconnect: the query sets are asked for again, and what came is applied as one change.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::net::net_parts;
use crate::cache::{Change, Part, SetId};
use crate::conn::apply::changes::Then;
use crate::conn::apply::inbox::Frame;
use crate::conn::apply::messages::excerpt;
use crate::conn::{Cause, Connection, Event, StaleReason, State};
use crate::deadline::after;
use crate::guard::log;
use crate::subs::{Arrival, QuerySet, Stage, SubscriptionId};
use crate::wire::{BatchSet, ClientMessage, Protocol, Text, subscribe_batch_len};

/// Answers to a resync so far.
#[derive(Debug)]
pub(in crate::conn) struct Resync {
    /// The sets that are not answered.
    pending: BTreeSet<SubscriptionId>,
    answered: Vec<Arrival>,
    /// The rows of those that are, and their changes since, in the server's order.
    parts: Vec<Part>,
    /// The frames that these keep.
    frames: KeptFrames,
    /// They take the place of everything that is here, whoever has it: see [`Recovery`](crate::conn::lifecycle::recovery::Recovery).
    reloads: bool,
    /// Time at which sets that are not answered are left as they are.
    until: Option<Instant>,
}

/// Memory kept by pieces of frames.
#[derive(Debug, Default)]
struct KeptFrames {
    last: Option<u64>,
    bytes: usize,
}

impl KeptFrames {
    /// A piece of a frame is kept, and so is all of it.
    fn add(&mut self, frame: Frame) {
        if self.last.replace(frame.number) != Some(frame.number) {
            self.bytes += frame.bytes;
        }
    }
}

impl Resync {
    /// Memory of the answers so far.
    pub(in crate::conn) fn bytes(&self) -> usize {
        self.frames.bytes + self.parts.len() * size_of::<Part>()
    }

    /// Gives the server this much longer.
    pub(in crate::conn) fn put_off(&mut self, time: Duration) {
        self.until = self.until.and_then(|until| after(until, time));
    }
}

impl Connection {
    /// Asks again for every set that has rows. False if there is none.
    pub(in crate::conn) fn start_resync(&mut self, now: Instant) -> bool {
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
        self.resync = Some(Resync {
            pending: stale.into_iter().collect(),
            answered: Vec::new(),
            parts: Vec::new(),
            frames: KeptFrames::default(),
            reloads,
            until: after(now, self.config.reconnect.resync_timeout),
        });
        self.finish_resync_if_answered();
        true
    }

    /// Whether one message may have all sets.
    fn fits_in_batch(&self, sets: &[SubscriptionId]) -> bool {
        let sets = sets.iter().filter_map(|set| self.subs.get(*set));
        let bytes = subscribe_batch_len(sets.map(QuerySet::queries));
        bytes <= self.config.limits.max_outgoing_bytes
    }

    /// One message for all sets: the server evaluates them at one point of its history.
    fn send_batch(&mut self, sets: &[SubscriptionId]) {
        let request_id = self.request_id();
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
    pub(in crate::conn) fn resync_answered(
        &mut self,
        arrival: Arrival,
        rows: impl Iterator<Item = Part>,
    ) {
        let frame = self.inbox.frame();
        if let Some(resync) = &mut self.resync
            && resync.pending.remove(&arrival.set)
        {
            resync.answered.push(arrival);
            resync.frames.add(frame);
            resync.parts.extend(rows);
            self.finish_resync_if_answered();
        } else if self.subs.join(&arrival) {
            // Too late to be part of the whole, or never part of it: a resync of its own.
            let drops = arrival.replaces.map(|set| Part::DropSet { set });
            let change = Change::of(rows.chain(drops).collect());
            self.bring(change, Cause::Resync, arrival);
        }
    }

    /// A change of a set that is being resynced: it belongs to the rows that came before it.
    pub(in crate::conn) fn resync_changed(&mut self, part: Part) {
        let frame = self.inbox.frame();
        if let Some(resync) = &mut self.resync {
            resync.frames.add(frame);
            resync.parts.push(part);
        }
    }

    /// The server refuses to resync a set.
    pub(in crate::conn) fn resync_refused(&mut self, set: SubscriptionId, why: &str) {
        let reason = StaleReason::Refused(excerpt(why));
        self.events.push_back(Event::Stale { set, reason });
        self.leave_resync(set);
    }

    /// A set is no longer waited for.
    pub(in crate::conn) fn leave_resync(&mut self, set: SubscriptionId) {
        if let Some(resync) = &mut self.resync {
            resync.pending.remove(&set);
            resync.answered.retain(|answered| answered.set != set);
            self.finish_resync_if_answered();
        }
    }

    /// When the sets that are not answered are left as they are. Not while a message is arriving: nothing behind it can.
    pub(in crate::conn) fn resync_ends(&self) -> Option<Instant> {
        self.resync.as_ref()?.until.filter(|_| !self.arrivals.has_part())
    }

    /// Time is up: sets that are not answered stay as they are.
    pub(in crate::conn) fn resync_timed_out(&mut self) {
        self.resync_without_the_rest(&StaleReason::NotAnswered);
    }

    /// A message was handled: where more is kept than may be, what is here is applied without the sets that are not answered.
    /// Their answers are a resync of their own.
    pub(in crate::conn) fn bound_resync(&mut self) {
        let limit = self.config.limits.max_resync_bytes;
        if self.resync.as_ref().is_some_and(|resync| resync.bytes() > limit) {
            self.resync_without_the_rest(&StaleReason::NotGathered { limit });
        }
    }

    fn resync_without_the_rest(&mut self, reason: &StaleReason) {
        let Some(resync) = &mut self.resync else { return };
        for set in std::mem::take(&mut resync.pending) {
            self.events.push_back(Event::Stale { set, reason: reason.clone() });
        }
        self.finish_resync_if_answered();
    }

    /// Applies what came as one change: rows that were there before and are there now are silent.
    fn finish_resync_if_answered(&mut self) {
        if !self.resync.as_ref().is_some_and(|resync| resync.pending.is_empty()) {
            return;
        }
        let Some(resync) = self.resync.take() else { return };
        let Resync { mut answered, mut parts, reloads, .. } = resync;
        // Of a set that has left meanwhile nothing comes in.
        answered.retain(|arrival| self.subs.join(arrival));
        let wanted: BTreeSet<SetId> = answered.iter().map(|arrival| arrival.rows).collect();
        parts.retain(|part| wanted.contains(&part.set()));
        let replaced = answered.iter().filter_map(|arrival| arrival.replaces);
        let mut parts = net_parts(parts);
        parts.extend(replaced.map(|set| Part::DropSet { set }));
        let change = Change { parts, ends: self.orphaned_mutations() };
        let mut then = vec![Then::Arrived(answered), Then::Ready];
        if reloads {
            then.insert(0, Then::Reloaded);
        }
        self.apply(change, Cause::Resync, then);
    }

    /// What a change that takes the place of everything drops besides what it says: all that the cache has, but for rows that
    /// are kept in step. It is asked when the change begins, because rows may have come since it was queued.
    pub(in crate::conn) fn drops_of_the_rest(&self, change: &Change) -> Vec<Part> {
        let held = self.cache.held().into_iter().map(|held| held.set);
        let mut sets: BTreeSet<SetId> = held.chain(self.cache.remembered()).collect();
        sets.retain(|set| !self.subs.keeps_in_step(*set));
        let named: BTreeSet<SetId> = change.parts.iter().map(Part::set).collect();
        sets.difference(&named).map(|set| Part::DropSet { set: *set }).collect()
    }

    /// Everything was loaded anew.
    pub(in crate::conn) fn reloaded(&mut self) {
        self.recovery.reloaded();
        self.stats.reloads += 1;
        self.forget_unclaimed();
        log!(info, "everything was loaded anew");
    }
}
