//! The last moments of a client: what was asked for is answered before the socket goes.
//!
//! A socket ends with its driver, and a driver with its runtime, which may be ending while calls are on their way. Whoever drops
//! the last handle, or the driver, waits for the answers for as long as the connection [lingers](Connection::leave), and logs
//! what is left behind.

use std::thread;
use std::time::Duration;

use super::clock::sleep;
use super::shared::Shared;
use crate::conn::{Connection, LINGER_MAX};
use crate::guard::log;

/// Time between two looks at whether there is more to do.
const PAUSE: Duration = Duration::from_millis(1);

/// Asks until the answer is yes, or the time is up: then no. Counts pauses: the driver's clock may stand still.
pub(super) fn until(within: Duration, mut is_done: impl FnMut() -> bool) -> bool {
    for _ in 0..within.min(LINGER_MAX).as_millis() {
        if is_done() {
            return true;
        }
        thread::sleep(PAUSE);
    }
    is_done()
}

/// Work that a client leaves behind when it ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeftBehind {
    /// Number of calls without an answer.
    pub(super) calls: usize,
    /// `true` if frames were not written to the end.
    pub(super) frames: bool,
    /// `true` if the offline store has not written all that was called.
    pub(super) unsaved: bool,
}

impl LeftBehind {
    /// Says so, if there is anything.
    pub(super) fn log(self) {
        let Self { calls, frames, unsaved } = self;
        if calls > 0 || frames || unsaved {
            log!(
                warn,
                name: "lightlike.left_behind",
                calls,
                frames,
                unsaved,
                "the client ended before all that it was asked to send was answered; `close` waits longer"
            );
        }
    }
}

impl Shared {
    /// Waits until the loop, which another thread runs, has the answers to what was asked for, and the offline store's thread
    /// has written what was called; for the time that the connection is [configured](crate::conn::Config::linger) to linger, at
    /// most. Logs what is left behind then.
    pub fn linger(&self) {
        let has_left = || !self.read(Connection::is_leaving) && self.is_written();
        if !until(self.linger_time(), || has_left() && self.has_stored()) {
            let calls = self.unanswered_yet();
            LeftBehind { calls, frames: !self.is_written(), unsaved: !self.has_stored() }.log();
        }
    }

    /// Number of calls that a connection still waits for that is left; one that has closed has told of them.
    pub(super) fn unanswered_yet(&self) -> usize {
        self.read(|connection| if connection.is_leaving() { connection.unanswered() } else { 0 })
    }

    /// As [`linger`](Self::linger), for the offline store alone.
    pub fn linger_for_store(&self) {
        let _ = self.until_stored();
    }

    /// Waits as long as a client lingers; returns `true` if the offline store has written all that was called.
    pub(super) fn until_stored(&self) -> bool {
        until(self.linger_time(), || self.has_stored())
    }

    pub(super) fn linger_time(&self) -> Duration {
        self.read(|connection| connection.config().linger)
    }

    fn has_stored(&self) -> bool {
        self.read(Connection::has_stored)
    }
}

/// As [`Shared::linger_for_store`], where other tasks run meanwhile.
pub(super) async fn stored(shared: &Shared) {
    for _ in 0..shared.linger_time().min(LINGER_MAX).as_millis() {
        if shared.has_stored() {
            return;
        }
        sleep(PAUSE).await;
    }
}
