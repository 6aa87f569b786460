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
}

impl Limits {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        max_frame_bytes: 512 << 20,
        max_message_bytes: 512 << 20,
        max_row_bytes: 64 << 20,
        max_message_parts: 1 << 20,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
