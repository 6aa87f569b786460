//! From a transaction to the application's callbacks and streams.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use lightlike_core::cache::{RowChange, TableDiff, TableId};
use lightlike_core::guard;
use lightlike_core::limits::Limits;
use lightlike_core::schema::{Row, Table};

use crate::events::callbacks::Callbacks;
use crate::events::changes::Changes;
use crate::events::event::{Change, Deleted, Event, Inserted, Updated};
use crate::events::stream::{Bounds, DEFAULT_CAPACITY, EventStream, Feed, row_bytes};
use crate::events::watches::Source;
use crate::events::watches::row::{WatchRows, row_watches};
use crate::observe::panics::Panics;
use crate::sync::lock;

pub(crate) type RowCallback<R> = dyn FnMut(&Event<'_>, &R) + Send;
pub(crate) type UpdateCallback<R> = dyn FnMut(&Event<'_>, &R, &R) + Send;
pub(crate) type TransactionCallback = dyn FnMut(&Event<'_>, &Changes) + Send;
pub(crate) type BatchCallback = dyn FnMut(&Event<'_>, &Changes) -> RowEvents + Send;

/// Delivery of a transaction's rows one by one: see [`Client::on_batch`](crate::Client::on_batch).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowEvents {
    /// They are.
    Deliver,
    /// The batch was enough: callbacks and streams of rows hear nothing of this transaction.
    Skip,
}

/// Feeds a stream with what it makes of a transaction.
pub(crate) type TransactionReader = dyn FnMut(&Changes) + Send;

/// Everything that wants to know of changes.
pub(crate) struct Hooks {
    tables: Mutex<Tables>,
    panics: Arc<Panics>,
    stream_bytes: StreamBytes,
    pub(crate) batches: Arc<Callbacks<BatchCallback>>,
    pub(crate) transactions: Arc<Callbacks<TransactionCallback>>,
    /// Feeds of streams of transactions, and of what is made of them.
    transaction_readers: Arc<Callbacks<TransactionReader>>,
    /// Says that something may have changed: a transaction, or the state of the connection.
    pub(crate) changed: Source<()>,
}

#[derive(Default)]
struct Tables {
    by_type: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    by_id: HashMap<TableId, Vec<Arc<dyn Dispatch>>>,
    /// The connection is closed: streams and watches of a table that is mentioned now end at once.
    ended: bool,
}

/// The hooks of one table, whatever its row type: one virtual call a table and transaction.
trait Dispatch: Send + Sync {
    fn run_before_deletes(&self, event: &Event<'_>, changes: &Changes, diff: &TableDiff);
    fn set_watches(&self, changes: &Changes, diff: &TableDiff);
    fn run_callbacks(&self, event: &Event<'_>, changes: &Changes, diff: &TableDiff);
    fn feed_streams(&self, event: &Event<'_>, changes: &Changes, diff: &TableDiff);
    fn end(&self);
}

/// Bytes that streams hold.
#[derive(Debug, Clone, Copy)]
struct StreamBytes {
    rows: usize,
    /// Of transactions, which keep what they removed.
    transactions: usize,
    /// Bytes that a row which was removed counts as at least.
    dead_row: usize,
}

impl StreamBytes {
    /// A transaction that waits holds views, and so all rows that have left since: together those of the transactions that
    /// wait behind it. Where they are half of what may be held by views, the oldest transactions are dropped.
    fn new(limits: &Limits) -> Self {
        let rows = limits.max_stream_bytes;
        let transactions = rows.min(limits.max_dead_bytes / 2);
        let dead_row = transactions.div_ceil((limits.max_dead_rows / 2).max(1));
        Self { rows, transactions, dead_row }
    }
}

impl Hooks {
    pub(crate) fn new(panics: &Arc<Panics>, limits: &Limits) -> Self {
        Self {
            tables: Mutex::default(),
            panics: Arc::clone(panics),
            stream_bytes: StreamBytes::new(limits),
            batches: Callbacks::new("on_batch", None, panics),
            transactions: Callbacks::new("on_transaction", None, panics),
            transaction_readers: Callbacks::new("transactions", None, panics),
            changed: Source::new(()),
        }
    }

    /// The hooks of the table `T`, which the cache calls `table`.
    pub(crate) fn table<T: Table>(&self, table: TableId) -> Arc<TableHooks<T>> {
        let mut tables = lock(&self.tables);
        if let Some(hooks) = tables.by_type.get(&TypeId::of::<T>())
            && let Ok(hooks) = Arc::clone(hooks).downcast()
        {
            return hooks;
        }
        let hooks = Arc::new(TableHooks::<T>::new(&self.panics, self.stream_bytes.rows));
        if tables.ended {
            hooks.end();
        }
        tables.by_type.insert(TypeId::of::<T>(), hooks.clone());
        tables.by_id.entry(table).or_default().push(hooks.clone());
        hooks
    }

    /// Tells of one transaction: the whole, for who may skip its rows; rows before they leave; rows by table in message
    /// order; the whole; watches; streams.
    pub(crate) fn dispatch(&self, event: &Event<'_>, changes: &Changes) {
        let touched = self.touched(changes);
        let rows = self.run_batches(event, changes);
        if rows == RowEvents::Deliver {
            let before = event.before_it();
            for (hooks, diff) in &touched {
                hooks.run_before_deletes(&before, changes, diff);
            }
            for (hooks, diff) in &touched {
                hooks.run_callbacks(event, changes, diff);
            }
        }
        if !self.transactions.is_empty() {
            self.transactions.run().each_kept(|callback| {
                callback(event, changes);
                event.keep()
            });
        }
        if self.panics.is_silenced() {
            return;
        }
        for (hooks, diff) in &touched {
            hooks.set_watches(changes, diff);
        }
        self.changed.touch();
        if rows == RowEvents::Deliver {
            for (hooks, diff) in &touched {
                hooks.feed_streams(event, changes, diff);
            }
        }
        if !self.transaction_readers.is_empty() {
            self.transaction_readers.run().each(|read| read(changes));
        }
    }

    /// The hooks of the tables that a transaction changed, in its order.
    fn touched<'c>(&self, changes: &'c Changes) -> Vec<(Arc<dyn Dispatch>, &'c TableDiff)> {
        let tables = lock(&self.tables);
        let diffs = changes.diffs().iter().flat_map(|diff| {
            let hooks = tables.by_id.get(&diff.table()).into_iter().flatten();
            hooks.map(move |hooks| (Arc::clone(hooks), diff))
        });
        diffs.collect()
    }

    fn run_batches(&self, event: &Event<'_>, changes: &Changes) -> RowEvents {
        let mut rows = RowEvents::Deliver;
        if !self.batches.is_empty() {
            self.batches.run().each_kept(|callback| {
                if callback(event, changes) == RowEvents::Skip {
                    rows = RowEvents::Skip;
                }
                event.keep()
            });
        }
        rows
    }

    pub(crate) fn transactions(&self, events: usize) -> EventStream<Changes> {
        let StreamBytes { transactions: bytes, dead_row, .. } = self.stream_bytes;
        let (stream, feed) = EventStream::new(Bounds { events, bytes });
        let read = move |changes: &Changes| {
            let retained = changes.transaction().retained();
            let bytes = retained.bytes.max(retained.rows.saturating_mul(dead_row));
            feed.push(changes.clone(), bytes);
        };
        stream.fed_by(self.transaction_readers.register(Box::new(read)))
    }

    /// A stream that is fed with what `read` makes of every transaction from now on.
    pub(crate) fn read_transactions<T: Send + 'static>(
        &self,
        mut read: impl FnMut(&Changes, &Feed<T>) + Send + 'static,
    ) -> EventStream<T> {
        let (stream, feed) = self.stream(DEFAULT_CAPACITY);
        let read = move |changes: &Changes| read(changes, &feed);
        stream.fed_by(self.transaction_readers.register(Box::new(read)))
    }

    /// A stream of so many events, which is not fed yet.
    pub(crate) fn stream<T>(&self, events: usize) -> (EventStream<T>, Feed<T>) {
        EventStream::new(Bounds { events, bytes: self.stream_bytes.rows })
    }

    /// There will be no more transactions: streams and watches end, and callbacks are dropped.
    pub(crate) fn end(&self) {
        self.changed.end();
        self.transaction_readers.end();
        self.batches.end();
        self.transactions.end();
        let all: Vec<_> = {
            let mut tables = lock(&self.tables);
            tables.ended = true;
            tables.by_id.values().flatten().cloned().collect()
        };
        all.iter().for_each(|hooks| hooks.end());
    }
}

/// Copies what a stream is to carry.
type FeedFn<R> = dyn FnMut(&Event<'_>, &RowChange<'_, R>) + Send;

/// The name of panics of rows' code.
const ROW_TYPE: &str = "row type";

/// Listeners to one table's changes.
pub(crate) struct TableHooks<T: Table> {
    pub(crate) before_deletes: Arc<Callbacks<RowCallback<T::Row>>>,
    pub(crate) inserts: Arc<Callbacks<RowCallback<T::Row>>>,
    pub(crate) updates: Arc<Callbacks<UpdateCallback<T::Row>>>,
    pub(crate) deletes: Arc<Callbacks<RowCallback<T::Row>>>,
    /// Says that rows changed.
    pub(crate) changed: Source<()>,
    pub(crate) rows: Arc<dyn WatchRows<T::Row>>,
    feeds: Arc<Callbacks<FeedFn<T::Row>>>,
    stream_bytes: usize,
    panics: Arc<Panics>,
}

impl<T: Table> TableHooks<T> {
    fn new(panics: &Arc<Panics>, stream_bytes: usize) -> Self {
        let table = Some(T::DEF.name);
        Self {
            before_deletes: Callbacks::new("on_before_delete", table, panics),
            inserts: Callbacks::new("on_insert", table, panics),
            updates: Callbacks::new("on_update", table, panics),
            deletes: Callbacks::new("on_delete", table, panics),
            changed: Source::new(()),
            rows: row_watches(),
            feeds: Callbacks::new("a stream", table, panics),
            stream_bytes,
            panics: Arc::clone(panics),
        }
    }

    /// Code of the row type panicked while its rows were told of.
    fn note(&self, message: Box<str>) {
        self.panics.note(ROW_TYPE, Some(T::DEF.name), message);
    }

    /// Hooks that never hear of anything.
    pub(crate) fn of_no_table() -> Self {
        let hooks = Self::new(&Arc::default(), 0);
        hooks.end();
        hooks
    }

    /// There will be no more changes.
    fn end(&self) {
        self.changed.end();
        self.rows.end();
        self.feeds.end();
        self.before_deletes.end();
        self.inserts.end();
        self.updates.end();
        self.deletes.end();
    }
}

impl<T: Table> TableHooks<T>
where
    T::Row: Clone,
{
    /// A stream of what `select` makes of each change.
    fn stream<I: Send + 'static>(
        &self,
        events: usize,
        select: impl Fn(&Event<'_>, &RowChange<'_, T::Row>) -> Option<I> + Send + 'static,
    ) -> EventStream<I> {
        let (stream, feed) = EventStream::new(Bounds { events, bytes: self.stream_bytes });
        let panics = Arc::clone(&self.panics);
        let callback = self.feeds.register(Box::new(move |event, change| {
            let copy = || select(event, change).map(|item| (item, change_bytes(change)));
            match guard::catch(copy) {
                Ok(Some((item, bytes))) => feed.push(item, bytes),
                Ok(None) => (),
                // A row that panics when it is copied is missed by this stream, which says so, and by no other.
                Err(message) => {
                    feed.miss();
                    panics.note(ROW_TYPE, Some(T::DEF.name), message);
                }
            }
        }));
        stream.fed_by(callback)
    }

    pub(crate) fn insert_stream(&self, capacity: usize) -> EventStream<Inserted<T::Row>> {
        self.stream(capacity, |event, change| match change {
            RowChange::Insert(row) | RowChange::Event(row) => {
                Some(Inserted { row: T::Row::clone(row), cause: event.cause().clone() })
            }
            RowChange::Update { .. } | RowChange::Delete(_) => None,
        })
    }

    pub(crate) fn update_stream(&self, capacity: usize) -> EventStream<Updated<T::Row>> {
        self.stream(capacity, |event, change| match change {
            RowChange::Update { old, new } => Some(Updated {
                old: T::Row::clone(old),
                new: T::Row::clone(new),
                cause: event.cause().clone(),
            }),
            _ => None,
        })
    }

    pub(crate) fn delete_stream(&self, capacity: usize) -> EventStream<Deleted<T::Row>> {
        self.stream(capacity, |event, change| match change {
            RowChange::Delete(row) => {
                Some(Deleted { row: T::Row::clone(row), cause: event.cause().clone() })
            }
            _ => None,
        })
    }

    pub(crate) fn change_stream(&self, capacity: usize) -> EventStream<Change<T::Row>> {
        self.stream(capacity, |event, change| {
            let cause = event.cause().clone();
            Some(match change {
                RowChange::Insert(row) | RowChange::Event(row) => {
                    Change::Inserted(Inserted { row: T::Row::clone(row), cause })
                }
                RowChange::Update { old, new } => Change::Updated(Updated {
                    old: T::Row::clone(old),
                    new: T::Row::clone(new),
                    cause,
                }),
                RowChange::Delete(row) => {
                    Change::Deleted(Deleted { row: T::Row::clone(row), cause })
                }
            })
        })
    }
}

impl<T: Table> Dispatch for TableHooks<T> {
    fn run_before_deletes(&self, event: &Event<'_>, changes: &Changes, diff: &TableDiff) {
        if self.before_deletes.is_empty() {
            return;
        }
        let mut callbacks = self.before_deletes.run();
        for change in changes.rows::<T>(diff) {
            if let RowChange::Delete(row) = change {
                callbacks.each_kept(|callback| {
                    callback(event, row);
                    event.keep()
                });
            }
        }
    }

    fn run_callbacks(&self, event: &Event<'_>, changes: &Changes, diff: &TableDiff) {
        let mut inserts = self.inserts.run();
        let mut updates = self.updates.run();
        let mut deletes = self.deletes.run();
        if inserts.is_empty() && updates.is_empty() && deletes.is_empty() {
            return;
        }
        for change in changes.rows::<T>(diff) {
            match change {
                RowChange::Insert(row) | RowChange::Event(row) => {
                    inserts.each_kept(|callback| {
                        callback(event, row);
                        event.keep()
                    });
                }
                RowChange::Update { old, new } => {
                    updates.each_kept(|callback| {
                        callback(event, old, new);
                        event.keep()
                    });
                }
                RowChange::Delete(row) => {
                    deletes.each_kept(|callback| {
                        callback(event, row);
                        event.keep()
                    });
                }
            }
        }
    }

    fn set_watches(&self, changes: &Changes, diff: &TableDiff) {
        if !self.rows.is_empty() {
            let version = changes.transaction().after().version();
            let panics = self.rows.set(version, &mut changes.rows::<T>(diff));
            panics.into_iter().for_each(|message| self.note(message));
        }
        self.changed.touch();
    }

    fn feed_streams(&self, event: &Event<'_>, changes: &Changes, diff: &TableDiff) {
        if self.feeds.is_empty() {
            return;
        }
        let mut feeds = self.feeds.run();
        for change in changes.rows::<T>(diff) {
            feeds.each(|feed| feed(event, &change));
        }
    }

    fn end(&self) {
        self.end();
    }
}

/// Bytes that the rows of a change take beside the size of their type.
fn change_bytes<R: Row>(change: &RowChange<'_, R>) -> usize {
    match change {
        RowChange::Insert(row) | RowChange::Event(row) | RowChange::Delete(row) => row_bytes(*row),
        RowChange::Update { old, new } => row_bytes(*old) + row_bytes(*new),
    }
}
