//! The numbers that a connection runs by.

use std::time::Duration;

use crate::limits::Limits;

/// How a connection behaves. Every number has its default and its reason here.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// From the start of opening a socket to the server's greeting. 10 s: a slow mobile network's worst, and no longer
    /// than a person waits.
    pub connect_timeout: Duration,
    /// How long the server may be silent before it is pinged. 20 s: it pings every 15 s itself, so ours is not needed
    /// while all is well.
    pub ping_after: Duration,
    /// How long an answer to our ping may take before the socket counts as dead. 10 s.
    pub pong_timeout: Duration,
    /// How long the server may take to answer our close frame. 2 s: nothing is lost by hanging up then.
    pub close_timeout: Duration,
    /// How much a peer or the application may take up.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            ping_after: Duration::from_secs(20),
            pong_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(2),
            limits: Limits::default(),
        }
    }
}
