//! Time of day and idempotency keys of calls in the journal.

use std::time::Instant;

use crate::deadline::after;
use crate::journal::wall_after;
use crate::types::{Timestamp, Uuid};

/// The time of day, out of the machine's time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    at: Instant,
    wall: Timestamp,
}

impl Clock {
    pub(super) fn new(at: Instant, wall: Timestamp) -> Self {
        Self { at, wall }
    }

    /// The moment at which the time of day was told last.
    pub(super) fn at(&self) -> Instant {
        self.at
    }

    pub(super) fn wall(&self, now: Instant) -> Timestamp {
        wall_after(self.wall, now.saturating_duration_since(self.at))
    }

    /// Moment at which it is that time of day; now, if that is over.
    pub(super) fn instant(&self, now: Instant, wall: Timestamp) -> Option<Instant> {
        let left = wall.since(self.wall(now)).and_then(|left| left.to_duration());
        after(now, left.unwrap_or_default())
    }
}

/// SplitMix64, seeded with true randomness: idempotency keys need to be different, not secret.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// An idempotency key, greater than those of milliseconds before.
    pub(super) fn uuid(&mut self, wall: Timestamp) -> Uuid {
        let mut random = [0; 10];
        random[..8].copy_from_slice(&self.next().to_le_bytes());
        random[8..].copy_from_slice(&self.next().to_le_bytes()[..2]);
        Uuid::v7(wall, random)
    }
}
