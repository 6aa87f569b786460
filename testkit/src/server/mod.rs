//! The server: its handle, and the thread behind it.

mod calls;
pub(crate) mod commit;
mod evaluate;
mod http;
mod requests;
mod socket;
pub(crate) mod state;
mod subscribe;
mod thread;
mod views;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use lightlike_core::schema::Table;
use lightlike_core::types::{ConnectionId, Identity, Timestamp};
use lightlike_core::wire::{QuerySetId, ServerMessage};

use crate::builder::Builder;
use crate::database::{Caller, Tx};
use crate::fault::Fault;
use commit::Aborted;
use socket::outbox::Outgoing;
use state::{Connection, ConnectionInfo, Shared, State};
pub use thread::StartError;
use thread::Thread;

/// A server in this process. A handle: clones are the same server, and it stops when the last one goes.
///
/// A closure given to the builder must not hold one: the server would keep itself alive, and a reducer that uses it would
/// wait for itself.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
    thread: Arc<Thread>,
}

impl Server {
    /// Builder of a server.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn start(shared: Shared) -> Result<Self, StartError> {
        let shared = Arc::new(shared);
        let thread = Arc::new(Thread::start(&shared)?);
        Ok(Self { shared, thread })
    }

    /// Address at which it listens: `http://127.0.0.1:PORT`. The same after a restart.
    pub fn uri(&self) -> String {
        format!("http://{}", self.thread.address())
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        &self.shared.database_name
    }

    /// The database's identity, which is the sender of [`run`](Self::run)'s transactions.
    pub fn identity(&self) -> Identity {
        self.shared.identity
    }

    /// The committed rows of a table, oldest first; of a view, as the database's own identity sees it.
    ///
    /// # Panics
    ///
    /// If the server was not given the table.
    pub fn rows<T: Table>(&self) -> Vec<T::Row> {
        self.shared.with(|state| {
            let caller = Caller {
                sender: self.shared.identity,
                connection_id: None,
                timestamp: state.now(),
            };
            let tx = Tx::begin(std::mem::take(&mut state.database), caller);
            let rows = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                tx.rows::<T>(&self.shared.module)
            }));
            state.database = tx.roll_back();
            rows.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs a transaction of somebody else's: it commits, and subscribers are told.
    ///
    /// # Panics
    ///
    /// If `body` does, or a view over what it changed. Nothing of the transaction remains then.
    pub fn run<T>(&self, body: impl FnOnce(&mut Tx) -> T) -> T {
        match self.try_run(|tx| Ok::<T, Infallible>(body(tx))) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// Runs a transaction of somebody else's, which commits if `body` returns a value.
    ///
    /// # Errors
    ///
    /// What `body` returns. Nothing of the transaction remains then.
    ///
    /// # Panics
    ///
    /// If `body` does, or a view over what it changed. Nothing of the transaction remains then.
    pub fn try_run<T, E>(&self, body: impl FnOnce(&mut Tx) -> Result<T, E>) -> Result<T, E> {
        let outcome = self.shared.with(|state| {
            let caller = Caller {
                sender: self.shared.identity,
                connection_id: None,
                timestamp: state.now(),
            };
            state.run(caller, body)
        });
        match outcome {
            Ok(value) => Ok(value),
            Err(Aborted::Rejected(error)) => Err(error),
            Err(Aborted::Panicked(panic)) => std::panic::resume_unwind(panic),
        }
    }

    /// Makes something go wrong, once: see [`Fault`] for when.
    pub fn inject(&self, fault: Fault) {
        self.shared.with(|state| state.faults.add(None, fault));
    }

    /// Makes something go wrong with one connection, once.
    pub fn inject_on(&self, connection: ConnectionId, fault: Fault) {
        self.shared.with(|state| state.faults.add(Some(connection), fault));
    }

    /// Those who are connected, oldest first.
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        self.look(|state| state.connections().to_vec())
    }

    /// Ends a connection, without a close frame; whether it was there.
    pub fn disconnect(&self, connection: ConnectionId) -> bool {
        self.on(connection, |connection| connection.outbox.cut())
    }

    /// Ends all connections, without close frames.
    pub fn disconnect_all(&self) {
        self.shared.with(|state| {
            state.connections.values().for_each(|connection| connection.outbox.cut());
        });
    }

    /// Closes a connection with a code; whether it was there.
    pub fn close(&self, connection: ConnectionId, code: u16, reason: &str) -> bool {
        self.on(connection, |connection| connection.close(code, reason))
    }

    /// Sends a message, whatever it says; whether the connection was there.
    pub fn send(&self, connection: ConnectionId, message: ServerMessage) -> bool {
        self.on(connection, |connection| connection.tell(message.clone()))
    }

    /// Sends a binary WebSocket message with this payload, compression tag included; whether the connection was there.
    pub fn send_payload(&self, connection: ConnectionId, payload: Vec<u8>) -> bool {
        self.on(connection, |connection| {
            connection.outbox.push(Outgoing::Payload(payload.clone().into()));
        })
    }

    /// Ends an applied query set with an error that answers no request; whether the connection was there.
    pub fn fail_query_set(
        &self,
        connection: ConnectionId,
        query_set_id: QuerySetId,
        error: &str,
    ) -> bool {
        self.shared.with(|state| {
            let keys: Vec<_> = state
                .connections
                .iter()
                .filter(|(_, known)| known.info.id == connection)
                .map(|(key, _)| *key)
                .collect();
            keys.iter().for_each(|key| state.fail_query_set(*key, query_set_id, error));
            !keys.is_empty()
        })
    }

    /// A new identity, and a token with which a client connects as it.
    pub fn create_identity(&self) -> (Identity, String) {
        self.shared.with(|state| state.accounts.create(state.clock.now()))
    }

    /// Takes no token of this identity any more. Its connections stay.
    pub fn revoke(&self, identity: Identity) {
        self.shared.with(|state| state.accounts.revoke(identity));
    }

    /// Time of the server's clock.
    pub fn time(&self) -> Timestamp {
        self.shared.look(State::now)
    }

    /// Sets the server's clock, which stands from then on.
    pub fn set_time(&self, now: Timestamp) {
        self.shared.with(|state| state.clock = crate::clock::Clock::Manual(now));
    }

    /// Holds back everything that the server would send, but for pings and pongs, until the guard goes.
    pub fn hold_replies(&self) -> HeldReplies {
        self.shared.held.send_modify(|held| *held += 1);
        HeldReplies { shared: Arc::clone(&self.shared) }
    }

    /// Shows the state of the server.
    pub fn look<T>(&self, look: impl FnOnce(ServerState<'_>) -> T) -> T {
        self.shared.look(|state| look(ServerState::of(state)))
    }

    /// Waits until what the server knows is as `until` wants it, for as long as that takes.
    ///
    /// ```
    /// # use lightlike_testkit::Server;
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # runtime.block_on(async {
    /// # let server = Server::builder().start().await;
    /// // Nobody is connected any more, and `on_disconnect` has run for everybody.
    /// server.wait_for(|state| state.connections().is_empty()).await;
    /// # });
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if it is dropped.
    pub async fn wait_for(&self, mut until: impl FnMut(ServerState<'_>) -> bool) {
        let mut changes = self.shared.changes();
        loop {
            changes.borrow_and_update();
            if self.look(&mut until) {
                return;
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// A stream to the server that no network carries: what a client reads and writes in place of a socket.
    ///
    /// ```
    /// # use lightlike_testkit::Server;
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// # runtime.block_on(async {
    /// let server = Server::builder().start().await;
    /// let (uri, streams) = (server.uri(), server.clone());
    /// let db = lightlike::Client::builder(uri, "app")
    ///     .transport(move |_| {
    ///         let server = streams.clone();
    ///         async move { server.connect().await }
    ///     })
    ///     .connect()
    ///     .await
    ///     .unwrap();
    /// # drop(db);
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConnectionRefused`](std::io::ErrorKind::ConnectionRefused) while the server is stopped.
    pub async fn connect(&self) -> std::io::Result<tokio::io::DuplexStream> {
        self.thread.connect().await
    }

    /// Stops listening and ends all connections. Tables, identities and faults stay for [`restart`](Self::restart).
    ///
    /// When it returns, `on_disconnect` has run for each connection, and nobody listens.
    pub async fn stop(&self) {
        self.thread.stop().await;
    }

    /// Starts listening again where it listened before, after stopping if need be.
    ///
    /// # Panics
    ///
    /// If another program has taken the port meanwhile.
    pub async fn restart(&self) {
        self.thread.stop().await;
        if let Err(error) = self.thread.listen(&self.shared) {
            panic!("{error}");
        }
    }

    /// Does something to the connections that have this id; whether there are any.
    fn on(&self, id: ConnectionId, mut action: impl FnMut(&mut Connection)) -> bool {
        self.shared.with(|state| {
            let mut found = false;
            for connection in state.connections_of(id) {
                action(connection);
                found = true;
            }
            found
        })
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("uri", &self.uri())
            .field("database", &self.database())
            .finish_non_exhaustive()
    }
}

/// Replies wait while this lives: see [`Server::hold_replies`].
#[derive(Debug)]
#[must_use = "replies are held back only while the guard lives"]
pub struct HeldReplies {
    shared: Arc<Shared>,
}

impl Drop for HeldReplies {
    fn drop(&mut self) {
        self.shared.held.send_modify(|held| *held -= 1);
    }
}

/// State of a server at one moment.
#[derive(Debug, Clone)]
pub struct ServerState<'a> {
    state: &'a State,
    connections: Vec<ConnectionInfo>,
}

impl<'a> ServerState<'a> {
    fn of(state: &'a State) -> Self {
        Self {
            state,
            connections: state
                .connections
                .values()
                .map(|connection| connection.info.clone())
                .collect(),
        }
    }

    /// Those who are connected, oldest first.
    pub fn connections(&self) -> &[ConnectionInfo] {
        &self.connections
    }

    /// Number of query sets that are applied, over all connections.
    pub fn query_sets(&self) -> usize {
        self.state.connections.values().map(|connection| connection.sets.len()).sum()
    }

    /// Number of WebSocket handshakes, refused ones included.
    pub fn handshakes(&self) -> usize {
        self.state.counts.handshakes
    }

    /// Number of requests, over all connections.
    pub fn requests(&self) -> usize {
        self.state.counts.requests
    }

    /// Number of times that clients have called this reducer or procedure, whatever came of it.
    pub fn calls(&self, function: &str) -> usize {
        self.state.counts.calls.get(function).copied().unwrap_or_default()
    }

    /// Number of transactions that have committed.
    pub fn commits(&self) -> usize {
        self.state.counts.commits
    }

    /// Number of injected faults that are still to happen.
    pub fn faults(&self) -> usize {
        self.state.faults.len()
    }
}
