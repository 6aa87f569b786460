//! Calls of reducers and procedures.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use lightlike_core::types::{TimeDuration, Timestamp};
use lightlike_core::wire::{ProcedureStatus, ReducerOutcome, RequestId, ServerMessage, Text};

use super::commit::Aborted;
use super::state::{Key, Shared, State};
use crate::module::CallError;
use crate::procedure::ProcedureCtx;

/// Text of the server about a function that panicked: not the reason.
///
/// # Source
///
/// Recorded from SpacetimeDB 2.8.3.
pub(super) const FATAL: &str = "The instance encountered a fatal error.";

/// Stand-in for the reason of a procedure's panic, which is the module's own affair.
const PANIC: &str = "the procedure panicked";

impl Shared {
    /// Runs a procedure, outside the state's lock, and answers.
    pub(super) async fn call_procedure(
        self: &Arc<Self>,
        key: Key,
        request_id: RequestId,
        procedure: Text,
        args: Bytes,
    ) {
        let Some(caller) =
            self.look(|state| Some(state.caller(&state.connections.get(&key)?.info)))
        else {
            return;
        };
        let shared = Arc::clone(self);
        let run = move || match shared.module.procedures.get(procedure.as_str()) {
            None => Err("No such procedure".to_owned()),
            Some(run) => {
                let mut ctx = ProcedureCtx::new(Arc::clone(&shared), caller);
                match catch_unwind(AssertUnwindSafe(|| run(&mut ctx, &args))) {
                    Ok(Ok(value)) => Ok(value),
                    Ok(Err(CallError::Arguments(error))) => Err(format!(
                        "invalid arguments for procedure {procedure}: invalid arguments for function {procedure}: {error}"
                    )),
                    Ok(Err(CallError::Rejected(_))) | Err(_) => {
                        Err(format!("The module instance encountered a fatal error: {PANIC}"))
                    }
                }
            }
        };
        // On a thread where it may block; the messages of this connection wait, those of others do not.
        let result =
            tokio::task::spawn_blocking(run).await.unwrap_or_else(|_| Err(FATAL.to_owned()));
        let (status, timestamp, now) = match result {
            Ok(value) => {
                (ProcedureStatus::Returned(value), caller.timestamp, self.look(State::now))
            }
            Err(error) => (
                ProcedureStatus::InternalError(Text::from(error)),
                Timestamp::UNIX_EPOCH,
                Timestamp::UNIX_EPOCH,
            ),
        };
        let duration = now.since(timestamp).unwrap_or(TimeDuration::ZERO);
        self.with(|state| {
            if let Some(connection) = state.connections.get_mut(&key) {
                connection.reply(ServerMessage::ProcedureResult {
                    status,
                    timestamp,
                    duration,
                    request_id,
                });
            }
        });
    }
}

impl State {
    /// Runs a reducer and answers.
    pub(super) fn call_reducer(
        &mut self,
        key: Key,
        request_id: RequestId,
        name: &str,
        args: &[u8],
    ) {
        let Some(connection) = self.connections.get(&key) else { return };
        let caller = self.caller(&connection.info);
        let module = Arc::clone(&self.module);
        let outcome = match module.reducers.get(name) {
            None => ReducerOutcome::InternalError(Text::from("no such reducer")),
            Some(run) => match self.transact(caller, |tx| run(tx, args)) {
                Ok((ret_value, committed)) => {
                    let update = self.broadcast(&committed, Some(key));
                    ReducerOutcome::Ok { ret_value, update }
                }
                Err(Aborted::Rejected(CallError::Rejected(error))) => ReducerOutcome::Err(error),
                Err(Aborted::Rejected(CallError::Arguments(error))) => {
                    ReducerOutcome::InternalError(Text::from(format!(
                        "invalid arguments for reducer {name}: invalid arguments for function {name}: {error}"
                    )))
                }
                Err(Aborted::Panicked(_)) => ReducerOutcome::InternalError(Text::from(FATAL)),
            },
        };
        self.reply(
            key,
            ServerMessage::ReducerResult { request_id, timestamp: caller.timestamp, outcome },
        );
    }
}
