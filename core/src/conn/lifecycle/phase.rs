//! State of a connection's socket, with what each state alone needs.

use std::time::Instant;

use super::liveness::Liveness;
use crate::conn::config::Config;
use crate::conn::lifecycle::state::CloseReason;
use crate::deadline::after;
use crate::wire::Protocol;

/// State of the socket.
#[derive(Debug)]
pub(in crate::conn) enum State {
    Idle,
    Dialing {
        since: Instant,
    },
    Greeting {
        since: Instant,
        protocol: Protocol,
    },
    Online {
        protocol: Protocol,
        liveness: Liveness,
    },
    Closing {
        protocol: Protocol,
        until: Option<Instant>,
    },
    /// The socket is gone; what had come before is applied first, so that no answer is lost that was received.
    Draining {
        protocol: Protocol,
        reason: CloseReason,
        /// Time at which the rest of it is dropped, if the application closed the connection.
        until: Option<Instant>,
    },
    /// The socket is gone, and is opened again then, if by itself.
    Waiting {
        until: Option<Instant>,
    },
    /// The token is not accepted: another one is waited for, and this one tried again then, if at all.
    AwaitingToken {
        until: Option<Instant>,
    },
    Closed(CloseReason),
}

impl State {
    /// Returns `true` if messages of an open socket are taken.
    pub(in crate::conn) fn receives(&self) -> bool {
        matches!(self, Self::Greeting { .. } | Self::Online { .. } | Self::Closing { .. })
    }

    /// Time at which the state is left, or the server pinged. `has_messages`: some were received and are not applied.
    pub(in crate::conn) fn deadline(&self, config: &Config, has_messages: bool) -> Option<Instant> {
        match self {
            // What came was not looked at: nobody ticks, or views are held.
            Self::Greeting { .. } if has_messages => None,
            Self::Dialing { since } | Self::Greeting { since, .. } => {
                after(*since, config.connect_timeout)
            }
            Self::Online { liveness, .. } => liveness.deadline(config),
            Self::Closing { until, .. }
            | Self::Draining { until, .. }
            | Self::Waiting { until }
            | Self::AwaitingToken { until } => *until,
            Self::Idle | Self::Closed(_) => None,
        }
    }
}
