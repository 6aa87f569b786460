//! Output of the machine for the driver.

use std::fmt;

use bytes::Bytes;

/// Something for the driver to do.
#[derive(Debug)]
#[must_use]
pub enum Action {
    /// Open a socket, then say [`handle_opened`](crate::conn::Connection::handle_opened) or
    /// [`handle_lost`](crate::conn::Connection::handle_lost).
    Dial(Dial),
    /// Send one binary message.
    Send(Bytes),
    /// Send a ping.
    Ping,
    /// Send a close frame with code 1000 and hang up when the server answers it; say `handle_lost` then.
    Close,
    /// Let go of the socket at once. Nothing more of it may be handed in.
    Abandon,
}

/// Parameters of an attempt to open a socket.
#[derive(Clone)]
pub struct Dial {
    /// The token to present; without one, the server makes a new identity.
    pub token: Option<Box<str>>,
    /// Names the client over its reconnects, so that the server can tell its old socket from a second client.
    pub session_id: u128,
    /// Number of this attempt since the connection was last stable, or since the beginning: the first is 1.
    pub attempt: u32,
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token is a secret.
        f.debug_struct("Dial").finish_non_exhaustive()
    }
}
