//! Recovery from a lost socket: try again, and when; wait for a token; or give up.

use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::state::Lost;
use crate::conn::config::Reconnect;
use crate::deadline::{after, has_passed};
use crate::guard::log;

/// The close code by which a server says that it still holds this client's old socket.
const SESSION_BUSY: u16 = 4000;
/// The close code by which a server says that it does not understand a message.
const NOT_UNDERSTOOD: u16 = 1011;

/// History of a connection's sockets, as far as recovery needs it.
#[derive(Debug)]
pub(in crate::conn) struct Recovery {
    config: Reconnect,
    backoff: Backoff,
    /// Pauses after [`SESSION_BUSY`], which is no failed attempt.
    busy: Backoff,
    /// Pauses until a token that is not accepted is presented again.
    refused: Backoff,
    /// `true` once the server has greeted.
    greeted: bool,
    /// Time at which the connection became ready, if it is.
    ready_since: Option<Instant>,
    /// Time at which the connection was lost, until it is back.
    lost_since: Option<Instant>,
    /// `true` once it is reported that it has been lost for long.
    is_reported: bool,
    /// Reason for which the last socket ended, until the connection is ready again.
    last_loss: Option<Lost>,
    /// The last socket ended by a fault of the server's, and nothing was applied since.
    faulted: bool,
    healing: Healing,
    batch: BatchSupport,
}

/// Support of the server for `SubscribeBatch`. There is no way to ask: it is tried once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BatchSupport {
    Unknown,
    /// One was sent on this socket and is not answered.
    Tried,
    Yes,
    No,
}

/// Last step taken to be in sync again, since the connection was last stable.
///
/// A message that does not fit what is here ends the socket, and the query sets are asked for again. Where that does not fit
/// either, or not for long, what is here may be what is wrong: then everything is loaded anew. A load that fits
/// nothing is the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Healing {
    /// It was not out of sync.
    None,
    /// It was, and the query sets were or are to be asked for again.
    Resync,
    /// It was again: everything is to be loaded anew.
    Reload,
}

/// Decision after a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::conn) enum Decision {
    /// Nothing helps.
    GiveUp,
    /// Another token may help, or this one after a pause.
    AwaitToken(Option<Duration>),
    /// Dial again after a pause.
    Retry(Duration),
}

impl Recovery {
    pub(in crate::conn) fn new(config: Reconnect, seed: u64) -> Self {
        let pauses = |min, max, salt: u64| Backoff::new(min, max, seed ^ salt);
        Self {
            backoff: pauses(config.pause_min, config.pause_max, 0),
            busy: pauses(config.session_busy_pause, config.pause_max, 1),
            refused: pauses(config.auth_pause, config.auth_pause, 2),
            config,
            greeted: false,
            ready_since: None,
            lost_since: None,
            is_reported: false,
            last_loss: None,
            faulted: false,
            healing: Healing::None,
            batch: BatchSupport::Unknown,
        }
    }

    /// Number of attempts that failed since the connection was last stable.
    pub(in crate::conn) fn attempt(&self) -> u32 {
        self.backoff.attempt()
    }

    pub(in crate::conn) fn greeted(&mut self) {
        self.greeted = true;
    }

    pub(in crate::conn) fn ready(&mut self, now: Instant) {
        self.ready_since = Some(now);
        self.busy.reset();
        self.lost_since = None;
        self.last_loss = None;
        self.is_reported = false;
    }

    /// Reason for which there is no connection, if there was one or an attempt at one.
    pub(in crate::conn) fn last_loss(&self) -> Option<&Lost> {
        self.last_loss.as_ref()
    }

    /// Returns `true` if the server may take `SubscribeBatch`.
    pub(in crate::conn) fn may_batch(&self) -> bool {
        self.batch != BatchSupport::No
    }

    /// A `SubscribeBatch` is sent.
    pub(in crate::conn) fn batch_sent(&mut self) {
        if self.batch == BatchSupport::Unknown {
            self.batch = BatchSupport::Tried;
        }
    }

    /// The server has answered one.
    pub(in crate::conn) fn batch_applied(&mut self) {
        self.batch = BatchSupport::Yes;
    }

    /// A message was applied: what ends the socket now is another failure than before.
    pub(in crate::conn) fn progress(&mut self) {
        self.faulted = false;
    }

    /// The socket is gone.
    pub(in crate::conn) fn lost(&mut self, now: Instant, reason: &Lost) -> Decision {
        // Every judgement below is about the time since the connection was last stable: being ready for `stable_after` wipes
        // out what came before.
        let ready_since = self.ready_since.take();
        if ready_since.is_some_and(|since| has_passed(since, self.config.stable_after, now)) {
            self.backoff.reset();
            self.healing = Healing::None;
        }
        self.lost_since.get_or_insert(now);
        self.last_loss = Some(reason.clone());
        if !self.config.enabled || !(self.greeted || self.config.first) {
            return Decision::GiveUp;
        }
        // Two ends that are no failure, and so count neither as an attempt nor as a fault.
        if let Lost::Closed { code, .. } = reason {
            match (*code, self.batch) {
                (SESSION_BUSY, _) => return Decision::Retry(self.busy.long_pause()),
                (NOT_UNDERSTOOD, BatchSupport::Tried) => {
                    self.batch = BatchSupport::No;
                    return Decision::Retry(Duration::ZERO);
                }
                _ => (),
            }
        }
        if self.batch == BatchSupport::Tried {
            self.batch = BatchSupport::Unknown;
        }
        if reason.needs_auth() {
            return Decision::AwaitToken(self.greeted.then(|| self.refused.long_pause()));
        }
        // A fault is final when it repeats without progress: the server would send the same again. Out of sync has one more step
        // before that, since what is wrong may be here. Garbled bytes are waited out, since the network may make them.
        let again = std::mem::replace(&mut self.faulted, reason.is_fault());
        let heals = matches!(reason, Lost::OutOfSync(_)) && self.heal(again);
        let repeats = again && reason.is_fault() && !heals;
        let hopeless = match self.greeted {
            true => reason.is_final() || repeats && !reason.is_garbled(),
            false => !reason.is_retryable() || repeats,
        };
        if hopeless {
            return Decision::GiveUp;
        }
        // What was asked for, and then spread as all pauses are: others were asked for the same.
        let asked = reason.retry_after().unwrap_or_default().min(self.config.retry_after_max);
        Decision::Retry(asked.saturating_add(self.backoff.pause()))
    }

    /// Goes one step further to be in sync again. `again` says that nothing was applied since the last fault: false if
    /// there is no further step then.
    fn heal(&mut self, again: bool) -> bool {
        let before = self.healing;
        if again && before == Healing::Reload {
            return false;
        }
        self.healing = match before {
            Healing::None if !again => Healing::Resync,
            _ => Healing::Reload,
        };
        if self.reloads() {
            log!(warn, "out of sync again: the next connection loads everything anew");
        }
        true
    }

    /// Returns `true` if the rows that come next take the place of everything that is here.
    pub(in crate::conn) fn reloads(&self) -> bool {
        self.healing == Healing::Reload
    }

    /// They have.
    pub(in crate::conn) fn reloaded(&mut self) {
        self.healing = Healing::Resync;
    }

    /// It is over: nothing more is to be reported.
    pub(in crate::conn) fn end(&mut self) {
        self.lost_since = None;
    }

    /// The application knows better: the pauses start over.
    pub(in crate::conn) fn hasten(&mut self) {
        self.backoff.reset();
    }

    /// Time at which a long outage is to be reported.
    pub(in crate::conn) fn grace_ends(&self) -> Option<Instant> {
        let since = self.lost_since.filter(|_| self.greeted && !self.is_reported)?;
        after(since, self.config.grace)
    }

    /// Returns `true` if a long outage is to be reported now: once each.
    pub(in crate::conn) fn report_outage(&mut self, now: Instant) -> bool {
        let due = self.grace_ends().is_some_and(|end| now >= end);
        self.is_reported |= due;
        due
    }
}
