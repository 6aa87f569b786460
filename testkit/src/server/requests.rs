//! What clients say, and what the server does about it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use lightlike_core::limits::Limits;
use lightlike_core::types::{TimeDuration, Timestamp};
use lightlike_core::wire::{
    BatchSet, ClientMessage, ProcedureStatus, QueryRows, QuerySetId, ReducerOutcome, RequestId,
    ServerMessage, TableRows, Text, TransactionUpdate, decode_client,
};

use super::commit::{Aborted, list, table_name};
use super::outbox::Outgoing;
use super::state::{Key, Shared, State};
use super::subscribe;
use crate::fault::{Fault, Occasion};
use crate::module::CallError;
use crate::procedure::ProcedureCtx;

/// What the server says of a function that panicked: not why.
///
/// # Source
///
/// Recorded from SpacetimeDB 2.8.3.
const FATAL: &str = "The instance encountered a fatal error.";

/// The code that ends a connection whose client says what the server does not understand.
const CLOSE_ERROR: u16 = 1011;

impl Shared {
    /// Does what a binary message of a client asks for.
    pub(crate) async fn receive(self: &Arc<Self>, key: Key, payload: Bytes) {
        let Some(protocol) = self.look(|state| Some(state.connections.get(&key)?.info.protocol))
        else {
            return;
        };
        for message in decode_client(&payload, protocol, &Limits::DEFAULT) {
            match message {
                Ok(message) => self.request(key, message).await,
                Err(error) => {
                    return self.with(|state| state.close(key, CLOSE_ERROR, &error.to_string()));
                }
            }
        }
    }

    /// A text message is an error on every protocol that the server speaks here.
    pub(crate) fn receive_text(&self, key: Key) {
        self.with(|state| {
            let Some(connection) = state.connections.get_mut(&key) else { return };
            let protocol = match connection.info.protocol {
                lightlike_core::wire::Protocol::V2 => "v2",
                lightlike_core::wire::Protocol::V3 => "v3",
            };
            connection
                .close(CLOSE_ERROR, format!("{protocol} websocket does not support text messages"));
        });
    }

    async fn request(self: &Arc<Self>, key: Key, message: ClientMessage) {
        if !self.with(|state| state.admit(key, &message)) {
            return;
        }
        match message {
            ClientMessage::CallProcedure { request_id, procedure, args } => {
                self.call_procedure(key, request_id, procedure, args).await;
            }
            message => self.with(|state| state.request(key, message)),
        }
        self.with(|state| {
            // A fault that only a reply can show is over when there was none.
            if let Some(connection) = state.connections.get_mut(&key) {
                connection.fault = None;
            }
        });
    }

    async fn call_procedure(
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

/// What stands for the reason of a procedure's panic, which is the module's own affair.
const PANIC: &str = "the procedure panicked";

impl State {
    /// Counts a request and sees whether it is looked at at all.
    fn admit(&mut self, key: Key, message: &ClientMessage) -> bool {
        let Some(connection) =
            self.connections.get_mut(&key).filter(|connection| !connection.closing)
        else {
            return false;
        };
        if matches!(message, ClientMessage::SubscribeBatch { .. }) && !connection.knows_batches {
            connection.close(CLOSE_ERROR, "invalid tag 5 for sum type ClientMessage");
            return false;
        }
        self.counts.requests += 1;
        let occasion = match message {
            ClientMessage::Subscribe { .. } | ClientMessage::SubscribeBatch { .. } => {
                Occasion::Subscribe
            }
            _ => Occasion::Request,
        };
        let fault = self.faults.take(occasion, Some(connection.info.id));
        if matches!(fault, Some(Fault::DropConnectionBeforeRequest)) {
            connection.closing = true;
            connection.outbox.push(Outgoing::Cut);
            return false;
        }
        connection.fault = fault;
        if let ClientMessage::CallReducer { reducer: name, .. }
        | ClientMessage::CallProcedure { procedure: name, .. } = message
        {
            *self.counts.calls.entry(name.as_str().to_owned()).or_default() += 1;
        }
        true
    }

    pub(crate) fn close(&mut self, key: Key, code: u16, reason: &str) {
        if let Some(connection) = self.connections.get_mut(&key) {
            connection.close(code, reason);
        }
    }

    fn request(&mut self, key: Key, message: ClientMessage) {
        match message {
            ClientMessage::Subscribe { request_id, query_set_id, queries } => {
                let outcome = self.subscribe(key, query_set_id, &queries);
                let failed_later =
                    outcome.is_ok().then(|| self.take_error_after_applied(key)).flatten();
                self.reply(
                    key,
                    match outcome {
                        Ok(rows) => {
                            ServerMessage::SubscribeApplied { request_id, query_set_id, rows }
                        }
                        Err(error) => ServerMessage::SubscriptionError {
                            request_id: Some(request_id),
                            query_set_id,
                            error: error.into(),
                        },
                    },
                );
                if let Some(error) = failed_later {
                    self.fail_query_set(key, query_set_id, &error);
                }
            }
            ClientMessage::SubscribeBatch { request_id, sets } => {
                self.subscribe_batch(key, request_id, &sets);
            }
            ClientMessage::Unsubscribe { request_id, query_set_id, send_dropped_rows } => {
                let message = match self.unsubscribe(key, query_set_id, send_dropped_rows) {
                    Ok(rows) => {
                        ServerMessage::UnsubscribeApplied { request_id, query_set_id, rows }
                    }
                    Err(error) => ServerMessage::SubscriptionError {
                        request_id: Some(request_id),
                        query_set_id,
                        error: error.into(),
                    },
                };
                self.reply(key, message);
            }
            ClientMessage::OneOffQuery { request_id, query } => {
                let result = self.one_off_query(key, &query).map_err(Text::from);
                self.reply(key, ServerMessage::OneOffQueryResult { request_id, result });
            }
            ClientMessage::CallReducer { request_id, reducer, args } => {
                self.call_reducer(key, request_id, &reducer, &args);
            }
            // Procedures run outside the state's lock: see `Shared::call_procedure`.
            ClientMessage::CallProcedure { .. } => {}
        }
    }

    fn reply(&mut self, key: Key, message: ServerMessage) {
        if let Some(connection) = self.connections.get_mut(&key) {
            connection.reply(message);
        }
    }

    fn take_error_after_applied(&mut self, key: Key) -> Option<String> {
        let connection = self.connections.get_mut(&key)?;
        match connection.fault.take() {
            Some(Fault::ErrorAfterApplied(error)) => Some(error),
            other => {
                connection.fault = other;
                None
            }
        }
    }

    fn subscribe_batch(&mut self, key: Key, request_id: RequestId, sets: &[BatchSet]) {
        let results: Vec<_> = sets
            .iter()
            .map(|set| lightlike_core::wire::BatchResult {
                query_set_id: set.query_set_id,
                outcome: self.subscribe(key, set.query_set_id, &set.queries).map_err(Text::from),
            })
            .collect();
        let applied =
            results.iter().find(|result| result.outcome.is_ok()).map(|result| result.query_set_id);
        let failed_later = applied.and_then(|set| Some((set, self.take_error_after_applied(key)?)));
        self.reply(key, ServerMessage::SubscribeBatchApplied { request_id, results });
        if let Some((query_set_id, error)) = failed_later {
            self.fail_query_set(key, query_set_id, &error);
        }
    }

    fn subscribe(
        &mut self,
        key: Key,
        query_set_id: QuerySetId,
        queries: &[Text],
    ) -> Result<QueryRows, String> {
        let queries = subscribe::compile(queries, &self.database.schemas)?;
        let Some(connection) = self.connections.get_mut(&key) else {
            return Err("client disconnected".to_owned());
        };
        connection.has_subscribed = true;
        if connection.sets.contains_key(&query_set_id) {
            return Err(format!(
                "Subscription with id QuerySetId {{ id: {} }} already exists for client: {}",
                query_set_id.0,
                subscribe::client(&connection.info),
            ));
        }
        self.add_views(key, &queries).map_err(|_| FATAL.to_owned())?;
        let Some(connection) = self.connections.get(&key) else {
            return Err("client disconnected".to_owned());
        };
        let rows = self.initial_rows(connection, &queries);
        if let Some(connection) = self.connections.get_mut(&key) {
            connection.sets.insert(query_set_id, queries);
        }
        Ok(rows)
    }

    fn unsubscribe(
        &mut self,
        key: Key,
        query_set_id: QuerySetId,
        send_rows: bool,
    ) -> Result<Option<QueryRows>, String> {
        let Some(connection) = self.connections.get_mut(&key) else {
            return Err("client disconnected".to_owned());
        };
        let client = subscribe::client(&connection.info);
        let Some(queries) = connection.sets.remove(&query_set_id) else {
            return Err(if connection.has_subscribed {
                format!(
                    "Subscription not found: ({client}, QuerySetId {{ id: {} }})",
                    query_set_id.0
                )
            } else {
                format!("Client not found: {client}")
            });
        };
        let rows = send_rows.then(|| {
            self.connections.get(&key).map(|connection| self.initial_rows(connection, &queries))
        });
        self.drop_unused_views();
        Ok(rows.flatten())
    }

    fn one_off_query(&mut self, key: Key, sql: &str) -> Result<QueryRows, String> {
        let query =
            crate::sql::compile(sql, &self.database.schemas).map_err(|error| error.to_string())?;
        let queries = [query];
        self.add_views(key, &queries).map_err(|_| FATAL.to_owned())?;
        let Some(connection) = self.connections.get(&key) else {
            return Err("client disconnected".to_owned());
        };
        let mut rows = self.initial_rows(connection, &queries);
        if rows.tables.is_empty() {
            // Unlike a subscription's, this answer always names its table.
            let table = table_name(self.database.schemas[queries[0].table()].name);
            rows.tables.push(TableRows { table, rows: list(&[]) });
        }
        self.drop_unused_views();
        Ok(rows)
    }

    fn call_reducer(&mut self, key: Key, request_id: RequestId, name: &str, args: &[u8]) {
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

    /// Runs a transaction that no client called for, and tells everybody.
    pub(crate) fn run<T, E>(
        &mut self,
        caller: crate::database::Caller,
        body: impl FnOnce(&mut crate::database::Tx) -> Result<T, E>,
    ) -> Result<T, Aborted<E>> {
        let (value, committed) = self.transact(caller, body)?;
        let nobody: TransactionUpdate = self.broadcast(&committed, None);
        debug_assert!(nobody.query_sets.is_empty(), "an update was made for nobody");
        Ok(value)
    }
}
