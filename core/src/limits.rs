//! The one home of limits.
//!
//! Everything that a peer or the application can make grow has a limit here, and the error that reaches it names the limit's
//! field. What is counted is what it takes, within a factor of two: not only a body, but what is kept beside it. A table of
//! all that grows, and of what happens at each limit, is in `ARCHITECTURE.md`.

/// Bytes of one token, whoever gives it: 16 KiB.
///
/// A token travels in one header line with every handshake and request. Servers and proxies take 8 to 16 KiB of those;
/// SpacetimeDB's own tokens have 400 bytes, and a provider's with many claims some thousands. It is no field of
/// [`Limits`], because a greater one would only move the refusal to where it says less.
pub const MAX_TOKEN_BYTES: usize = 16 << 10;

/// Ids of the server's that are remembered because temporary ones stood in their places: 65,536.
///
/// So many rows an application may still show under their old ids; they take some six megabytes. It is no field of
/// [`Limits`], because nobody needs another number.
pub const MAX_KNOWN_IDS: usize = 65_536;

/// Limits on what a client takes from a server.
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

    /// Bytes of frames that were received and are not applied yet, decompressed, and 128 bytes for each. 64 MiB.
    ///
    /// Above it the socket is not read until some of them are applied, so that the server feels it. One frame may
    /// exceed it by its own size.
    pub max_received_bytes: usize,

    /// Bytes of one message to the server, as it is sent: the call's name and arguments or the set's queries, and up to
    /// 20 bytes around them. 32 MiB.
    ///
    /// Exactly what a server takes: it closes the connection on one byte more.
    pub max_outgoing_bytes: usize,

    /// Calls and queries that the server has not answered. 8,192.
    ///
    /// Half of what a server queues for a client before it hangs up. More wait here until answers come.
    pub max_calls_in_flight: usize,

    /// Calls and queries that are not answered, those included that wait to be sent. 65,536.
    pub max_calls: usize,

    /// Bytes of calls and queries that are not answered: 512 for each, with its name and its arguments or its text. 256 MiB.
    ///
    /// A new one that exceeds it is refused. As much again may wait to be delivered where nobody ticks: answers, and refusals.
    pub max_call_bytes: usize,

    /// Bytes of query sets that are not over: a KiB for each, and its queries. 64 MiB.
    ///
    /// Those count that were ended and that the server has not confirmed. A new one that exceeds it is refused. Sets that are
    /// asked for once more to be [verified](crate::conn::Connection::verify) may take as much.
    pub max_query_set_bytes: usize,

    /// Connections that may end while a call that is sent again, such as one of an idempotent reducer, is the only one
    /// that is not answered; then it is given up, as [`Reply::Abandoned`](crate::conn::Reply::Abandoned). 3.
    ///
    /// A server that hangs up on a call does so each time it gets it, and nothing else gets through meanwhile. Once is an
    /// accident, and it costs seconds to make sure. Where the server closes with a code that does not say that it is going
    /// away, an end counts in full; any other may be the network's doing and counts half.
    pub max_call_losses: usize,

    /// Deleted rows that stay in memory because a held view may see them. 1,000,000.
    ///
    /// Above it the next message waits until views are let go of; receiving does not wait.
    pub max_dead_rows: usize,

    /// Bytes of such rows. 256 MiB.
    ///
    /// As with [`max_dead_rows`](Self::max_dead_rows): whichever is reached first. A row counts as its slot, and the size
    /// of its encoding where its type has strings or lists.
    pub max_dead_bytes: usize,

    /// Bytes that tables take whose rows a server sends and that the program does not mention, rows not counted: 2 KiB for
    /// each, and its name. 16 MiB.
    ///
    /// Eight thousand tables, where a module has a hundred. Above it those without rows are forgotten; where that makes no
    /// room, the socket is given up.
    pub max_table_bytes: usize,

    /// Bytes of frames that are kept while query sets are being resynced, until the last of them is answered. 256 MiB.
    ///
    /// Above it those that were answered are applied without the others, which stay as they were and are applied alone when
    /// their answers come.
    pub max_resync_bytes: usize,

    /// Bytes of events that one stream holds for a slow reader. 64 MiB.
    ///
    /// Above it the oldest are dropped, and the stream says how many. A stream may have less or more:
    /// `EventStream::max_bytes`.
    pub max_stream_bytes: usize,

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
        max_call_bytes: 256 << 20,
        max_query_set_bytes: 64 << 20,
        max_call_losses: 3,
        max_dead_rows: 1_000_000,
        max_dead_bytes: 256 << 20,
        max_table_bytes: 16 << 20,
        max_resync_bytes: 256 << 20,
        max_stream_bytes: 64 << 20,
        max_http_reply_bytes: 256 << 20,
    };

    /// Says which limit is none: 0, with which nothing would ever be received, sent or applied, or one that the protocol
    /// cannot keep.
    ///
    /// Clients are not made with such limits. A [`Connection`](crate::conn::Connection) takes the nearest that will do.
    ///
    /// # Errors
    ///
    /// [`LimitError`] for the first of them.
    pub fn check(&self) -> Result<(), LimitError> {
        let mut limits = *self;
        for Bounds { name, value, most } in limits.bounds() {
            if !(1..=most).contains(value) {
                return Err(LimitError { name, value: *value, most });
            }
        }
        Ok(())
    }

    /// The nearest limits that will do.
    pub(crate) fn clamped(mut self) -> Self {
        for Bounds { value, most, .. } in self.bounds() {
            *value = (*value).clamp(1, most);
        }
        self
    }

    fn bounds(&mut self) -> [Bounds<'_>; 17] {
        /// The most that any length in a message can say.
        const LEN_MAX: usize = u32::MAX as usize;
        // A field that is added has to be named here.
        let Self {
            max_frame_bytes,
            max_message_bytes,
            max_row_bytes,
            max_message_parts,
            max_received_bytes,
            max_outgoing_bytes,
            max_calls_in_flight,
            max_calls,
            max_call_bytes,
            max_query_set_bytes,
            max_call_losses,
            max_dead_rows,
            max_dead_bytes,
            max_table_bytes,
            max_resync_bytes,
            max_stream_bytes,
            max_http_reply_bytes,
        } = self;
        let any = |name, value| Bounds { name, value, most: usize::MAX };
        [
            any("max_frame_bytes", max_frame_bytes),
            any("max_message_bytes", max_message_bytes),
            any("max_row_bytes", max_row_bytes),
            any("max_message_parts", max_message_parts),
            any("max_received_bytes", max_received_bytes),
            Bounds { most: LEN_MAX, ..any("max_outgoing_bytes", max_outgoing_bytes) },
            any("max_calls_in_flight", max_calls_in_flight),
            any("max_calls", max_calls),
            any("max_call_bytes", max_call_bytes),
            any("max_query_set_bytes", max_query_set_bytes),
            any("max_call_losses", max_call_losses),
            any("max_dead_rows", max_dead_rows),
            any("max_dead_bytes", max_dead_bytes),
            any("max_table_bytes", max_table_bytes),
            any("max_resync_bytes", max_resync_bytes),
            any("max_stream_bytes", max_stream_bytes),
            any("max_http_reply_bytes", max_http_reply_bytes),
        ]
    }
}

/// A limit by its name, and the most that it may be.
struct Bounds<'a> {
    name: &'static str,
    value: &'a mut usize,
    most: usize,
}

/// A limit that is none: see [`Limits::check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the limit `{name}` is {value}, where it must be at least 1 and at most {most}")]
pub struct LimitError {
    /// The limit's field.
    pub name: &'static str,
    /// What it is.
    pub value: usize,
    /// The most that it may be.
    pub most: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_zero_are_refused_by_name() {
        assert_eq!(Limits::DEFAULT.check(), Ok(()));
        let count = { Limits::DEFAULT }.bounds().len();
        for at in 0..count {
            let mut limits = Limits::DEFAULT;
            let Bounds { name, value, .. } = &mut limits.bounds()[at];
            **value = 0;
            let name = *name;
            let error = limits.check().unwrap_err();
            assert_eq!((error.name, error.value), (name, 0));
            assert!(error.to_string().contains(name), "{error}");
            assert_eq!(limits.clamped().check(), Ok(()));
        }
    }

    #[test]
    fn messages_longer_than_lengths_can_say_are_refused() {
        let limits = Limits { max_outgoing_bytes: usize::MAX, ..Limits::DEFAULT };
        assert_eq!(limits.check().unwrap_err().name, "max_outgoing_bytes");
        assert_eq!(limits.clamped().max_outgoing_bytes, u32::MAX as usize);
    }
}
