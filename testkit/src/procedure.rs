//! Context of procedures: no transaction, but the means to run some.

use std::fmt;
use std::sync::Arc;

use lightlike_core::types::{ConnectionId, Identity, Timestamp};

use crate::database::{Caller, Tx};
use crate::server::commit::Aborted;
use crate::server::state::Shared;

/// One call of a procedure.
///
/// A procedure runs outside any transaction, on a thread of its own, and may block. Each transaction that it runs is
/// told to subscribers when it commits: to the caller too, before the procedure's result.
pub struct ProcedureCtx {
    shared: Arc<Shared>,
    caller: Caller,
}

impl ProcedureCtx {
    pub(crate) fn new(shared: Arc<Shared>, caller: Caller) -> Self {
        Self { shared, caller }
    }

    /// Identity of the caller.
    pub fn sender(&self) -> Identity {
        self.caller.sender
    }

    /// The connection that the call came in on.
    pub fn connection_id(&self) -> Option<ConnectionId> {
        self.caller.connection_id
    }

    /// Time at which the procedure was called, by the server's clock.
    pub fn timestamp(&self) -> Timestamp {
        self.caller.timestamp
    }

    /// Runs a transaction, which commits.
    ///
    /// # Panics
    ///
    /// If `body` does, or a view over what it changed; nothing of it remains then.
    pub fn with_tx<T>(&mut self, body: impl FnOnce(&mut Tx) -> T) -> T {
        match self.try_with_tx(|tx| Ok::<T, std::convert::Infallible>(body(tx))) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// Runs a transaction, which commits if `body` returns a value.
    ///
    /// # Errors
    ///
    /// What `body` returns; nothing of the transaction remains then.
    ///
    /// # Panics
    ///
    /// If `body` does, or a view over what it changed; nothing of it remains then.
    pub fn try_with_tx<T, E>(
        &mut self,
        body: impl FnOnce(&mut Tx) -> Result<T, E>,
    ) -> Result<T, E> {
        let shared = &self.shared;
        let outcome = shared.with(|state| {
            let caller = Caller { timestamp: state.now(), ..self.caller };
            let (value, committed) = state.transact(caller, body)?;
            state.broadcast(&committed, None);
            Ok(value)
        });
        match outcome {
            Ok(value) => Ok(value),
            Err(Aborted::Rejected(error)) => Err(error),
            Err(Aborted::Panicked(panic)) => std::panic::resume_unwind(panic),
        }
    }
}

impl fmt::Debug for ProcedureCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcedureCtx").field("caller", &self.caller).finish_non_exhaustive()
    }
}
