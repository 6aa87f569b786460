//! The only room with I/O: sockets, TLS, the clock, the disk, tasks.
//!
//! It decides nothing. [`drive`] tells a [`Connection`] what happened, does what it says, and hands its events on.

mod dial;
mod disk;
mod handshake;
mod run;
mod socket;

pub use self::dial::{DialOptions, Dialer, Dialing, InvalidToken, TcpDialer, check_token, web_tls};
#[cfg(feature = "redb")]
pub use self::disk::RedbStore;
pub use self::disk::{Coded, FileStore, RecordCodec};
pub use self::run::{Shared, drive, random_seed, time_of_day};
pub use self::socket::{Io, Socket};
#[cfg(doc)]
use crate::conn::Connection;
