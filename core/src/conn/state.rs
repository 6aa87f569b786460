//! The states of a connection, and the reasons for leaving them.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cache::OutOfSync;
use crate::types::Identity;
use crate::wire::{FrameError, Protocol, WireError};

/// Where a connection is, as the application sees it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConnectionState {
    /// Not started yet.
    Idle,
    /// A socket is being opened, or the server has not greeted yet.
    Connecting,
    /// The socket is back; the query sets are not all answered yet, and rows may be stale.
    Resyncing,
    /// Greeted, and every query set is in step with the server.
    Ready,
    /// The socket was lost and will be opened again. Rows are as they were.
    Reconnecting {
        /// How many attempts failed since it was lost.
        attempt: u32,
        /// When the next one starts.
        next_at: Instant,
        /// Why the last one failed.
        reason: Lost,
    },
    /// The server does not accept the token. Another one is waited for.
    NeedsAuth(Lost),
    /// It is over, and will not come back by itself.
    Closed(CloseReason),
}

/// Why a connection is closed for good.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CloseReason {
    /// The application closed it, or let go of its last handle.
    Requested,
    /// It could not be made, or was lost.
    Lost(Lost),
}

/// Why there is no socket, or no longer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Lost {
    /// The socket could not be opened.
    #[error("cannot connect to the server")]
    Dial(#[source] DialError),
    /// The server opened the socket and did not greet.
    #[error("the server did not greet within {0:?}")]
    NotGreeted(Duration),
    /// The server sent a close frame.
    #[error("the server closed the connection with code {code}: {reason}")]
    Closed {
        /// The WebSocket close code.
        code: u16,
        /// The server's words, perhaps none.
        reason: Box<str>,
    },
    /// The socket ended without a close frame.
    #[error(
        "the server hung up without a word; a `client_connected` reducer that refuses looks like this too"
    )]
    HungUp,
    /// Reading or writing failed.
    #[error("the socket failed")]
    Io(#[source] Arc<io::Error>),
    /// Nothing was heard for too long.
    #[error("nothing was heard from the server for {0:?}")]
    Silent(Duration),
    /// A frame could not be opened.
    #[error("cannot open a frame of the server's")]
    Frame(#[source] FrameError),
    /// A message could not be decoded.
    #[error("cannot decode a message of the server's")]
    Wire(#[source] WireError),
    /// A message could not be applied.
    #[error("a message of the server's does not follow from those before it")]
    OutOfSync(#[source] OutOfSync),
    /// A message came that the protocol does not allow here.
    #[error("the server broke the protocol: {0}")]
    Violation(&'static str),
    /// The server takes the same token for somebody else than before.
    #[error(
        "the server took us for {before} and now takes us for {now}; the rows here are not this identity's"
    )]
    IdentityChanged {
        /// Who we were.
        before: Identity,
        /// Who we are now.
        now: Identity,
    },
}

/// Why a socket could not be opened.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The name did not resolve, the server refused, or the network failed.
    #[error("cannot reach {authority}")]
    Io {
        /// Host and port.
        authority: Box<str>,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// It took too long.
    #[error("no connection within {0:?}; `connect_timeout` says how long to wait")]
    TimedOut(Duration),
    /// The server's certificate, or TLS itself.
    #[error("TLS failed")]
    Tls(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The server answered the handshake with another status than 101.
    #[error("the server answered with HTTP status {status}: {body}")]
    Status {
        /// The status.
        status: u16,
        /// The start of the body.
        body: Box<str>,
    },
    /// There is no token that the server would accept.
    #[error("no token is to be had")]
    NoToken(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The server chose a protocol that was not offered.
    #[error(
        "the server speaks {0:?}; this client speaks {v3} and {v2}, as every 2.x server does",
        v3 = Protocol::V3.subprotocol(), v2 = Protocol::V2.subprotocol()
    )]
    Protocol(Box<str>),
    /// The server's answer is not a WebSocket handshake.
    #[error("the server's answer is not a WebSocket handshake")]
    Handshake(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl Lost {
    /// Whether trying again can help without anything being changed first.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Dial(DialError::Status { status, .. }) => *status >= 500 || *status == 429,
            Self::Dial(
                DialError::Protocol(_)
                | DialError::Tls(_)
                | DialError::Handshake(_)
                | DialError::NoToken(_),
            ) => false,
            Self::Dial(DialError::Io { source, .. }) => source.kind() != io::ErrorKind::Unsupported,
            Self::Dial(DialError::TimedOut(_)) => true,
            Self::NotGreeted(_) | Self::HungUp | Self::Io(_) | Self::Silent(_) => true,
            Self::Closed { .. } => true,
            Self::Frame(_) | Self::Wire(_) | Self::OutOfSync(_) | Self::Violation(_) => true,
            Self::IdentityChanged { .. } => false,
        }
    }

    /// Whether the server said something that cannot be: the same again, without anything in between, is no accident.
    pub(super) fn is_fault(&self) -> bool {
        matches!(self, Self::Frame(_) | Self::Wire(_) | Self::OutOfSync(_) | Self::Violation(_))
    }

    /// Whether another token may help: the server does not accept this one (401, 403), or there is none.
    pub fn needs_auth(&self) -> bool {
        matches!(
            self,
            Self::Dial(DialError::Status { status: 401 | 403, .. } | DialError::NoToken(_))
        )
    }

    /// The HTTP status that the handshake failed with, if it did.
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Self::Dial(DialError::Status { status, .. }) => Some(*status),
            _ => None,
        }
    }
}
