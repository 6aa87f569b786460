//! Comparing the cache with the server.

use std::collections::HashMap;
use std::sync::Mutex;

use lightlike_core::conn::{Verification, VerificationId};
use tokio::sync::oneshot;

use crate::calls::Unanswered;
use crate::client::Client;
use crate::error::{Error, Repr};
use crate::sync::{lock, send};

/// Waiters for verifications.
#[derive(Default)]
pub(crate) struct Verifiers(Mutex<HashMap<VerificationId, oneshot::Sender<Option<Verification>>>>);

impl Verifiers {
    /// Returns `true` if too many outcomes wait to be delivered, where nobody ticks.
    fn is_full(&self) -> bool {
        const WAITING_MAX: usize = 65_536;
        lock(&self.0).len() > WAITING_MAX
    }

    fn add(&self, id: VerificationId, sender: oneshot::Sender<Option<Verification>>) {
        lock(&self.0).insert(id, sender);
    }

    /// Delivers the outcome of a verification; `None` if the connection was lost.
    pub(crate) fn complete(&self, id: VerificationId, outcome: Option<Verification>) {
        let sender = lock(&self.0).remove(&id);
        if let Some(sender) = sender {
            // A receiver that was dropped does not want to know.
            let _ = send(sender, outcome);
        }
    }
}

impl Client {
    /// Compares every query set that is in step with what the server has, at one point of the history.
    ///
    /// The server sends the rows of all sets once more; nothing is changed by it and no callback hears of it. There ought to
    /// be no difference, ever: this is for who wants to be sure, after an incident or in a test. What is only
    /// [expected](crate::Call::optimistic) of calls is left aside. It takes memory in proportion to the rows, and time in
    /// which nothing else is applied.
    ///
    /// ```no_run
    /// # async fn check(db: lightlike::Client) -> Result<(), lightlike::Error> {
    /// let verification = db.verify().await?;
    /// assert!(verification.drifts.is_empty(), "{:?}", verification.drifts);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Query`](crate::ErrorKind::Query) if there is no connection, or it is lost before all is compared; or if the server
    /// answers none of so many that [`Limits::max_query_set_bytes`](crate::connection::Limits::max_query_set_bytes) has no room for another.
    ///
    /// # Cancel safety
    ///
    /// Safe: what was asked for is compared, and nobody is told.
    pub async fn verify(&self) -> Result<Verification, Error> {
        let unanswered = || Error::from(Repr::Unanswered(Unanswered::Lost));
        if self.hub().verifiers.is_full() {
            return Err(unanswered());
        }
        let (sender, receiver) = oneshot::channel();
        self.hub().command(|connection, _| {
            let id = connection.verify();
            // Before the lock is let go: so the outcome finds whom to tell.
            self.hub().verifiers.add(id, sender);
        });
        let outcome = receiver.await.ok().flatten();
        outcome.ok_or_else(unanswered)
    }
}
