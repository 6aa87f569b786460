//! Waiting until something holds of the rows.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use lightlike_core::conn::AlarmId;
use tokio::sync::oneshot;

use crate::client::Client;
use crate::error::{Error, Repr};
use crate::events::watches::Watch;
use crate::hub::Hub;
use crate::tables::view::View;

impl Client {
    /// Waits until `predicate` holds of the rows, which may be at once. It is asked again after every transaction, when
    /// its callbacks have run, and whenever the state of the connection changes.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # #[derive(Bsatn, Table, Clone)]
    /// # #[table(name = "user")]
    /// # struct User { #[primary_key] identity: Identity, name: String }
    /// # async fn example(db: Client) -> Result<(), lightlike::Error> {
    /// let ada = |view: &lightlike::View| view.table::<User>().iter().any(|user| user.name == "Ada");
    /// db.wait_until(ada).timeout(std::time::Duration::from_secs(5)).await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Disconnected`](crate::ErrorKind::Disconnected) if the connection is closed for good and it does not hold, and
    /// [`TimedOut`](crate::ErrorKind::TimedOut) if it does not hold in the time given.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub fn wait_until<F: FnMut(&View) -> bool>(&self, predicate: F) -> WaitUntil<F> {
        let hub = Arc::clone(self.hub());
        let changed = hub.hooks.changed.subscribe();
        WaitUntil { hub, predicate, changed, asked: false, timeout: None, deadline: None }
    }
}

/// Waits until something holds of the rows: see [`Client::wait_until`].
#[must_use = "this waits when it is awaited"]
pub struct WaitUntil<F> {
    hub: Arc<Hub>,
    predicate: F,
    changed: Watch<()>,
    asked: bool,
    timeout: Option<Duration>,
    deadline: Option<Deadline>,
}

/// A moment at which waiting ends. The connection's driver keeps the time.
struct Deadline {
    at: Instant,
    alarm: AlarmId,
    rings: oneshot::Receiver<()>,
}

impl<F> WaitUntil<F> {
    /// Waits no longer than this, from the first time that it is polled. Time passes while the client is driven: for one
    /// that was not started it stands still. Zero: what does not hold then is timed out at once. [`Duration::MAX`]: as if
    /// this were not called.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Returns ready once the time is up.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(timeout) = self.timeout else { return Poll::Pending };
        if self.deadline.is_none() {
            self.deadline =
                self.hub.set_alarm(timeout).map(|(at, alarm, rings)| Deadline { at, alarm, rings });
        }
        match &mut self.deadline {
            // An error: the connection is closed, which `changed` says too.
            Some(deadline) => match Pin::new(&mut deadline.rings).poll(cx) {
                Poll::Ready(Ok(())) => Poll::Ready(()),
                Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
            },
            None => Poll::Pending,
        }
    }
}

impl<F: FnMut(&View) -> bool + Unpin> Future for WaitUntil<F> {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            let ended = match this.changed.poll_changed(cx) {
                Poll::Ready(changed) => changed.is_err(),
                Poll::Pending if this.asked => break,
                Poll::Pending => false,
            };
            this.asked = true;
            if (this.predicate)(&this.hub.read()) {
                return Poll::Ready(Ok(()));
            }
            if ended {
                return Poll::Ready(Err(this.hub.status.closed().into()));
            }
        }
        let timeout = this.timeout;
        this.poll_deadline(cx).map(|()| Err(Repr::TimedOut(timeout.unwrap_or_default()).into()))
    }
}

impl<F> Drop for WaitUntil<F> {
    fn drop(&mut self) {
        if let Some(Deadline { at, alarm, .. }) = self.deadline.take() {
            self.hub.clear_alarm(at, alarm);
        }
    }
}

impl<F> fmt::Debug for WaitUntil<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitUntil").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
