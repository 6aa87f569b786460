//! Facts about an answered call besides its result.

use std::time::Duration;

use lightlike_core::conn::{CallTimes, Reply};
use lightlike_core::types::Timestamp;

use crate::calls::CallError;

/// Result of a call, its time, and its duration.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome<T, E> {
    /// Result, the same that awaiting the call gives.
    pub result: Result<T, CallError<E>>,
    /// Time at which the server ran it, by its clock, if it did and said so.
    pub timestamp: Option<Timestamp>,
    /// Times of its phases.
    pub latency: Latency,
}

impl<T, E> Outcome<T, E> {
    pub(crate) fn new(result: Result<T, CallError<E>>, reply: &Reply, times: CallTimes) -> Self {
        Self { result, timestamp: timestamp(reply), latency: Latency::new(reply, times) }
    }

    /// Of a call that nobody answered.
    pub(crate) fn unknown(result: Result<T, CallError<E>>) -> Self {
        Self { result, timestamp: None, latency: Latency::default() }
    }
}

/// Times of a call's phases; `None` for what did not happen, such as an answer to a call that timed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Latency {
    /// From the call to its place in a frame: it waited for a connection, or for the answers of others.
    pub queued: Option<Duration>,
    /// From there to the frame with the answer: the network, both ways, and the server.
    pub round_trip: Option<Duration>,
    /// Duration on the server by its own word, which is part of `round_trip`. It says so of procedures only.
    pub server: Option<Duration>,
    /// From there until the answer's rows were in the cache.
    pub applying: Option<Duration>,
}

impl Latency {
    pub(crate) fn new(reply: &Reply, times: CallTimes) -> Self {
        let server = match reply {
            Reply::Returned { duration, .. } => u64::try_from(duration.as_micros()).ok(),
            _ => None,
        };
        Self {
            queued: times.queued(),
            round_trip: times.round_trip(),
            server: server.map(Duration::from_micros),
            applying: times.applying(),
        }
    }

    /// The round trip without what the server says that it took.
    pub fn network(&self) -> Option<Duration> {
        Some(self.round_trip?.saturating_sub(self.server?))
    }

    /// From the call until its rows were in the cache.
    pub fn total(&self) -> Option<Duration> {
        Some(self.queued? + self.round_trip? + self.applying?)
    }
}

/// Time at which the server ran a call, by its clock.
pub(crate) fn timestamp(reply: &Reply) -> Option<Timestamp> {
    match reply {
        Reply::Committed { timestamp, .. }
        | Reply::Rejected { timestamp, .. }
        | Reply::Returned { timestamp, .. } => Some(*timestamp),
        _ => None,
    }
}
