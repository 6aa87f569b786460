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
    /// How a lost connection comes back.
    pub reconnect: Reconnect,
    /// What becomes of calls while there is no connection.
    pub while_disconnected: WhileDisconnected,
    /// How far the application may be behind the server, or be busy with one message's events, before it is
    /// [told](super::Event::Slow). 1 s: far from what a program that keeps up needs, and soon enough to do something.
    pub slow_after: Duration,
    /// How much a peer or the application may take up.
    pub limits: Limits,
}

/// How a lost connection comes back.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Reconnect {
    /// Whether it does. Yes.
    pub enabled: bool,
    /// Whether the first connection is tried again too, when it cannot be made. No: whoever waits for it wants to know.
    pub first: bool,
    /// The limit of the first pause; it doubles with each attempt that fails, and each pause is drawn at random below
    /// its limit. 250 ms: a server that restarts is back in about that.
    pub pause_min: Duration,
    /// The limit that is not exceeded. 30 s: a server that is back is found before a person gives up.
    pub pause_max: Duration,
    /// How long a connection must last for the pauses to start over. A minute.
    pub stable_after: Duration,
    /// The pause after close code 4000: the server still holds the old socket of this client. 500 ms.
    pub session_busy_pause: Duration,
    /// How long a connection may be lost before [`Event::LostForLong`](super::Event::LostForLong). 5 s: a person need
    /// not hear of shorter ones.
    pub grace: Duration,
    /// How long the server may take to answer all query sets after a reconnect. 30 s. Those that it has not answered
    /// by then stay as they were.
    pub resync_timeout: Duration,
}

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            enabled: true,
            first: false,
            pause_min: Duration::from_millis(250),
            pause_max: Duration::from_secs(30),
            stable_after: Duration::from_secs(60),
            session_busy_pause: Duration::from_millis(500),
            grace: Duration::from_secs(5),
            resync_timeout: Duration::from_secs(30),
        }
    }
}

/// What becomes of calls that are made, or not sent yet, while a lost connection is not back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhileDisconnected {
    /// They end as [`NotSent`](super::Reply::NotSent).
    #[default]
    Fail,
    /// They wait, and are sent in order after the resync: on disk if there is a journal, else in memory.
    Wait,
    /// They end as [`Dropped`](super::Reply::Dropped): what they say is worth nothing later.
    Drop,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            ping_after: Duration::from_secs(20),
            pong_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(2),
            reconnect: Reconnect::default(),
            while_disconnected: WhileDisconnected::Fail,
            slow_after: Duration::from_secs(1),
            limits: Limits::default(),
        }
    }
}
