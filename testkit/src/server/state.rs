//! State of the server: its tables, its connections, their subscriptions, and scripted faults.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lightlike_core::schema::TableKind;
use lightlike_core::types::{ConnectionId, Identity, Timestamp};
use lightlike_core::wire::{Compression, Protocol, QuerySetId, ServerMessage};
use tokio::sync::watch;

use super::views::{Viewed, Views};
use crate::accounts::Accounts;
use crate::clock::Clock;
use crate::database::{Caller, Database};
use crate::fault::{Fault, Faults};
use crate::module::Module;
use crate::server::socket::outbox::{Outbox, Outgoing};
use crate::sql::Query;

/// Tells connections apart: a connection id, which clients choose, may come twice.
pub(crate) type Key = u64;

/// State that all tasks of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) module: Arc<Module>,
    pub(crate) database_name: String,
    /// The database's own identity, and the sender of its own transactions.
    pub(crate) identity: Identity,
    pub(crate) owner: Identity,
    state: Mutex<State>,
    /// Counts up whenever the state may have changed.
    changed: watch::Sender<u64>,
    /// Number of guards that hold replies back.
    pub(crate) held: watch::Sender<usize>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) module: Arc<Module>,
    pub(crate) database: Database,
    pub(crate) views: Views,
    pub(crate) connections: BTreeMap<Key, Connection>,
    pub(crate) accounts: Accounts,
    pub(crate) faults: Faults,
    pub(crate) clock: Clock,
    pub(crate) counts: Counts,
    next_key: Key,
}

/// Counters of what happened so far.
#[derive(Debug, Default, Clone)]
pub(crate) struct Counts {
    pub(crate) handshakes: usize,
    pub(crate) requests: usize,
    pub(crate) commits: usize,
    /// Calls that were carried out, by the function's name.
    pub(crate) calls: HashMap<String, usize>,
}

/// One client's connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) info: ConnectionInfo,
    pub(crate) session: Option<u128>,
    pub(crate) sets: BTreeMap<QuerySetId, Vec<Query>>,
    /// `true` if it was ever subscribed to anything: before, the server does not know it as a subscriber.
    pub(crate) has_subscribed: bool,
    pub(crate) outbox: Arc<Outbox>,
    /// Fault of the reply that is being made.
    pub(crate) fault: Option<Fault>,
    /// `true` while it is being closed: nothing that it says is looked at any more.
    pub(crate) closing: bool,
    pub(crate) knows_batches: bool,
}

/// A connection, as tests see it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// Identity of the client.
    pub identity: Identity,
    /// The connection.
    pub id: ConnectionId,
    /// Protocol of the connection.
    pub protocol: Protocol,
    /// Compression of large replies.
    pub compression: Compression,
    /// `true` if it asked for confirmed reads. They make no difference here: whatever is committed is durable.
    pub confirmed: bool,
}

impl Shared {
    pub(crate) fn new(
        module: Module,
        database: Database,
        database_name: String,
        accounts: Accounts,
        clock: Clock,
    ) -> Self {
        let module = Arc::new(module);
        let state = State {
            module: Arc::clone(&module),
            database,
            views: Views::default(),
            connections: BTreeMap::new(),
            accounts,
            faults: Faults::default(),
            clock,
            counts: Counts::default(),
            next_key: 0,
        };
        Self {
            module,
            database_name,
            identity: crate::accounts::random_identity(),
            owner: crate::accounts::random_identity(),
            state: Mutex::new(state),
            changed: watch::Sender::new(0),
            held: watch::Sender::new(0),
        }
    }

    /// Looks at the state, or changes it, and tells those who wait for it.
    ///
    /// User code that panics inside leaves the state whole, so a poisoned lock means nothing.
    pub(crate) fn with<T>(&self, body: impl FnOnce(&mut State) -> T) -> T {
        let result = body(&mut self.lock());
        self.tell_change();
        result
    }

    // Not in `with`, of which every closure makes a copy to compile.
    fn tell_change(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// Looks at the state.
    pub(crate) fn look<T>(&self, body: impl FnOnce(&State) -> T) -> T {
        body(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

impl State {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn add_connection(&mut self, connection: Connection) -> Key {
        self.next_key += 1;
        self.connections.insert(self.next_key, connection);
        self.next_key
    }

    /// The connections that have this id; clients choose it, so there may be several.
    pub(crate) fn connections_of(
        &mut self,
        id: ConnectionId,
    ) -> impl Iterator<Item = &mut Connection> {
        self.connections.values_mut().filter(move |connection| connection.info.id == id)
    }

    /// Caller, through this connection.
    pub(crate) fn caller(&self, info: &ConnectionInfo) -> Caller {
        Caller { sender: info.identity, connection_id: Some(info.id), timestamp: self.now() }
    }

    /// The views that somebody is subscribed to.
    pub(crate) fn used_views(&self) -> BTreeSet<Viewed> {
        let queries = self.connections.values().flat_map(|connection| {
            let sender = connection.info.identity;
            connection.sets.values().flatten().map(move |query| (query, sender))
        });
        queries.flat_map(|(query, sender)| self.views_in(query, sender)).collect()
    }

    /// The views that a query reads, as `sender` sees them.
    pub(crate) fn views_in(&self, query: &Query, sender: Identity) -> Vec<Viewed> {
        let tables = query.sources.iter().map(|source| source.table);
        let views = tables.filter(|table| self.database.schemas[*table].kind == TableKind::View);
        views.map(|table| (table, sender)).collect()
    }
}

impl Connection {
    /// Sends a message that answers nothing.
    pub(crate) fn tell(&self, message: ServerMessage) {
        self.outbox.push(Outgoing::Message(message));
    }

    /// Sends the answer to a request, unless that is to go wrong.
    pub(crate) fn reply(&mut self, message: ServerMessage) {
        let sent = Outgoing::Message(message);
        let (before, sent, after) = match (self.fault.take(), sent) {
            (Some(Fault::DropConnectionBeforeReply), _) => (None, Outgoing::Cut, None),
            (Some(Fault::DropConnectionAfterReply), sent) => (None, sent, Some(Outgoing::Cut)),
            (Some(Fault::Close { code, reason }), _) => {
                (None, Outgoing::Close { code, reason }, None)
            }
            (Some(Fault::DelayReply(delay)), sent) => (Some(Outgoing::Delay(delay)), sent, None),
            (Some(Fault::Stall), _) => (None, Outgoing::Stall, None),
            (Some(Fault::SendGarbage(payload)), _) => {
                (None, Outgoing::Payload(payload.into()), None)
            }
            (Some(Fault::SendFirst(first)), sent) => (Some(Outgoing::Message(*first)), sent, None),
            (Some(Fault::TruncateFrame { bytes }), Outgoing::Message(message)) => {
                (None, Outgoing::Truncated { message, bytes }, None)
            }
            (other, sent) => {
                self.fault = other;
                (None, sent, None)
            }
        };
        for item in before.into_iter().chain([sent]).chain(after) {
            // Once it is sure that the connection ends, nothing that the client still says is carried out.
            self.closing |= item.is_last();
            self.outbox.push(item);
        }
    }

    /// Closes the connection with a code.
    pub(crate) fn close(&mut self, code: u16, reason: impl Into<String>) {
        self.closing = true;
        self.outbox.push(Outgoing::Close { code, reason: reason.into() });
    }
}
