//! Counters of a connection's work, done and pending.

use std::time::Duration;

use super::histogram::Histogram;

/// Work of a connection since it was made, over all its sockets, and its pending work.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Bytes that were read from sockets: compressed, parts of messages and the WebSocket's own included. See
    /// [`Receiving`](crate::conn::Receiving).
    pub socket_bytes_received: u64,
    /// Bytes of binary frames that came, as they came: compressed, without the WebSocket's own.
    pub bytes_received: u64,
    /// Bytes of messages that came, decompressed.
    pub message_bytes_received: u64,
    /// Binary frames that came.
    pub frames_received: u64,
    /// Messages that were read out of them.
    pub messages_received: u64,
    /// Bytes of binary frames that were sent.
    pub bytes_sent: u64,
    /// Binary frames that were sent.
    pub frames_sent: u64,
    /// Messages that were sent in them.
    pub messages_sent: u64,

    /// Changes of the cache that the application was told of.
    pub transactions: u64,
    /// Rows that came, changed or left in them; a change counts once. Events too.
    pub rows_changed: u64,

    /// Calls and queries that were answered by the server.
    pub calls_answered: u64,
    /// From sending each of those to the frame with its answer.
    pub round_trips: Histogram,

    /// Number of times that the server has greeted.
    pub connections: u64,
    /// Number of times that a connection was lost, or could not be made.
    pub losses: u64,
    /// Number of times that everything was loaded anew: what the server said did not fit what was here, and did not again when the
    /// query sets were asked for again. All rows that were here are replaced in one change, those of query sets that
    /// the server did not answer as well.
    pub reloads: u64,
    /// Number of times that the application was told that it is too slow.
    pub slow_notices: u64,

    /// Bytes that were received and wait to be read, now.
    pub bytes_waiting: usize,
    /// Changes that wait to be made, now.
    pub changes_waiting: usize,
    /// Events that wait to be delivered, now.
    pub events_waiting: usize,
    /// Calls and queries that wait to be sent, now.
    pub calls_waiting: usize,
    /// Calls and queries that wait for their answers, now.
    pub calls_in_flight: usize,
}

impl Stats {
    /// Counts the answer to a call, which came after this time.
    pub(in crate::conn) fn count_answer(&mut self, round_trip: Option<Duration>) {
        self.calls_answered += 1;
        if let Some(round_trip) = round_trip {
            self.round_trips.record(round_trip);
        }
    }

    /// Counts a transaction of this many rows.
    pub(in crate::conn) fn count_transaction(&mut self, rows: usize) {
        self.transactions += 1;
        self.rows_changed += rows as u64;
    }

    /// Number of times that the connection came back.
    pub fn reconnects(&self) -> u64 {
        self.connections.saturating_sub(1)
    }
}
