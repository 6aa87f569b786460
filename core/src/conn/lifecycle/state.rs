//! The states of a connection, and the reasons for leaving them.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, io, mem};

use crate::cache::OutOfSync;
use crate::guard::Panic;
use crate::secret::InvalidToken;
use crate::types::Identity;
use crate::whole::Whole;
use crate::wire::{FrameError, Protocol, WireError};

/// State of a connection, as the application sees it.
///
/// Two states are equal if they say the same.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// Not started yet.
    Idle,
    /// A socket is being opened, or the server has not greeted yet.
    Connecting,
    /// The socket is back; the query sets are not all answered yet, and rows may be stale.
    Resyncing,
    /// Greeted, and every query set whose first rows have come is in step with the server.
    ///
    /// A set's own handle says whether its first rows have come; how far they are, [`Receiving`](crate::conn::Receiving).
    Ready,
    /// The socket was lost and will be opened again. Rows are as they were.
    Reconnecting {
        /// Number of attempts that failed since it was lost.
        attempt: u32,
        /// Start of the next one; about a century away if none will by itself.
        next_at: Instant,
        /// Reason for which the last one failed.
        reason: Lost,
    },
    /// The server does not accept the token. Another one is waited for; where the server has greeted before, this one is
    /// also tried again every [`auth_pause`](crate::conn::Reconnect::auth_pause).
    NeedsAuth(Lost),
    /// It is over, and will not come back by itself.
    Closed(CloseReason),
}

/// In words, such as `reconnecting (3 failed): the server hung up ..`.
impl fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle => f.write_str("not started"),
            Self::Connecting => f.write_str("connecting"),
            Self::Resyncing => f.write_str("connected, and catching up"),
            Self::Ready => f.write_str("ready"),
            Self::Reconnecting { attempt, reason, .. } => {
                write!(f, "reconnecting ({attempt} failed): {reason}")
            }
            Self::NeedsAuth(reason) => write!(f, "waiting for another token: {reason}"),
            Self::Closed(reason) => write!(f, "closed: {reason}"),
        }
    }
}

/// Reason for which a connection is closed for good.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The application closed it, or let go of its last handle.
    Requested,
    /// It could not be made, or was lost.
    Lost(Lost),
    /// Code of the application panicked where the client could not go on without it. Every call was answered all the same.
    Panicked(Panic),
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested => f.write_str("by the application"),
            Self::Lost(lost) => lost.fmt(f),
            Self::Panicked(panic) => write!(f, "because {panic}"),
        }
    }
}

/// Reason for which there is no socket, or no longer.
///
/// Two are equal if they are of one kind and say the same.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Lost {
    /// The socket could not be opened.
    #[error("{0}")]
    Dial(DialError),
    /// The server opened the socket and did not greet.
    #[error("the server did not greet within {0:?}; `connect_timeout` says how long to wait")]
    NotGreeted(Duration),
    /// The server sent a close frame.
    #[error("the server closed the connection with code {code}{}", said(reason))]
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
    #[error("the socket failed: {}", Whole(&**.0))]
    Io(Arc<io::Error>),
    /// Nothing was heard for too long.
    #[error("nothing was heard from the server for {0:?}; `idle_timeout` says how long to wait")]
    Silent(Duration),
    /// A frame could not be opened.
    #[error("cannot take a frame of the server's: {0}")]
    Frame(FrameError),
    /// A message could not be decoded.
    #[error("cannot read a message of the server's: {0}")]
    Wire(WireError),
    /// A message could not be applied.
    #[error("a message of the server's does not follow from those before it: {0}")]
    OutOfSync(OutOfSync),
    /// A message came that the protocol does not allow here.
    #[error("the server broke the protocol: {0}")]
    Violation(&'static str),
    /// The server gave a token that cannot be one: it is neither kept nor sent back.
    #[error(
        "the server greeted with a token that cannot be one, which is neither kept nor sent back: {0}"
    )]
    Token(InvalidToken),
    /// The server takes the token for somebody else than before.
    #[error(
        "the server took us for {before} and now takes us for {now}; the rows here are not this identity's: \
         `switch_user` becomes another user"
    )]
    IdentityChanged {
        /// Identity before.
        before: Identity,
        /// Identity now.
        now: Identity,
    },
}

/// Errors of opening a socket.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The name did not resolve, the server refused, or the network failed.
    #[error("cannot reach {authority}: {}", Whole(&**.source))]
    Io {
        /// Host and port.
        authority: Box<str>,
        /// Error of the system.
        r#source: Arc<io::Error>,
    },
    /// It took too long.
    #[error("no connection within {0:?}; `connect_timeout` says how long to wait")]
    TimedOut(Duration),
    /// The server's certificate, or TLS itself.
    #[error("TLS failed: {}", Whole(&**.0))]
    Tls(Arc<dyn std::error::Error + Send + Sync>),
    /// The handshake was answered with another status than 101.
    #[error("{}", answered(*status, body, location.as_deref(), *origin))]
    Status {
        /// The status.
        status: u16,
        /// The start of the body: one line, without control characters, and without the token should it be in there.
        body: Box<str>,
        /// Location that the answer points to, cleaned as the body is.
        location: Option<Box<str>>,
        /// Pause that the answer asks for.
        retry_after: Option<Duration>,
        /// Origin of the answer, as far as it shows.
        origin: AnswerOrigin,
    },
    /// The proxy cannot be reached, or opens no tunnel to the server.
    #[error("no way through the proxy {proxy}: {source}")]
    Proxy {
        /// Host and port of the proxy.
        proxy: Box<str>,
        /// The failure.
        r#source: Arc<Self>,
    },
    /// There is no token that the server would accept.
    #[error("no token is to be had: {}", Whole(&**.0))]
    NoToken(Arc<dyn std::error::Error + Send + Sync>),
    /// The handshake cannot be written: a header of the application's has characters that no header has.
    #[error("the handshake cannot be written: {}", Whole(&**.0))]
    Request(Arc<dyn std::error::Error + Send + Sync>),
    /// The application's own code panicked while it opened a stream, asked for a token, or checked a certificate.
    #[error("code of the application panicked while a socket was being opened: {0}")]
    Panicked(Box<str>),
    /// The server chose a protocol that was not offered.
    #[error(
        "the server speaks {0:?}; this client speaks {v3} and {v2}, as every 2.x server does",
        v3 = Protocol::V3.subprotocol(), v2 = Protocol::V2.subprotocol()
    )]
    Protocol(Box<str>),
    /// The server's answer is not a WebSocket handshake.
    #[error("the server's answer is not a WebSocket handshake: {}", Whole(&**.0))]
    Handshake(Arc<dyn std::error::Error + Send + Sync>),
}

/// Origin of the answer to a handshake that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AnswerOrigin {
    /// SpacetimeDB itself: the answer has its headers or its words.
    Server,
    /// Something on the way, such as a captive portal or a proxy: the answer is HTML, or asks for a sign-in of HTTP's own.
    Elsewhere,
    /// The answer does not show it.
    #[default]
    Unknown,
}

/// Bytes of a body that are shown.
const EXCERPT_CHARS: usize = 160;

fn answered(status: u16, body: &str, location: Option<&str>, origin: AnswerOrigin) -> String {
    let mut text = format!("{origin} answered with HTTP status {status}");
    if let Some(location) = location {
        text.push_str(", Location: ");
        text.push_str(location);
    }
    if !body.is_empty() {
        text.push_str(": ");
        text.extend(body.chars().take(EXCERPT_CHARS));
        if body.chars().nth(EXCERPT_CHARS).is_some() {
            text.push_str(" ..");
        }
    }
    text
}

/// Text of a peer, behind a colon; nothing if it said nothing.
fn said(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

impl PartialEq for Lost {
    fn eq(&self, other: &Self) -> bool {
        // What the system said has no equality, but its text has.
        mem::discriminant(self) == mem::discriminant(other) && self.to_string() == other.to_string()
    }
}

impl Eq for Lost {}

impl DialError {
    /// A status and a body, and nothing else that is known of the answer.
    pub fn status(status: u16, body: impl Into<Box<str>>) -> Self {
        let (body, origin) = (body.into(), AnswerOrigin::Unknown);
        Self::Status { status, body, location: None, retry_after: None, origin }
    }

    /// Returns `true` if the runtime that this runs in has no I/O.
    fn has_no_io(&self) -> bool {
        match self {
            Self::Io { source, .. } => source.kind() == io::ErrorKind::Unsupported,
            Self::Proxy { source, .. } => source.has_no_io(),
            _ => false,
        }
    }

    /// Returns `true` if the server does not accept the token (401, 403), as far as the answer is its own.
    pub fn refuses_token(&self) -> bool {
        matches!(self, Self::Status { status: 401 | 403, origin, .. } if *origin != AnswerOrigin::Elsewhere)
    }
}

impl Lost {
    /// Returns `true` if trying again may help without anything being changed first: what decides over a first
    /// connection that cannot be made. Once the server has greeted, [more](Self::is_final) is tried again.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Dial(DialError::Status { status, .. }) => {
                *status >= 500 || matches!(*status, 408 | 425 | 429)
            }
            Self::Dial(
                DialError::Protocol(_)
                | DialError::Tls(_)
                | DialError::Handshake(_)
                | DialError::Request(_)
                | DialError::NoToken(_),
            ) => false,
            Self::Dial(error @ DialError::Io { .. }) => !error.has_no_io(),
            Self::Dial(DialError::Proxy { source, .. }) => {
                Self::Dial(DialError::clone(source)).is_retryable()
            }
            Self::Dial(DialError::TimedOut(_) | DialError::Panicked(_)) => true,
            Self::NotGreeted(_) | Self::HungUp | Self::Io(_) | Self::Silent(_) => true,
            Self::Closed { .. } => true,
            Self::Frame(_)
            | Self::Wire(_)
            | Self::OutOfSync(_)
            | Self::Violation(_)
            | Self::Token(_) => true,
            Self::IdentityChanged { .. } => false,
        }
    }

    /// Returns `true` if no later attempt can succeed, though the server has greeted before: the database is gone, the
    /// identity is another, or the program's runtime has no I/O.
    ///
    /// Everything else passes. A captive portal answers with pages, redirects and statuses of its own, and with
    /// certificates that nobody trusts, until its user has signed in. Bytes that make no sense are waited out too.
    ///
    /// Three reasons are final where they come twice in a row: a message that is larger than [`Limits`](crate::limits::Limits)
    /// allow or compressed as this build does not know, a token that cannot be one, and rows that do not fit even after all
    /// were loaded anew ([`OutOfSync`](Self::OutOfSync)).
    pub fn is_final(&self) -> bool {
        match self {
            Self::Dial(error) if error.has_no_io() => true,
            Self::IdentityChanged { .. } => true,
            lost => lost.is_database_gone(),
        }
    }

    /// Returns `true` if SpacetimeDB itself says that it has no such database: it was deleted, or has another name now.
    ///
    /// A bare status 404 says nothing: whatever stands before the server has one too.
    pub fn is_database_gone(&self) -> bool {
        matches!(
            self,
            Self::Dial(DialError::Status { status: 404, origin: AnswerOrigin::Server, .. })
        )
    }

    /// Pause that the answer to the handshake asks for.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Dial(DialError::Status { retry_after, .. }) => *retry_after,
            _ => None,
        }
    }

    /// Weight of such an end against the only call in flight, in halves: see
    /// [`max_call_losses`](crate::limits::Limits::max_call_losses).
    pub(crate) fn blame(&self) -> u32 {
        /// Normal closure, going away, restarting, try again later.
        const LEAVING: [u16; 4] = [1000, 1001, 1012, 1013];
        match self {
            Self::Closed { code, .. } if !LEAVING.contains(code) => 2,
            _ => 1,
        }
    }

    /// Code with which the server closed the connection, if it did.
    pub fn close_code(&self) -> Option<u16> {
        match self {
            Self::Closed { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Returns `true` if the server said something that cannot be: the same again, without anything in between, is no
    /// accident.
    pub(in crate::conn) fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::Frame(_)
                | Self::Wire(_)
                | Self::OutOfSync(_)
                | Self::Violation(_)
                | Self::Token(_)
        )
    }

    /// Returns `true` if bytes came that make no sense here, as where something on the way changes or mixes them up. What
    /// reaches a limit, or needs what this build lacks, does so again.
    pub(in crate::conn) fn is_garbled(&self) -> bool {
        match self {
            Self::Frame(error) => !error.is_of_this_client(),
            Self::Wire(error) => !error.kind().is_limit(),
            Self::Violation(_) => true,
            _ => false,
        }
    }

    /// Returns `true` if another token may help: the server does not accept this one (401, 403), or there is none.
    /// `false` for a 401 or 403 that something on the way answers.
    pub fn needs_auth(&self) -> bool {
        match self {
            Self::Dial(error) => error.refuses_token() || matches!(error, DialError::NoToken(_)),
            _ => false,
        }
    }

    /// The HTTP status that the handshake failed with, if it did.
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Self::Dial(DialError::Status { status, .. }) => Some(*status),
            _ => None,
        }
    }
}
