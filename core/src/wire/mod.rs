//! The messages of the protocol, and the frames that they travel in.
//!
//! From the socket up: a *frame* is what one WebSocket message carries; [`open_frame`] takes the compression off it.
//! Its *body* is one message on v2 and one or more on v3; [`decode_server`] reads them one by one. A *message* borrows
//! all that is long from the body, which is shared and not copied: names, arguments, errors, and rows as [`RowList`]s,
//! whose bounds are checked and whose contents are not looked at.
//!
//! Both directions are here, each with its encoder and its decoder: a client needs half of them, a test server the
//! other half. What messages mean, and what may follow what, is in the docs of each; what to do about it is the
//! connection's business.
//!
//! # Source
//!
//! `spacetimedb-client-api-messages` 2.14.0, `websocket/{common,v2,v3}.rs`, and recorded sessions of a 2.8.3 server.

#[cfg(feature = "brotli")]
mod brotli;
mod client;
mod cursor;
mod decompress;
mod error;
mod frame;
mod messages;
mod put;
mod rows;
mod server;
mod text;
mod update;

pub use client::{
    BatchSet, ClientMessage, encode_client, encode_procedure_call, encode_reducer_call,
};
pub(crate) use client::{call_len, query_len, subscribe_batch_len, subscribe_len};
pub use error::{WireError, WireErrorKind};
pub use frame::{COMPRESSION_THRESHOLD_BYTES, FrameError, FrameOpener, open_frame, seal_frame};
pub use messages::{Messages, decode_client, decode_server};
pub use rows::{RowIter, RowList};
pub use server::{BatchResult, ProcedureStatus, ReducerOutcome, ServerMessage, encode_server};
pub use text::{TableName, Text};
pub use update::{
    QueryRows, QuerySetUpdate, TableRows, TableUpdate, TransactionUpdate, UpdateRows,
};

use core::fmt;

/// The number of a request, chosen by the client; the answer carries it. Unique among a connection's open requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u32);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request {}", self.0)
    }
}

/// The number of a query set, chosen by the client. Unique among a connection's query sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuerySetId(pub u32);

impl fmt::Display for QuerySetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query set {}", self.0)
    }
}

/// A version of the protocol. Its messages are the same in both; what a frame holds differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// A frame is one message.
    V2,
    /// A frame is one or more messages.
    V3,
}

impl Protocol {
    /// All, the preferred one first.
    pub const ALL: [Self; 2] = [Self::V3, Self::V2];

    /// The name in the WebSocket handshake's `Sec-WebSocket-Protocol`.
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::V2 => "v2.bsatn.spacetimedb",
            Self::V3 => "v3.bsatn.spacetimedb",
        }
    }

    /// The version that a server chose, from the header of its reply. An empty one means v2.
    pub fn from_subprotocol(name: &str) -> Option<Self> {
        match name {
            "" => Some(Self::V2),
            name => Self::ALL.into_iter().find(|protocol| protocol.subprotocol() == name),
        }
    }
}

/// Compression of the server's frames. Chosen by the client at the handshake; nothing is compressed the other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// RFC 7932. Decompressed with the feature `brotli`, which is on by default.
    Brotli,
}

impl Compression {
    /// Returns `true` if this build can decompress it: all but [`Brotli`](Self::Brotli) without the feature `brotli`.
    pub const fn is_built(self) -> bool {
        !matches!(self, Self::Brotli) || cfg!(feature = "brotli")
    }

    /// The value of the handshake's `compression` parameter. Case matters.
    pub const fn query(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Gzip => "Gzip",
            Self::Brotli => "Brotli",
        }
    }

    /// Compression that `query` names.
    pub fn from_query(query: &str) -> Option<Self> {
        [Self::None, Self::Gzip, Self::Brotli]
            .into_iter()
            .find(|compression| compression.query() == query)
    }
}
