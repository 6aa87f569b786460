//! The last moments of a client: what was asked for leaves before the socket goes.
//!
//! A socket ends with its driver, and a driver with its runtime, which may be ending while calls are on their way to the
//! kernel. Whoever drops the last handle, or the driver, writes what can be written within
//! [`Config::linger`](crate::conn::Config::linger), and logs what is left behind.

use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use super::run::sleep;
use super::shared::Shared;
use super::socket::Socket;
use crate::conn::Connection;
use crate::guard::log;

/// Longest time that anybody lingers: a program that ends must end.
const LINGER_MAX: Duration = Duration::from_secs(10);

/// Time between two looks at whether more can be written.
const PAUSE: Duration = Duration::from_millis(1);

/// Asks until the answer is yes, or the time is up: then no. Counts pauses: the driver's clock may stand still.
fn until(within: Duration, mut is_done: impl FnMut() -> bool) -> bool {
    for _ in 0..within.min(LINGER_MAX).as_millis() {
        if is_done() {
            return true;
        }
        thread::sleep(PAUSE);
    }
    is_done()
}

/// Writes what a socket has to write. No runtime is asked: it may be ending, and takes no more orders then. So what the kernel
/// does not take in one go may be left behind.
pub(super) fn write_rest(socket: &mut Socket, within: Duration) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    let mut failed = false;
    let written = until(within, || match socket.poll_written(&mut cx) {
        Poll::Ready(written) => {
            failed = written.is_err();
            true
        }
        Poll::Pending => false,
    });
    written && !failed
}

/// Work that a client leaves behind when it ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeftBehind {
    /// Number of calls that were not sent.
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
                "the client ended before all that it was asked to send had left; `close` waits for the answers"
            );
        }
    }
}

impl Shared {
    /// Waits until the loop, which another thread runs, has written what was asked for, and the offline store's thread what was
    /// called; for the time that the connection is [configured](crate::conn::Config::linger) to linger, at most. Logs what is left
    /// behind then: `calls` that were not sent, and what was not written to the end.
    pub fn linger(&self, calls: usize) {
        let _ = until(self.linger_time(), || self.is_written() && self.has_stored());
        LeftBehind { calls, frames: !self.is_written(), unsaved: !self.has_stored() }.log();
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
