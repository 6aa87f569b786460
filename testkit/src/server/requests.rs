//! Requests of clients, and the server's reactions.

use std::sync::Arc;

use bytes::Bytes;
use lightlike_core::limits::Limits;
use lightlike_core::wire::{ClientMessage, Protocol, ServerMessage, Text, decode_client};

use super::state::{Key, Shared, State};
use crate::fault::{Fault, Occasion};
use crate::server::socket::outbox::Outgoing;

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
                Protocol::V2 => "v2",
                Protocol::V3 => "v3",
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
}

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

    pub(super) fn reply(&mut self, key: Key, message: ServerMessage) {
        if let Some(connection) = self.connections.get_mut(&key) {
            connection.reply(message);
        }
    }
}
