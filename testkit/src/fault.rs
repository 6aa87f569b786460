//! Faults that can be injected.

use std::collections::VecDeque;
use std::time::Duration;

use lightlike_core::types::ConnectionId;
use lightlike_core::wire::ServerMessage;

/// Something that goes wrong once, at the next occasion: see [`Server::inject`](crate::Server::inject).
///
/// ```
/// # use lightlike_testkit::{Fault, Server};
/// # let server = Server::builder().start_blocking();
/// // The next call commits, and its caller will not know.
/// server.inject(Fault::DropConnectionBeforeReply);
/// // The client's next two attempts to come back fail.
/// server.inject(Fault::DropHandshake);
/// server.inject(Fault::RefuseHandshake { status: 503, body: "restarting".into() });
/// ```
///
/// Faults wait in the order in which they were injected. Each occasion takes the first that fits it: a handshake takes a
/// fault of a handshake, a subscription one of a subscription or of any request, any other request one of any request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Fault {
    /// The next handshake is answered with this HTTP status and body.
    RefuseHandshake {
        /// The status.
        status: u16,
        /// The body, as `text/plain`.
        body: String,
    },
    /// At the next handshake the server knows none of the offered protocols.
    NoProtocol,
    /// The socket of the next handshake ends before the answer.
    DropHandshake,
    /// At the next handshake the server does not know `SubscribeBatch`, like servers before 2.12: it ends the connection
    /// that sends one with code 1011.
    NoSubscribeBatch,

    /// The next request is not looked at, and the connection ends.
    DropConnectionBeforeRequest,
    /// The next request is carried out, and the connection ends before its reply: a call commits, and nobody is told.
    DropConnectionBeforeReply,
    /// The connection ends right after the reply to the next request.
    DropConnectionAfterReply,
    /// The next request is carried out, and the connection is closed instead of a reply.
    Close {
        /// The code of the close frame.
        code: u16,
        /// Its reason.
        reason: String,
    },
    /// The reply to the next request, and all that follows it, comes this much later.
    DelayReply(Duration),
    /// From the next request on the connection is open and silent: nothing more is read or written, not even pings.
    Stall,
    /// The reply to the next request is replaced by a frame with this payload.
    SendGarbage(Vec<u8>),
    /// Of the frame of the next reply only this many bytes are sent, its header included, before the connection ends.
    TruncateFrame {
        /// Number of bytes that are sent.
        bytes: usize,
    },
    /// This message is sent right before the reply to the next request.
    SendFirst(Box<ServerMessage>),

    /// Right after the next subscription was applied it fails with this error.
    ErrorAfterApplied(String),
}

/// At which occasion a fault happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    Handshake,
    Subscribe,
    Request,
}

impl Fault {
    fn fits(&self, occasion: Occasion) -> bool {
        match self {
            Self::RefuseHandshake { .. }
            | Self::NoProtocol
            | Self::DropHandshake
            | Self::NoSubscribeBatch => occasion == Occasion::Handshake,
            Self::ErrorAfterApplied(_) => occasion == Occasion::Subscribe,
            _ => occasion != Occasion::Handshake,
        }
    }
}

/// The faults that are still to happen.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    waiting: VecDeque<(Option<ConnectionId>, Fault)>,
}

impl Faults {
    /// Adds a fault, for one connection or for whichever comes first.
    pub(crate) fn add(&mut self, connection: Option<ConnectionId>, fault: Fault) {
        self.waiting.push_back((connection, fault));
    }

    /// Takes the first fault that fits.
    pub(crate) fn take(
        &mut self,
        occasion: Occasion,
        connection: Option<ConnectionId>,
    ) -> Option<Fault> {
        let fits = |(only, fault): &(Option<ConnectionId>, Fault)| {
            fault.fits(occasion) && (only.is_none() || *only == connection)
        };
        let position = self.waiting.iter().position(fits)?;
        self.waiting.remove(position).map(|(_, fault)| fault)
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}
