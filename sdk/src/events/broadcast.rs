//! One feed of everything, to fan out into an application's own channels.

use std::collections::HashSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use lightlike_core::bsatn::{self, DecodeError};
use lightlike_core::cache::{RowChange, TableDiff};
use lightlike_core::conn::Cause;
use lightlike_core::guard;
use lightlike_core::schema::{ServerSchema, Table};

use crate::client::Client;
use crate::events::callbacks::Callbacks;
use crate::events::changes::Changes;
use crate::events::event::{Change, Deleted, Inserted, Lagged, Updated};
use crate::events::listeners::Called;
use crate::events::stream::{Bounds, DEFAULT_CAPACITY, EventStream, Feed};
use crate::hub::Hub;
use crate::observe::panics::Panics;
use crate::untyped::{UntypedRow, changes_of_table};

impl Client {
    /// A feed of everything that happens: rows that come, change and leave, in all tables or some of them, and the
    /// results of this client's calls. It begins now.
    ///
    /// It is made to be handed on: it can be cloned, each clone is a receiver of its own with a bounded queue, rows are
    /// encoded once for all of them, and tables need no Rust type.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// use lightlike::events::BroadcastEvent;
    ///
    /// # #[derive(Bsatn, Table, Clone)]
    /// # #[table(name = "user")]
    /// # struct User { #[primary_key] identity: Identity, name: String }
    /// # async fn example(db: Client, channels: impl Fn(String, bytes::Bytes)) {
    /// let mut feed = db.broadcast().tables(["user", "message"]);
    /// while let Some(event) = feed.next().await {
    ///     match event {
    ///         Ok(BroadcastEvent::Update { new, .. }) => {
    ///             channels(format!("updates/{}", new.table()), new.bsatn().clone());
    ///             if let Some(Ok(user)) = new.decode::<User>() {
    ///                 println!("{} has changed", user.name);
    ///             }
    ///         }
    ///         Ok(_) => (),
    ///         Err(Lagged(missed)) => println!("{missed} events went by"),
    ///     }
    /// }
    /// # }
    /// ```
    pub fn broadcast(&self) -> Broadcast {
        Broadcast::new(Arc::clone(self.hub()), Filter::default(), DEFAULT_CAPACITY)
    }
}

/// A feed of everything that happens, or of some tables: see [`Client::broadcast`]. Also a `Stream`.
///
/// Events come in the server's order: rows by table, and a call's result after its rows. It ends when the connection is closed for good,
/// and keeps nothing open. Of a table without a Rust type, a row that was replaced comes as an insert and a delete, unless a
/// [schema](Self::schema) says what its primary key is.
#[must_use = "a feed does nothing unless it is read"]
pub struct Broadcast {
    hub: Arc<Hub>,
    filter: Filter,
    capacity: usize,
    events: EventStream<BroadcastEvent>,
}

/// Something that happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum BroadcastEvent {
    /// A row came: new in the cache, or of an event table.
    Insert {
        /// The row.
        row: BroadcastRow,
        /// Cause.
        cause: Cause,
    },
    /// A row was replaced by one with the same primary key.
    Update {
        /// The row before.
        old: BroadcastRow,
        /// The row after.
        new: BroadcastRow,
        /// Cause.
        cause: Cause,
    },
    /// A row left.
    Delete {
        /// The row.
        row: BroadcastRow,
        /// Cause.
        cause: Cause,
    },
    /// A call of this client's was answered, or will not be.
    Call(Called),
}

impl BroadcastEvent {
    /// The table that it happened in; `None` for a call.
    pub fn table(&self) -> Option<&str> {
        match self {
            Self::Insert { row, .. } | Self::Update { new: row, .. } | Self::Delete { row, .. } => {
                Some(row.table())
            }
            Self::Call(_) => None,
        }
    }

    /// Bytes that it takes beside its own size. Rows are shared by all receivers, and count for each.
    fn bytes(&self) -> usize {
        match self {
            Self::Insert { row, .. } | Self::Delete { row, .. } => row.bytes.len(),
            Self::Update { old, new, .. } => old.bytes.len() + new.bytes.len(),
            Self::Call(called) => called.bytes(),
        }
    }
}

/// An encoded row. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BroadcastRow {
    table: Arc<str>,
    bytes: Bytes,
}

impl BroadcastRow {
    /// Its table's name on the wire.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Its BSATN.
    pub fn bsatn(&self) -> &Bytes {
        &self.bytes
    }

    /// The row as the type that `T` says, if it is of the table `T`.
    ///
    /// # Errors
    ///
    /// A [`DecodeError`] if `T` is not what the server has.
    pub fn decode<T: Table>(&self) -> Option<Result<T::Row, DecodeError>> {
        (self.table() == T::DEF.name).then(|| bsatn::from_slice(&self.bytes))
    }
}

/// Events that a receiver wants.
#[derive(Clone)]
struct Filter {
    /// All, if none are named.
    tables: Option<HashSet<Box<str>>>,
    calls: bool,
    /// Says what identifies the rows of tables without a Rust type.
    schema: Option<Arc<ServerSchema>>,
}

impl Default for Filter {
    fn default() -> Self {
        Self { tables: None, calls: true, schema: None }
    }
}

impl Filter {
    fn wants_table(&self, name: &str) -> bool {
        self.tables.as_ref().is_none_or(|tables| tables.contains(name))
    }
}

impl Broadcast {
    fn new(hub: Arc<Hub>, filter: Filter, capacity: usize) -> Self {
        let bytes = hub.shared.read(|connection| connection.config().limits.max_stream_bytes);
        let bounds = Bounds { events: capacity.max(1), bytes };
        let events = hub.observers.broadcasts().receive(filter.clone(), bounds);
        Self { hub, filter, capacity, events }
    }

    /// Only rows of the table `T` and of others that are named. The feed begins anew.
    pub fn table<T: Table>(self) -> Self {
        self.tables([T::DEF.name])
    }

    /// Only rows of these tables, by their names on the wire, and of others that are named. With none at all, no rows. The
    /// feed begins anew.
    pub fn tables<N: AsRef<str>>(self, names: impl IntoIterator<Item = N>) -> Self {
        let Self { hub, mut filter, capacity, .. } = self;
        let tables = filter.tables.get_or_insert_default();
        tables.extend(names.into_iter().map(|name| Box::from(name.as_ref())));
        Self::new(hub, filter, capacity)
    }

    /// Tells of a row that was replaced by one with the same primary key as an [update](BroadcastEvent::Update) in tables
    /// that have no Rust type too, by the keys of this schema: that of the server, or one that was saved. The feed begins
    /// anew.
    ///
    /// In every table the rows that came or changed are then told before those that left. Rows are encoded once for each
    /// feed that has a schema.
    ///
    /// ```no_run
    /// # #[cfg(feature = "http")]
    /// # async fn example(db: lightlike::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let schema = lightlike::http::Http::new("http://127.0.0.1:3000")?.schema("chat").await?;
    /// let mut feed = db.broadcast().schema(schema);
    /// # Ok(())
    /// # }
    /// ```
    pub fn schema(self, schema: impl Into<Arc<ServerSchema>>) -> Self {
        let Self { hub, filter, capacity, .. } = self;
        Self::new(hub, Filter { schema: Some(schema.into()), ..filter }, capacity)
    }

    /// Without the results of calls. The feed begins anew.
    pub fn without_calls(self) -> Self {
        let Self { hub, filter, capacity, .. } = self;
        Self::new(hub, Filter { calls: false, ..filter }, capacity)
    }

    /// Sets the number of events that wait for a slow reader, at most; 4096 by default, and at least one. The feed
    /// begins anew.
    pub fn capacity(self, events: usize) -> Self {
        let Self { hub, filter, .. } = self;
        Self::new(hub, filter, events)
    }

    /// The next event; `None` when there will be no more. `Err(Lagged(n))` says that this was not called often enough, and
    /// that the `n` oldest events were dropped.
    ///
    /// # Cancel safety
    ///
    /// Safe: no event is lost.
    pub async fn next(&mut self) -> Option<Result<BroadcastEvent, Lagged>> {
        self.events.next().await
    }
}

impl Stream for Broadcast {
    type Item = Result<BroadcastEvent, Lagged>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.events).poll_next(cx)
    }
}

/// Another receiver of the same events, which begins now.
impl Clone for Broadcast {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.hub), self.filter.clone(), self.capacity)
    }
}

impl fmt::Debug for Broadcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast")
            .field("tables", &self.filter.tables)
            .field("calls", &self.filter.calls)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

/// All receivers of one client.
pub(crate) struct Broadcasts {
    receivers: Arc<Callbacks<Receiver>>,
}

struct Receiver {
    filter: Filter,
    feed: Feed<BroadcastEvent>,
}

impl Receiver {
    fn wants_encoded(&self, table: &str) -> bool {
        self.filter.schema.is_none() && self.filter.wants_table(table)
    }

    fn push(&self, event: BroadcastEvent) {
        let bytes = event.bytes();
        self.feed.push(event, bytes);
    }
}

impl Broadcasts {
    pub(crate) fn new(panics: &Arc<Panics>) -> Self {
        Self { receivers: Callbacks::new("broadcast", None, panics) }
    }

    fn receive(&self, filter: Filter, bounds: Bounds) -> EventStream<BroadcastEvent> {
        let (events, feed) = EventStream::new(bounds);
        events.fed_by(self.receivers.register(Box::new(Receiver { filter, feed })))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.receivers.is_empty()
    }

    /// Tells of a transaction's rows.
    pub(crate) fn rows(&self, changes: &Changes) {
        if self.is_empty() {
            return;
        }
        let mut receivers = self.receivers.run();
        for diff in changes.diffs() {
            let mut wants = Wants::default();
            receivers.each(|receiver| wants.add(&receiver.filter, diff.name()));
            let table: Arc<str> = diff.name().into();
            if wants.encoded {
                // The rest of a table whose row type panics over its encoding is missed, and that is said.
                let delivered = guard::catch(|| {
                    diff.for_each_encoded(changes.transaction(), |change| {
                        let event = of_change(&table, change, changes.cause());
                        receivers.each(|receiver| {
                            if receiver.wants_encoded(&table) {
                                receiver.push(event.clone());
                            }
                        });
                    });
                });
                if let Err(message) = delivered {
                    receivers.each(|receiver| {
                        if receiver.wants_encoded(&table) {
                            receiver.feed.miss();
                        }
                    });
                    guard::note("row type", message);
                }
            }
            if wants.by_schema {
                receivers.each(|receiver| {
                    let delivered = guard::catch(|| receiver.push_by_schema(&table, changes, diff));
                    if let Err(message) = delivered {
                        receiver.feed.miss();
                        guard::note("row type", message);
                    }
                });
            }
        }
    }

    /// Tells of a call.
    pub(crate) fn call(&self, called: &Called) {
        self.receivers.run().each(|receiver| {
            if receiver.filter.calls {
                receiver.push(BroadcastEvent::Call(called.clone()));
            }
        });
    }

    /// There will be no more events.
    pub(crate) fn end(&self) {
        self.receivers.end();
    }
}

/// Forms in which receivers want the rows of a table.
#[derive(Default)]
struct Wants {
    encoded: bool,
    by_schema: bool,
}

impl Wants {
    fn add(&mut self, filter: &Filter, table: &str) {
        if filter.wants_table(table) {
            self.by_schema |= filter.schema.is_some();
            self.encoded |= filter.schema.is_none();
        }
    }
}

impl Receiver {
    fn push_by_schema(&self, table: &Arc<str>, changes: &Changes, diff: &TableDiff) {
        let Some(schema) = self.filter.schema.as_ref().filter(|_| self.filter.wants_table(table))
        else {
            return;
        };
        for change in changes_of_table(schema, changes, diff) {
            self.push(of_untyped(table, change));
        }
    }
}

fn of_untyped(table: &Arc<str>, change: Change<UntypedRow>) -> BroadcastEvent {
    let row = |row: UntypedRow| BroadcastRow { table: Arc::clone(table), bytes: row.into_bytes() };
    match change {
        Change::Inserted(Inserted { row: new, cause }) => {
            BroadcastEvent::Insert { row: row(new), cause }
        }
        Change::Updated(Updated { old, new, cause }) => {
            BroadcastEvent::Update { old: row(old), new: row(new), cause }
        }
        Change::Deleted(Deleted { row: old, cause }) => {
            BroadcastEvent::Delete { row: row(old), cause }
        }
    }
}

fn of_change(table: &Arc<str>, change: RowChange<'_, [u8]>, cause: &Cause) -> BroadcastEvent {
    let cause = cause.clone();
    let row = |bytes: &[u8]| BroadcastRow {
        table: Arc::clone(table),
        bytes: Bytes::copy_from_slice(bytes),
    };
    match change {
        RowChange::Insert(new) | RowChange::Event(new) => {
            BroadcastEvent::Insert { row: row(new), cause }
        }
        RowChange::Update { old, new } => {
            BroadcastEvent::Update { old: row(old), new: row(new), cause }
        }
        RowChange::Delete(old) => BroadcastEvent::Delete { row: row(old), cause },
    }
}
