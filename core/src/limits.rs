//! The one home of limits.
//!
//! Everything that a peer can make grow has a limit here, and the error that reaches it names the limit's field.

/// How much of anything a client takes from a server.
///
/// The defaults let every honest database through and stop a hostile or broken one before it takes the memory of the
/// program. Each field says what it bounds, its default and why the default is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one frame as it was received: compressed, with its compression tag. 512 MiB.
    ///
    /// A server puts a large first subscription into one frame, uncompressed where compression is off, so the default
    /// is that of [`max_message_bytes`](Self::max_message_bytes).
    pub max_frame_bytes: usize,

    /// Bytes of one frame's messages, decompressed. 512 MiB.
    ///
    /// Six times a first subscription of a million rows of 80 bytes. A compressed frame can stand for a thousand
    /// times its size and more, so this is checked while decompressing.
    pub max_message_bytes: usize,

    /// Bytes of one encoded row. 64 MiB.
    ///
    /// Twice what a server takes in one message from a client; a module can make larger rows, but hardly means to.
    pub max_row_bytes: usize,

    /// Query sets, tables, row lists and queries that one message may name, all together. 1,048,576.
    ///
    /// Each of them is kept decoded in up to ten times the bytes that it takes on the wire, so a message of nothing
    /// else would take ten times its size. An honest message names a few a query set.
    pub max_message_parts: usize,

    /// Bytes of frames that were received and are not applied yet, decompressed. 64 MiB.
    ///
    /// Above it the socket is not read until some of them are applied, so that the server feels it. One frame may
    /// exceed it by its own size.
    pub max_received_bytes: usize,

    /// Bytes of one message to the server. 32 MiB.
    ///
    /// A server closes the connection on a larger one.
    pub max_outgoing_bytes: usize,

    /// Calls and queries that the server has not answered. 8,192.
    ///
    /// Half of what a server queues for a client before it hangs up. More wait here until answers come.
    pub max_calls_in_flight: usize,

    /// Calls and queries that are not answered, those included that wait to be sent. 65,536.
    pub max_calls: usize,

    /// Deleted rows that stay in memory because a held view may see them. 1,000,000.
    ///
    /// Above it the next message waits until views are let go of; receiving does not wait.
    pub max_dead_rows: usize,

    /// Bytes of one reply of the HTTP API, and of one line of a log that is followed. 256 MiB.
    ///
    /// Rows come as JSON, which takes about twice what they take on the socket; more of them are better subscribed to.
    pub max_http_reply_bytes: usize,
}

impl Limits {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        max_frame_bytes: 512 << 20,
        max_message_bytes: 512 << 20,
        max_row_bytes: 64 << 20,
        max_message_parts: 1 << 20,
        max_received_bytes: 64 << 20,
        max_outgoing_bytes: 32 << 20,
        max_calls_in_flight: 8192,
        max_calls: 65_536,
        max_dead_rows: 1_000_000,
        max_http_reply_bytes: 256 << 20,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
