//! Commands of the application: connecting, subscribing, calling, registering tables.

use std::time::Instant;

use super::Connection;
use crate::cache::{RegisterError, TableId};
use crate::conn::calls::{CallId, Request, WhileDisconnected};
use crate::conn::event::{Action, Cause, Event, NotSent, Reply, SetEnd};
use crate::conn::lifecycle::phase::State;
use crate::conn::lifecycle::state::{CloseReason, ConnectionState, Lost};
use crate::conn::persistence::CallOptions;
use crate::conn::subscriptions::{End, QuerySet, SubscriptionId, queries_bytes};
use crate::schema::{ClientIndex, Table, TableDef};
use crate::wire::{ClientMessage, QuerySetId, RequestId, call_len, query_len, subscribe_len};

/// Commands.
impl Connection {
    /// Opens the connection. Does nothing, and says false, if it was started or closed before.
    pub fn start(&mut self, now: Instant) -> bool {
        let starts = self.is_idle();
        if starts {
            self.dial(now);
            self.events.announce(ConnectionState::Connecting);
        }
        starts
    }

    /// Something changed, such as the network: does not wait for the pause's end, and asks a server that seems to be
    /// there whether it is.
    pub fn reconnect_now(&mut self, now: Instant) {
        match &mut self.state {
            State::Waiting { .. } => {
                self.recovery.hasten();
                self.dial(now);
            }
            State::Online { liveness, .. } if !liveness.is_pinged() => {
                liveness.pinged(now);
                self.transmit.act(Action::Ping);
            }
            _ => (),
        }
    }

    /// Presents another token from now on; a connection that waits for one is opened at once.
    pub fn set_token(&mut self, now: Instant, token: Box<str>) {
        self.credentials.set_token(token);
        if let State::AwaitingToken { .. } = self.state {
            self.dial(now);
            self.events.announce(ConnectionState::Connecting);
        }
    }

    /// Asks for a query set. It is sent when there is a connection, and again whenever there is a new one.
    pub fn subscribe(&mut self, queries: Vec<Box<str>>) -> SubscriptionId {
        let bytes = subscribe_len(&queries);
        let refusal = match self.state {
            State::Closing { .. } | State::Closed(_) => Some(SetEnd::Closed),
            _ if self.is_leaving() => Some(SetEnd::Closed),
            _ => {
                let refused = self.too_large(bytes).or_else(|| self.too_many_sets(&queries));
                refused.map(SetEnd::NotSent)
            }
        };
        if let Some(reason) = refusal {
            // Rows of the last run stay with whoever has them.
            let set = self.subs.skip();
            self.events.push(Event::Ended { set, reason });
            return set;
        }
        let set = match self.journal.as_mut().and_then(|journal| journal.claim_rows(&queries)) {
            Some(rows) => self.subs.add_stale(queries, rows),
            None => self.subs.add(queries),
        };
        if let State::Online { .. } = self.state {
            self.send_set(set);
        }
        set
    }

    /// Ends a query set; [`Event::Ended`] says when it is over. Does nothing if it is, or will be.
    pub fn unsubscribe(&mut self, set: SubscriptionId) {
        let end = self.subs.end(set);
        self.end_set(set, end, SetEnd::Unsubscribed);
    }

    /// Queries of a set, as they were given; none of one that is over.
    pub fn queries(&self, set: SubscriptionId) -> &[Box<str>] {
        self.subs.get(set).map_or(&[], QuerySet::queries)
    }

    /// Ends a query set at once: what was received of it and is not applied never is, and its rows leave in a transaction of
    /// their own, the last with the set's rows. Takes time in proportion to the rows. Does nothing if the set is over.
    pub fn unsubscribe_now(&mut self, set: SubscriptionId) {
        let Some(End::Over { rows, wire }) = self.subs.end_now(set) else { return };
        if let Some(wire) = wire {
            self.send_unsubscribe(wire);
        }
        let names = rows.into_names();
        if !names.is_empty() {
            self.changes.forget_rows(&mut self.cache, &names);
            let transaction = self.drop_now(&names);
            self.tell(transaction, Cause::Unsubscribed(set));
        }
        self.say(Event::Ended { set, reason: SetEnd::Unsubscribed });
        self.leave_resync(set);
    }

    /// Makes a call or a query. [`Event::Answered`] brings the answer, [`Reply::TimedOut`] if there is none by `deadline`.
    ///
    /// While the connection is being made it waits for it. Calls are sent in the order of their making. There is more to
    /// say in [`call_with`](Self::call_with).
    pub fn call(&mut self, request: Request, deadline: Option<Instant>) -> CallId {
        self.make_call(None, request, CallOptions { deadline, ..CallOptions::default() })
    }

    /// First mention of the table `T`: from now on its rows are decoded. Rows that lay undecoded move over silently.
    ///
    /// # Errors
    ///
    /// [`RegisterError`] if the table was mentioned with another row type.
    pub fn register<T: Table>(&mut self) -> Result<TableId, RegisterError> {
        let outdated = self.outdated_rows::<T>();
        let registered = self.cache.register_without::<T>(&outdated);
        self.tell_panics();
        let registered = registered?;
        self.note_table::<T>(&outdated);
        for failure in registered.failed {
            self.fail_set(failure);
        }
        Ok(registered.table)
    }

    /// Definitions of the registered tables.
    pub fn definitions(&self) -> impl Iterator<Item = &TableDef> {
        self.cache.definitions()
    }

    /// The names of all tables that can be asked for by their types: see
    /// [`Cache::registered`](crate::cache::Cache::registered).
    pub fn registered_tables(&self) -> Vec<&'static str> {
        self.cache.registered().collect()
    }

    /// Gives a table an index of the client's own: see [`Cache::add_index`](crate::cache::Cache::add_index).
    ///
    /// # Errors
    ///
    /// As [`register`](Self::register).
    pub fn add_index<T: Table, V: Ord + 'static>(
        &mut self,
        index: ClientIndex<T::Row, V>,
    ) -> Result<TableId, RegisterError> {
        // A first mention may end sets, which is to be told.
        let table = self.register::<T>()?;
        self.cache.add_index::<T, V>(index)?;
        Ok(table)
    }

    /// Sets the numbers that the next request and the next query set get on the wire, for replaying a recording.
    #[doc(hidden)]
    pub fn seed_ids(&mut self, request: RequestId, set: QuerySetId) {
        self.transmit.seed(request);
        self.subs.seed(set);
    }
}

/// Sending.
impl Connection {
    pub(super) fn send(&mut self, message: &ClientMessage) {
        if let State::Online { protocol, .. } = self.state {
            self.stats.messages_sent += 1;
            self.transmit.send(message, protocol);
        }
    }

    /// The answer to a call that cannot be taken.
    pub(super) fn refusal(&self, request: &Request, policy: WhileDisconnected) -> Option<Reply> {
        let limits = &self.config.limits;
        let bytes = match request {
            Request::Reducer { name, args } | Request::Procedure { name, args } => {
                call_len(name.as_bytes(), args)
            }
            Request::Query { sql } => query_len(sql.as_bytes()),
        };
        let closing =
            matches!(self.state, State::Closing { .. } | State::Closed(CloseReason::Requested));
        let not_sent = if let State::Closed(CloseReason::Panicked(panic)) = &self.state {
            NotSent::Panicked(panic.clone())
        } else if closing || self.finish.is_wanted() {
            NotSent::Closed
        } else if let Some(lost) = self.gone(policy) {
            if policy == WhileDisconnected::Drop {
                return Some(Reply::Dropped);
            }
            NotSent::Lost(lost.clone())
        } else if self.calls.len() >= limits.max_calls {
            NotSent::TooMany { waiting: self.calls.len(), limit: limits.max_calls }
        } else if self.calls.bytes() + request.bytes() > limits.max_call_bytes {
            NotSent::TooManyBytes { waiting: self.calls.bytes(), limit: limits.max_call_bytes }
        } else {
            self.too_large(bytes)?
        };
        Some(Reply::NotSent(not_sent))
    }

    /// Loss for which calls are not taken, if there is no connection and they are not to wait for one.
    fn gone(&self, policy: WhileDisconnected) -> Option<&Lost> {
        let waits = policy == WhileDisconnected::Wait;
        match &self.state {
            State::Closed(CloseReason::Lost(lost)) => Some(lost),
            State::Draining { reason: CloseReason::Lost(lost), .. } if !waits => Some(lost),
            State::Waiting { .. }
            | State::AwaitingToken { .. }
            | State::Dialing { .. }
            | State::Greeting { .. }
                if !waits =>
            {
                self.recovery.last_loss()
            }
            _ => None,
        }
    }

    /// Names a call that is over before it is made: the machine never hears of it.
    pub fn skip_call(&mut self) -> CallId {
        self.calls.name()
    }

    fn too_many_sets(&self, queries: &[Box<str>]) -> Option<NotSent> {
        let limit = self.config.limits.max_query_set_bytes;
        let bytes = self.subs.bytes();
        let is_full = bytes + queries_bytes(queries) > limit;
        is_full.then_some(NotSent::TooManySets { bytes, limit })
    }

    fn too_large(&self, bytes: usize) -> Option<NotSent> {
        let limit = self.config.limits.max_outgoing_bytes;
        (bytes > limit).then_some(NotSent::TooLarge { bytes, limit })
    }
}
