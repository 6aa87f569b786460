//! Catching up after a reconnect: answers to the query sets that were asked for again, until they are applied as one change.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::net::net_parts;
use crate::cache::{Part, SetId};
use crate::conn::apply::inbox::Frame;
use crate::conn::subscriptions::{Arrival, SubscriptionId};
use crate::deadline::after;

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
    /// They take the place of everything that is here: see
    /// [`Recovery`](crate::conn::lifecycle::recovery::Recovery).
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

/// Result of a resync.
#[derive(Debug)]
pub(in crate::conn) struct Resynced {
    pub(in crate::conn) parts: Vec<Part>,
    /// The sets whose rows these are.
    pub(in crate::conn) arrivals: Vec<Arrival>,
    /// They take the place of everything that is here.
    pub(in crate::conn) reloads: bool,
}

impl Resync {
    /// Waits for the answers of these sets.
    pub(in crate::conn) fn new(
        sets: Vec<SubscriptionId>,
        reloads: bool,
        until: Option<Instant>,
    ) -> Self {
        Self {
            pending: sets.into_iter().collect(),
            answered: Vec::new(),
            parts: Vec::new(),
            frames: KeptFrames::default(),
            reloads,
            until,
        }
    }

    /// Memory of the answers so far.
    pub(in crate::conn) fn bytes(&self) -> usize {
        self.frames.bytes + self.parts.len() * size_of::<Part>()
    }

    /// Time at which sets that are not answered are left as they are.
    pub(in crate::conn) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Gives the server this much longer.
    pub(in crate::conn) fn put_off(&mut self, time: Duration) {
        self.until = self.until.and_then(|until| after(until, time));
    }

    /// Returns `true` if a set is waited for.
    pub(in crate::conn) fn waits_for(&self, set: SubscriptionId) -> bool {
        self.pending.contains(&set)
    }

    /// Returns `true` if every set is answered, or not waited for any more.
    pub(in crate::conn) fn is_answered(&self) -> bool {
        self.pending.is_empty()
    }

    /// The server has answered a set that is waited for, with these rows.
    pub(in crate::conn) fn answered(
        &mut self,
        arrival: Arrival,
        frame: Frame,
        rows: impl Iterator<Item = Part>,
    ) {
        self.pending.remove(&arrival.set);
        self.answered.push(arrival);
        self.frames.add(frame);
        self.parts.extend(rows);
    }

    /// A change of a set that is being resynced: it belongs to the rows that came before it.
    pub(in crate::conn) fn changed(&mut self, frame: Frame, part: Part) {
        self.frames.add(frame);
        self.parts.push(part);
    }

    /// A set is no longer waited for.
    pub(in crate::conn) fn leave(&mut self, set: SubscriptionId) {
        self.pending.remove(&set);
        self.answered.retain(|answered| answered.set != set);
    }

    /// No set is waited for any longer; returns those that are not answered.
    pub(in crate::conn) fn stop_waiting(&mut self) -> BTreeSet<SubscriptionId> {
        std::mem::take(&mut self.pending)
    }

    /// Nets what came of the sets that still want it, together with the drops of their old rows.
    pub(in crate::conn) fn finish(self, is_wanted: impl FnMut(&Arrival) -> bool) -> Resynced {
        let Self { answered: mut arrivals, mut parts, reloads, .. } = self;
        // Of a set that has left meanwhile nothing comes in.
        arrivals.retain(is_wanted);
        let wanted: BTreeSet<SetId> = arrivals.iter().map(|arrival| arrival.rows).collect();
        parts.retain(|part| wanted.contains(&part.set()));
        let replaced = arrivals.iter().filter_map(|arrival| arrival.replaces);
        let mut parts = net_parts(parts);
        parts.extend(replaced.map(|set| Part::DropSet { set }));
        Resynced { parts, arrivals, reloads }
    }
}
