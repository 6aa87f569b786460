//! The only room with I/O: sockets, TLS, the clock, the disk, tasks.
//!
//! It decides nothing. [`drive`] tells a [`Connection`] what happened, does what it says, and hands its events on.

mod clock;
mod dial;
mod disk;
mod held;
mod linger;
mod meter;
mod pace;
mod run;
mod shared;
mod socket;
mod span;
mod tick;

pub use self::clock::{has_timers, random_seed, sleep, time_of_day};
pub use self::dial::{
    Connect, Connecting, DialOptions, Dialer, Dialing, InvalidHeader, Opened, Proxy, ProxyError,
    RouteError, StreamDialer, Streams, Tls, TlsError, accept_key, check_header,
};
#[cfg(feature = "redb")]
pub use self::disk::RedbStore;
pub use self::disk::{Coded, FileStore, RecordCodec};
pub use self::run::drive;
pub use self::shared::{AppliedBy, Shared};
pub use self::socket::{Io, Socket};
pub use self::tick::{Budget, Busy, Ticked};
#[cfg(doc)]
use crate::conn::Connection;
pub use crate::secret::{InvalidToken, check_token};
