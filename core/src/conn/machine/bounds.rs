//! Checks that what the machine holds is within its limits, for tests to ask at any moment.

use super::Connection;

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
    /// What counts against the limit of this name is not what is there.
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
        let resync =
            self.resync.as_ref().map_or(0, crate::conn::subscriptions::resync::Resync::bytes);
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
