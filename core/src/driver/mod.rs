//! The only room with I/O: sockets, TLS, the clock, tasks.
//!
//! It decides nothing. [`drive`] tells a [`Connection`] what happened, does what it says, and hands its events on.

mod dial;
mod handshake;
mod run;
mod socket;

pub use self::dial::{DialOptions, Dialer, Dialing, InvalidToken, TcpDialer, check_token, web_tls};
pub use self::run::{Shared, drive, random_seed};
pub use self::socket::{Io, Socket};
#[cfg(doc)]
use crate::conn::Connection;
