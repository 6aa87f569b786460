//! The numbers that a connection runs by.

use std::time::Duration;

use crate::conn::calls::WhileDisconnected;
use crate::limits::Limits;

/// Settings of a connection. Every number has its default and its reason here.
///
/// Any [`Duration`] may be given: one of a [century](crate::deadline::FOREVER) or more, such as [`Duration::MAX`], never
/// ends, and zero means what its field says.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// From the start of opening a socket to the server's greeting. 10 s: a slow mobile network's worst, and no longer
    /// than a person waits. Zero: no attempt succeeds.
    pub connect_timeout: Duration,
    /// Longest silence of either side before the server is pinged. 20 s: it pings every 15 s itself,
    /// so ours is not needed while all is well. Any byte that comes counts as a word of the server's. Zero: it is pinged
    /// all the time, every 10 ms at most. One that never ends: a server that vanishes is not missed.
    pub ping_after: Duration,
    /// Longest time after our ping until any byte comes, before the socket counts as dead. 10 s. Zero: at once,
    /// so that `ping_after` alone decides.
    pub pong_timeout: Duration,
    /// Longest time that the server's answer to our close frame may take, and then applying what had come before it. 2 s each:
    /// nothing is lost by hanging up then. Zero: nothing is waited for.
    pub close_timeout: Duration,
    /// Longest time that [`leave`](super::Connection::leave) waits for the answers to what was asked for. 1 s: far more than
    /// reducers take on a network that is well. Zero: nothing is waited for. More than [`LINGER_MAX`](super::LINGER_MAX) is that.
    pub linger: Duration,
    /// Policy of reconnecting.
    pub reconnect: Reconnect,
    /// Policy of calls while there is no connection.
    pub while_disconnected: WhileDisconnected,
    /// Longest time that the application may be behind the server, or be busy with one message's events, before it is
    /// [told](super::Event::Slow). 1 s: far from what a program that keeps up needs, and soon enough to do something.
    /// Zero: it is told whenever anything waits.
    pub slow_after: Duration,
    /// Limits on what a peer or the application may take up.
    pub limits: Limits,
}

/// Policy of reconnecting.
///
/// Once the server has greeted, an attempt that fails is followed by another, whatever answers: a captive portal, a proxy,
/// a foreign certificate. The exceptions are what SpacetimeDB itself says to be over, see
/// [`Lost::is_final`](super::Lost::is_final).
///
/// Any [`Duration`] may be given, as in [`Config`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Reconnect {
    /// Reconnects if `true`, the default.
    pub enabled: bool,
    /// Tries the first connection again too, when it cannot be made. No: its caller wants to know.
    /// If so, what looks like a mistake in the address or the certificates is the end all the same.
    pub first: bool,
    /// The limit of the first pause; it doubles with each attempt that fails, and each pause is drawn at random below
    /// its limit. 250 ms: a server that restarts is back in about that. Zero: the first attempt starts at once, and those
    /// after it as if this were short. One that never ends: none starts by itself.
    pub pause_min: Duration,
    /// The limit that is not exceeded. 30 s: a server that is back is found before a person gives up. Of the attempts
    /// after the first the limit is 100 ms at least, also if this is zero.
    pub pause_max: Duration,
    /// Shortest life of a connection for the pauses to start over. A minute. Zero: every connection that becomes ready
    /// counts. One that never ends: none does.
    pub stable_after: Duration,
    /// The longest time for which an answer with `Retry-After` (429, 503) keeps us away; a pause is added to it. 10 min:
    /// what asks for more is a mistake more often than not. Zero: the header is not heeded.
    pub retry_after_max: Duration,
    /// Pause until a token that the server does not accept is presented again by itself, if the server has
    /// greeted before: between half of this and this. A minute: whatever judged the token may have been unable to. Zero:
    /// every 100 ms. One that never ends: only another token helps.
    pub auth_pause: Duration,
    /// The limit of the first pause after close code 4000: the server still holds the old socket of this client. 500 ms.
    /// Each pause is between half of its limit and that, which doubles up to `pause_max` while the server goes on saying
    /// so. Zero: the first attempt after it starts at once.
    pub session_busy_pause: Duration,
    /// Longest loss of a connection before [`Event::LostForLong`](super::Event::LostForLong). 5 s: a person need
    /// not hear of shorter ones. Zero: every loss is told. One that never ends: none is.
    pub grace: Duration,
    /// Longest time that answering all query sets may take after a reconnect. 30 s, without the time for which a single
    /// message was arriving. Those that it has not answered by then stay as they were until it does. Zero: none is waited
    /// for, and each is applied on its own.
    pub resync_timeout: Duration,
}

impl Config {
    /// Every time in here, for tests of what any of them may be. One that is added does not compile before it is listed.
    #[doc(hidden)]
    pub fn durations(&mut self) -> Vec<&mut Duration> {
        let Self {
            connect_timeout,
            ping_after,
            pong_timeout,
            close_timeout,
            linger,
            reconnect,
            while_disconnected: _,
            slow_after,
            limits: _,
        } = self;
        let Reconnect {
            enabled: _,
            first: _,
            pause_min,
            pause_max,
            stable_after,
            retry_after_max,
            auth_pause,
            session_busy_pause,
            grace,
            resync_timeout,
        } = reconnect;
        #[rustfmt::skip]
        let all = vec![
            connect_timeout, ping_after, pong_timeout, close_timeout, linger, slow_after, pause_min, pause_max, stable_after,
            retry_after_max, auth_pause, session_busy_pause, grace, resync_timeout,
        ];
        all
    }
}

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            enabled: true,
            first: false,
            pause_min: Duration::from_millis(250),
            pause_max: Duration::from_secs(30),
            stable_after: Duration::from_secs(60),
            retry_after_max: Duration::from_secs(600),
            auth_pause: Duration::from_secs(60),
            session_busy_pause: Duration::from_millis(500),
            grace: Duration::from_secs(5),
            resync_timeout: Duration::from_secs(30),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            ping_after: Duration::from_secs(20),
            pong_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(2),
            linger: Duration::from_secs(1),
            reconnect: Reconnect::default(),
            while_disconnected: WhileDisconnected::Fail,
            slow_after: Duration::from_secs(1),
            limits: Limits::default(),
        }
    }
}
