//! The handle on a database.

pub(crate) mod alarms;
pub(crate) mod blocking;
pub(crate) mod builder;
pub(crate) mod declare;
pub(crate) mod drive;
pub(crate) mod io_thread;
pub(crate) mod link;
pub(crate) mod plain_text;
mod probe;
pub(crate) mod session;
pub(crate) mod status;

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use lightlike_core::bsatn::{self, Bsatn, DecodeError};
use lightlike_core::conn::{CallRequest, ConnectionState, Reply};
use lightlike_core::driver::check_token;
use lightlike_core::schema::{Procedure, Reducer, Row, Table};
use lightlike_core::types::{ConnectionId, Identity};
use lightlike_core::wire::{QueryRows, Text};

use crate::calls::{Call, CallError, ProcedureCall, Unanswered, failure};
use crate::client::builder::ClientBuilder;
use crate::client::io_thread::IoThread;
use crate::client::link::Route;
use crate::error::{Error, Repr};
use crate::events::callbacks::CallbackId;
use crate::events::changes::Changes;
use crate::events::event::Event;
use crate::events::hooks::RowEvents;
use crate::events::listeners::Unhandled;
use crate::events::stream::EventStream;
use crate::events::watches::Watch;
use crate::hub::Hub;
use crate::observe::panics::Panicked;
use crate::query::{IntoQueries, Query, QueryList};
use crate::subscriptions::Subscription;
use crate::tables::handle::TableHandle;
use crate::tables::view::View;

/// Number of transactions that a stream of whole transactions holds. Each keeps the rows alive that it removed, so they
/// are fewer than row events.
const TRANSACTION_CAPACITY: usize = 256;

/// A database: live tables, calls, events. Cheap to clone; all clones are one connection, and the last to be dropped
/// closes it.
///
/// It may be used from any thread, and from inside callbacks. A clone that a callback keeps is a handle like any other: it
/// keeps the connection open until somebody [closes](Self::disconnect) it. Callbacks are therefore given a client with each
/// event; one that needs it in between keeps a [`WeakClient`]. When the connection is closed for good, all callbacks
/// are dropped with what they hold.
///
/// # Ending
///
/// | | calls without an answer | rows that came and are not applied |
/// | --- | --- | --- |
/// | [`close`](Self::close) waits for answers | are answered, within the time given | are applied, and told to callbacks |
/// | [`disconnect`](Self::disconnect) | are answered, within [`linger`](ClientBuilder::linger) | are applied, and told to callbacks |
/// | the last handle goes | are answered, within [`linger`](ClientBuilder::linger) | are applied; nobody is left to be told |
/// | [`abort`](Self::abort) | are not sent, if they were not | are not applied; no callback runs any more |
///
/// A program that ends loses nothing that it called before its last handle went, [forgotten](crate::Call::forget) calls
/// included. A server may forget what it has read and not begun when a connection ends, so the connection lasts until the calls
/// are answered, for up to [`linger`](ClientBuilder::linger), a second by default: it closes by itself where its driver goes on,
/// and where it does not, the end of the last handle, or of the tokio runtime that drives the client, waits for that. The log
/// is told of calls that are left behind then. Calls that wait for a lost connection are not sent any more, and neither is
/// anything when the process is ended from within, such as by [`std::process::exit`].
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

/// A [`Client`] that does not keep the connection open.
#[derive(Clone)]
pub struct WeakClient {
    handle: Weak<Handle>,
}

/// State that the clones of a client share. Its end is the connection's.
pub(crate) struct Handle {
    pub(crate) hub: Arc<Hub>,
    pub(crate) route: Route,
    /// The application ticks, and stops with its last handle.
    pub(crate) manual: bool,
}

impl Drop for Handle {
    fn drop(&mut self) {
        let shared = &self.hub.shared;
        // A loop on this thread writes when this is over: in the task's next turn, or with the runtime's end.
        let writes_elsewhere = shared.is_ticked() && !IoThread::is_current();
        if self.manual {
            shared.stop_ticking();
        }
        self.hub.command(|connection, now| connection.leave(now));
        if writes_elsewhere {
            shared.linger();
        } else if !shared.is_driven() {
            shared.linger_for_store();
        }
    }
}

/// Connecting.
impl Client {
    /// A client of the database `database` (its name, or its identity in hex) at `uri`, such as
    /// `http://127.0.0.1:3000` or `https://host`.
    pub fn builder(uri: impl AsRef<str>, database: impl AsRef<str>) -> ClientBuilder {
        ClientBuilder::new(uri.as_ref(), database.as_ref())
    }

    pub(crate) fn new(hub: Arc<Hub>, route: Route, manual: bool) -> Self {
        Self { handle: Arc::new(Handle { hub, route, manual }) }
    }

    pub(crate) fn from_handle(handle: Arc<Handle>) -> Self {
        Self { handle }
    }

    /// The connection's state.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # async fn example(db: &Client) {
    /// let mut state = db.state();
    /// while let Some(state) = state.next().await {
    ///     println!("{state:?}");
    /// }
    /// # }
    /// ```
    pub fn state(&self) -> Watch<ConnectionState> {
        self.hub().status.state()
    }

    /// Identity that the server gave this client; `None` until it has greeted.
    pub fn identity(&self) -> Option<Identity> {
        self.hub().shared.read(|connection| connection.greeting().map(|greeting| greeting.identity))
    }

    /// This connection, as the server names it; `None` until it has greeted.
    pub fn connection_id(&self) -> Option<ConnectionId> {
        let id = |connection: &lightlike_core::conn::Connection| {
            connection.greeting().map(|greeting| greeting.connection_id)
        };
        self.hub().shared.read(id)
    }

    /// The token that stands for [`identity`](Self::identity). Whoever has it is that user: keep it secret.
    pub fn token(&self) -> Option<String> {
        self.hub().shared.read(lightlike_core::conn::Connection::token).map(String::from)
    }

    /// Closes the connection in order. What is in the cache stays readable. Calls that were made are waited for, up to
    /// [`linger`](ClientBuilder::linger); those without an answer by then end as [`CallError::Unknown`], and those that an offline store has as [`CallError::Kept`].
    ///
    /// It waits for nothing that the application holds up: neither for [views](View), nor, for longer than a few seconds, for a
    /// callback that does not return. What is left is delivered without callbacks then.
    ///
    /// It closes whether what this returns is awaited or not; awaiting it waits until it is closed, and the offline store
    /// too. A callback, which cannot wait, drops it. Streams and watches end, also those that are asked for later; calls
    /// and subscriptions are refused.
    ///
    /// What was received before is still applied, and told to callbacks, in order; so is what comes before the server answers.
    /// [`abort`](Self::abort) stops at once.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # async fn example(db: Client) {
    /// db.disconnect().await;
    /// # }
    /// ```
    pub fn disconnect(&self) -> Disconnecting {
        let state = self.state();
        let linger = self.hub().command(|connection, now| {
            connection.leave(now);
            connection.config().linger
        });
        self.end_after(linger);
        let hub = Arc::clone(self.hub());
        let closing = Box::pin(async move { hub.shared.close_disk().await });
        Disconnecting { state, closing }
    }

    /// Closes the connection at once: no callback is started after this has returned, and none after the one that it is called
    /// in. One that is running on another thread finishes.
    ///
    /// What was received and is not applied never is; what is in the cache stays readable as it is. Streams and watches end,
    /// without what was not applied. The server is not told, and hears from the network that the client is gone. Calls without
    /// an answer end as [`CallError::Unknown`] if they were sent and as [`CallError::NotSent`] if they were not; those that
    /// an offline store has stay there for the next run. [`disconnect`](Self::disconnect) closes in order.
    pub fn abort(&self) {
        self.hub().panics.silence();
        self.hub().command(lightlike_core::conn::Connection::close_at_once);
    }

    /// Something changed, such as the network: a lost connection is tried again at once, and one that seems to be there
    /// is asked whether it is.
    pub fn reconnect_now(&self) {
        self.hub().command(|connection, now| connection.reconnect_now(now));
    }

    /// Presents another token of the same user's from the next connection on; one that waits for it
    /// ([`NeedsAuth`](ConnectionState::NeedsAuth)) is opened at once.
    ///
    /// Rows and calls that are here are one user's. So if the server says that the token stands for another identity, the
    /// connection is closed with [`Lost::IdentityChanged`](crate::connection::Lost::IdentityChanged):
    /// [`switch_user`](Self::switch_user) is the way to become another user.
    ///
    /// # Errors
    ///
    /// [`Configuration`](crate::ErrorKind::Configuration) if it cannot be a token.
    pub fn set_token(&self, token: impl AsRef<str>) -> Result<(), Error> {
        let token = token.as_ref();
        check_token(token).map_err(Repr::Token)?;
        self.hub().session.presents_another();
        self.hub().command(|connection, now| connection.set_token(now, token.into()));
        Ok(())
    }

    /// Becomes another user: the one that `token` stands for, or a new one, whom the server makes, if there is none. With a
    /// `auth::Refresh` that is asked for the token where there is none.
    ///
    /// The connection is made anew. What is here was the user's before, and is given up when this returns:
    ///
    /// - All rows leave, in one transaction with the cause [`UserChanged`](crate::events::Cause::UserChanged).
    /// - Calls without an answer end as [`CallError::Unknown`] if they were sent, and as [`CallError::NotSent`] if not.
    /// - Query sets stay, and are asked for again as if they had just been made: [`applied`](Subscription::applied) waits for
    ///   the other user's rows. Callbacks, streams and watches stay.
    /// - The token that the server gives is kept in the token store, in place of the one before.
    ///
    /// # Errors
    ///
    /// [`Configuration`](crate::ErrorKind::Configuration) if it cannot be a token, or if the client has an
    /// [offline store](crate::ClientBuilder::offline), which is one user's: close that client and make another;
    /// [`Disconnected`](crate::ErrorKind::Disconnected) if the connection is closed, or being closed. Nothing has changed then.
    pub fn switch_user(&self, token: Option<&str>) -> Result<(), Error> {
        token.map_or(Ok(()), check_token).map_err(Repr::Token)?;
        Ok(self.hub().switch_user(token.map(Box::from)).map_err(Repr::CannotSwitch)?)
    }

    /// Runs `callback` once an outage, when the connection has been lost for [`Reconnect::grace`](crate::connection::Reconnect::grace).
    pub fn on_lost_for_long(&self, callback: impl FnMut(&Self) + Send + 'static) -> CallbackId {
        self.hub().observers.on_lost_for_long(Box::new(callback))
    }

    /// A handle that does not keep the connection open, for callbacks and tasks that live long.
    pub fn downgrade(&self) -> WeakClient {
        WeakClient { handle: Arc::downgrade(&self.handle) }
    }

    #[inline]
    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.handle.hub
    }

    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }
}

/// Rows.
impl Client {
    /// Asks for a query set: its rows come into the cache together, and are kept in step with the server.
    ///
    /// Takes typed queries (`User::all()`), SQL as text, and tuples, arrays and lists of those. The set ends when what
    /// this returns is dropped.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # #[derive(Bsatn, Table, Clone, Debug)]
    /// # #[table(name = "user")]
    /// # struct User {
    /// #     #[primary_key]
    /// #     id: u64,
    /// #     name: String,
    /// #     #[index(btree)]
    /// #     level: u32,
    /// # }
    /// # async fn example(db: &Client) -> Result<(), lightlike::Error> {
    /// let users = db.subscribe(User::filter(User::LEVEL.gt(3))).await?;
    /// println!("{} rows are here", db.table::<User>().len());
    /// users.unsubscribe().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn subscribe(&self, queries: impl IntoQueries) -> Subscription {
        self.hub().subscribe(QueryList::new(queries))
    }

    /// All tables as they are now. The view does not change, and holding it stops nobody.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # #[derive(Bsatn, Table, Clone, Debug)]
    /// # #[table(name = "user")]
    /// # struct User {
    /// #     #[primary_key]
    /// #     id: u64,
    /// #     name: String,
    /// #     #[index(btree)]
    /// #     level: u32,
    /// # }
    /// # fn example(db: &Client) {
    /// let view = db.read();
    /// for user in view.table::<User>().iter() {
    ///     println!("{}", user.name);
    /// }
    /// # }
    /// ```
    #[inline]
    pub fn read(&self) -> View {
        self.hub().read()
    }

    /// One table: for its events, and for reads that copy.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # #[derive(Bsatn, Table, Clone, Debug)]
    /// # #[table(name = "user")]
    /// # struct User {
    /// #     #[primary_key]
    /// #     id: u64,
    /// #     name: String,
    /// #     #[index(btree)]
    /// #     level: u32,
    /// # }
    /// # fn example(db: &Client) {
    /// let users = db.table::<User>();
    /// println!("{} users", users.len());
    /// users.on_insert(|_, user| println!("{} came", user.name));
    /// # }
    /// ```
    pub fn table<T: Table>(&self) -> TableHandle<T> {
        TableHandle::new(Arc::clone(self.hub()))
    }

    /// Asks the server for rows once, without a subscription and without the cache.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # #[derive(Bsatn, Table, Clone, Debug)]
    /// # #[table(name = "user")]
    /// # struct User {
    /// #     #[primary_key]
    /// #     id: u64,
    /// #     name: String,
    /// #     #[index(btree)]
    /// #     level: u32,
    /// # }
    /// # async fn example(db: &Client) -> Result<(), lightlike::Error> {
    /// let experienced: Vec<User> = db.query(User::filter(User::LEVEL.gt(30))).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Query`](crate::ErrorKind::Query) if the query cannot be written as SQL, if the server refuses it, or if the
    /// connection is lost before the answer; [`Schema`](crate::ErrorKind::Schema) if a row does not decode, or if the table
    /// differs from the module's under a [strict check](crate::ClientBuilder#method.schema_check).
    pub async fn query<T: Table, S>(&self, query: Query<T, S>) -> Result<Vec<T::Row>, Error> {
        if let Some(error) = query.error() {
            return Err(Repr::Unwritable(error.clone()).into());
        }
        #[cfg(feature = "http")]
        if let Some(differences) = self.hub().schema.refusal(&[T::DEF]) {
            return Err(Repr::SchemaDrift(differences).into());
        }
        self.ask(query.sql(), <T::Row as Row>::decode_row).await
    }

    /// As [`query`](Self::query), with SQL as text, and rows of any type with their columns in order.
    ///
    /// # Errors
    ///
    /// As [`query`](Self::query).
    pub async fn query_sql<R: Bsatn>(&self, sql: &str) -> Result<Vec<R>, Error> {
        self.ask(sql, |bytes| bsatn::from_slice(bytes)).await
    }

    async fn ask<R>(
        &self,
        sql: &str,
        decode: fn(&[u8]) -> Result<R, DecodeError>,
    ) -> Result<Vec<R>, Error> {
        let sql = Text::from(sql);
        let answer = self.hub().call(CallRequest::Query { sql }, None).await;
        match answer {
            Ok(Reply::Rows(rows)) => decode_rows(&rows, decode),
            Ok(Reply::NotSent(why)) => Err(Repr::Unanswered(Unanswered::NotSent(why)).into()),
            Ok(reply) => Err(match failure::<()>(&reply) {
                CallError::Failed(why) => Repr::Query(why).into(),
                _ => Repr::Unanswered(Unanswered::Lost).into(),
            }),
            Err(_) => Err(Repr::Unanswered(Unanswered::Lost).into()),
        }
    }
}

fn decode_rows<R>(
    rows: &QueryRows,
    decode: fn(&[u8]) -> Result<R, DecodeError>,
) -> Result<Vec<R>, Error> {
    let encoded = rows.tables.iter().flat_map(|table| table.rows.iter());
    let decoded = encoded
        .enumerate()
        .map(|(row, bytes)| decode(bytes).map_err(|error| Repr::QueryRow { row, error }.into()));
    decoded.collect()
}

/// Calls.
impl Client {
    /// A call of a reducer: await it for its outcome.
    ///
    /// When the outcome comes, the call's own changes are in the cache and their callbacks have run.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # #[reducer]
    /// # fn send_message(text: String) -> Result<(), String>;
    /// # async fn example(db: &Client) -> Result<(), lightlike::Error> {
    /// match db.call(send_message("hello".into())).await {
    ///     Ok(()) => println!("committed"),
    ///     Err(CallError::Rejected(reason)) => println!("rejected: {reason}"),
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn call<R: Reducer>(&self, call: R) -> Call<R> {
        #[cfg(feature = "http")]
        self.hub().schema.function(&R::DEF);
        Call::new(Arc::clone(self.hub()), call)
    }

    /// A call of a procedure: await it for what it returns.
    pub fn call_procedure<P: Procedure>(&self, call: P) -> ProcedureCall<P> {
        #[cfg(feature = "http")]
        self.hub().schema.function(&P::DEF);
        ProcedureCall::new(Arc::clone(self.hub()), call)
    }

    /// Number of calls and queries that have no answer yet.
    pub fn pending_calls(&self) -> usize {
        self.hub().shared.read(lightlike_core::conn::Connection::pending_calls)
    }

    /// Runs `callback` for every forgotten call that is not committed. Without one the log is told.
    pub fn on_unhandled_rejection(
        &self,
        callback: impl FnMut(&Self, &Unhandled) + Send + 'static,
    ) -> CallbackId {
        self.hub().observers.on_unhandled(Box::new(callback))
    }
}

/// Transactions.
impl Client {
    /// Runs `callback` once for every transaction that changed something, after the callbacks of its rows.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # #[derive(Bsatn, Table, Clone, Debug)]
    /// # #[table(name = "user")]
    /// # struct User {
    /// #     #[primary_key]
    /// #     id: u64,
    /// #     name: String,
    /// #     #[index(btree)]
    /// #     level: u32,
    /// # }
    /// # fn example(db: &Client) {
    /// db.on_transaction(|event, changes| {
    ///     let users = changes.of::<User>().count();
    ///     println!("{users} changes of users, because of {:?}", event.cause());
    /// });
    /// # }
    /// ```
    pub fn on_transaction(
        &self,
        callback: impl FnMut(&Event<'_>, &Changes) + Send + 'static,
    ) -> CallbackId {
        self.hub().hooks.transactions.register(Box::new(callback))
    }

    /// Runs `callback` once for every transaction that changed something, before anything else hears of it. What it
    /// returns says whether the rows are told one by one as well, to callbacks and streams of rows: where one such
    /// callback says [`RowEvents::Skip`] they are not. Watches, whole transactions and what calls are answered are told in any case.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # fn example(db: &Client) {
    /// use lightlike::events::RowEvents;
    ///
    /// // The first rows are drawn at once; later changes one by one.
    /// db.on_batch(|event, changes| match event.cause() {
    ///     Cause::Applied(_) | Cause::Resync => RowEvents::Skip,
    ///     _ => RowEvents::Deliver,
    /// });
    /// # }
    /// ```
    pub fn on_batch(
        &self,
        callback: impl FnMut(&Event<'_>, &Changes) -> RowEvents + Send + 'static,
    ) -> CallbackId {
        self.hub().hooks.batches.register(Box::new(callback))
    }

    /// A stream of whole transactions.
    pub fn transactions(&self) -> EventStream<Changes> {
        self.hub().hooks.transactions(TRANSACTION_CAPACITY)
    }

    /// Runs `callback` for every panic in code of the application that the client runs: in callbacks, in row types
    /// (decoding, comparing, hashing, copying or dropping a row), in transports, token stores and the like, and in what they
    /// captured. It runs when the event is over in which that was, and the log is told in any case. A panic of this callback
    /// itself is only logged.
    ///
    /// What a panic means: a callback's, nothing else. A row type's ends the subscriptions that have its table, with
    /// [`Panicked`](crate::ErrorKind::Panicked), and the table starts over empty. A transport's is a lost connection, a token
    /// store's or provider's an error of its own, and a [veto](crate::ClientBuilder::before_replay)'s keeps the call. Where
    /// the client cannot go on, the connection is closed and says so: [`CloseReason::Panicked`](crate::connection::CloseReason).
    pub fn on_panic(&self, callback: impl FnMut(&Self, &Panicked) + Send + 'static) -> CallbackId {
        self.hub().observers.on_panic(Box::new(callback))
    }
}

/// Ends when the connection is closed: see [`Client::disconnect`]. Dropping it changes nothing.
pub struct Disconnecting {
    state: Watch<ConnectionState>,
    /// The offline store, when the connection is closed.
    closing: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl fmt::Debug for Disconnecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disconnecting").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Future for Disconnecting {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        while !matches!(*self.state.borrow(), ConnectionState::Closed(_)) {
            if ready!(self.state.poll_changed(cx)).is_err() {
                break;
            }
        }
        self.closing.as_mut().poll(cx)
    }
}

impl WeakClient {
    /// The client, if a handle on it is left.
    pub fn upgrade(&self) -> Option<Client> {
        self.handle.upgrade().map(Client::from_handle)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.hub().status.now();
        f.debug_struct("Client").field("state", &*state).finish_non_exhaustive()
    }
}

impl fmt::Debug for WeakClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakClient").finish_non_exhaustive()
    }
}
