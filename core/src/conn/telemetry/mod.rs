//! Counters, durations and notices about a connection, and timers of the application.

pub(super) mod histogram;
pub(super) mod slow;
pub(super) mod stats;
pub(super) mod timers;
pub(super) mod times;
