//! Looking at what is kept, and changing it.

use lightlike_core::bsatn;
use lightlike_core::conn::SyncState;
use lightlike_core::journal::{DeadLetter, QueuedCall};
use lightlike_core::schema::{Reducer, fingerprint};
use lightlike_core::types::Uuid;

use super::CallOutcome;
use crate::calls::making::MadeAgain;
use crate::client::Client;
use crate::events::stream::EventStream;
use crate::events::watches::Watch;
use crate::observe::spans::CallSpan;

/// Offline: what is kept of calls. See [`ClientBuilder::offline`](crate::ClientBuilder::offline).
impl Client {
    /// Numbers of calls that are kept and that failed, the time of the next attempt to connect, and the state of the
    /// store.
    pub fn sync_state(&self) -> Watch<SyncState> {
        self.hub().offline.sync()
    }

    /// Outcome of each call of a reducer, once for each: those that an earlier run of the program made too.
    ///
    /// The first stream also has what happened before it was asked for, since the start, if the client has a store; so no
    /// outcome of an earlier run's call is missed. It ends when the connection is closed for good.
    pub fn call_outcomes(&self) -> EventStream<CallOutcome> {
        self.hub().offline.stream()
    }

    /// The calls that are kept and are not over, oldest first.
    pub fn queued_calls(&self) -> Vec<QueuedCall> {
        self.hub().shared.read(lightlike_core::conn::Connection::queued_calls)
    }

    /// Takes a kept call back that was not sent, so that it ends as [`CallError::Cancelled`](crate::CallError::Cancelled).
    /// False if it was sent, or is over.
    pub fn cancel(&self, call: Uuid) -> bool {
        self.hub().command(|connection, _| connection.cancel_queued(call))
    }

    /// The kept calls that failed, oldest first: at most [`max_dead_letters`](crate::offline::OfflineConfig::max_dead_letters), and
    /// [`max_dead_letter_bytes`](crate::offline::OfflineConfig::max_dead_letter_bytes) of them.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.hub().shared.read(lightlike_core::conn::Connection::dead_letters)
    }

    /// Makes a call again that failed: at the end of the queue, under its old name. False if there is no such dead
    /// letter, or the connection is closed.
    ///
    /// A call that ended as [unknown](crate::offline::Failure::Unknown) or [abandoned](crate::offline::Failure::Abandoned) may have run: it
    /// may run twice then.
    pub fn retry(&self, dead_letter: Uuid) -> bool {
        let letter = self.dead_letters().into_iter().find(|letter| letter.id == dead_letter);
        let Some(DeadLetter { id, reducer, args, .. }) = letter else { return false };
        let span = CallSpan::again(&reducer);
        let names = Vec::new();
        let mut again = MadeAgain { id, reducer, args, names, restored: false, span };
        let hub = self.hub();
        hub.command(|connection, now| {
            let call = connection.retry_dead_letter(dead_letter);
            if let Some(call) = call {
                if let Some((args, names)) = connection.waiting_args(call) {
                    (again.args, again.names) = (args, names);
                }
                hub.register_call(connection, now, call, again);
            }
            call.is_some()
        })
    }

    /// Forgets a call that failed. False if there is no such dead letter.
    pub fn discard(&self, dead_letter: Uuid) -> bool {
        self.hub().command(|connection, _| connection.discard_dead_letter(dead_letter))
    }

    /// Makes a [held](crate::offline::QueuedState::NeedsMigration) call anew, with the arguments that its reducer takes now: at the
    /// end of the queue, under its old name. False if there is no such held call, if the arguments have no encoding, or if
    /// the server's reducer took others when its schema was last looked at.
    pub fn migrate<R: Reducer>(&self, held: Uuid, args: &R) -> bool {
        #[cfg(feature = "http")]
        if !self.hub().schema.takes(&R::DEF) {
            return false;
        }
        let Ok(args) = bsatn::to_vec(args) else { return false };
        let fingerprint = fingerprint::arguments(&R::DEF);
        self.hub().command(|connection, _| {
            let is_of_this = |call: &QueuedCall| call.id == held && call.reducer == R::DEF.name;
            connection.queued_calls().iter().any(is_of_this)
                && connection.migrate(held, args.into(), fingerprint).is_some()
        })
    }

    /// Returns a new idempotency key: an argument by which the module recognises a call that it has run already, and the
    /// key for [`Call::idempotency_key`](crate::Call::idempotency_key). Keys are UUIDs of version 7: later ones are greater.
    ///
    /// With it a call is run exactly once: it is sent until it is answered, and the module keeps a table of the keys that
    /// it has run, in the same transaction as their effects, and returns at once if the key is among them.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// #[reducer(idempotent)]
    /// struct AddNote {
    ///     key: Uuid,
    ///     title: String,
    /// }
    ///
    /// # async fn add(db: Client) -> Result<(), lightlike::Error> {
    /// let key = db.new_idempotency_key();
    /// db.call(AddNote { key, title: "milk".into() }).idempotency_key(key).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn new_idempotency_key(&self) -> Uuid {
        let hub = self.hub();
        hub.command(|connection, now| connection.new_call_name(now)).unwrap_or_else(|| {
            let random = lightlike_core::driver::random_seed().to_le_bytes();
            let mut ten = [0; 10];
            ten.copy_from_slice(&random[..10]);
            Uuid::v7(lightlike_core::driver::time_of_day(), ten)
        })
    }
}
