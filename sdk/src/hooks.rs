//! From a transaction to the application's callbacks and streams.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lightlike_core::cache::{RowChange, TableDiff, TableId};
use lightlike_core::schema::Table;

use crate::callbacks::Callbacks;
use crate::changes::Changes;
use crate::event::{Change, Deleted, Event, Inserted, Updated};
use crate::stream::{EventStream, Feed};

pub(crate) type RowCallback<R> = dyn FnMut(&Event<'_>, &R) + Send;
pub(crate) type UpdateCallback<R> = dyn FnMut(&Event<'_>, &R, &R) + Send;
pub(crate) type TransactionCallback = dyn FnMut(&Event<'_>, &Changes) + Send;

/// Feeds a stream with what it makes of a transaction; false when nobody reads the stream any more.
pub(crate) type TransactionReader = dyn FnMut(&Changes) -> bool + Send;

/// Everything that wants to know of changes.
#[derive(Default)]
pub(crate) struct Hooks {
    tables: Mutex<Tables>,
    pub(crate) transactions: Callbacks<TransactionCallback>,
    transaction_feeds: Mutex<Vec<Feed<Changes>>>,
    /// Those that make something else of whole transactions.
    transaction_readers: Mutex<Vec<Box<TransactionReader>>>,
}

#[derive(Default)]
struct Tables {
    by_type: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    by_id: HashMap<TableId, Vec<Arc<dyn Dispatch>>>,
}

/// The hooks of one table, whatever its row type: one virtual call a table and transaction.
trait Dispatch: Send + Sync {
    fn run_callbacks(&self, event: &Event<'_>, changes: &Changes, diff: &TableDiff);
    fn feed_streams(&self, event: &Event<'_>, changes: &Changes, diff: &TableDiff);
    fn end_streams(&self);
}

impl Hooks {
    /// The hooks of the table `T`, which the cache calls `table`.
    pub(crate) fn table<T: Table>(&self, table: TableId) -> Arc<TableHooks<T>> {
        let mut tables = lock(&self.tables);
        if let Some(hooks) = tables.by_type.get(&TypeId::of::<T>())
            && let Ok(hooks) = Arc::clone(hooks).downcast()
        {
            return hooks;
        }
        let hooks = Arc::new(TableHooks::<T>::default());
        tables.by_type.insert(TypeId::of::<T>(), hooks.clone());
        tables.by_id.entry(table).or_default().push(hooks.clone());
        hooks
    }

    /// Tells of one transaction: rows by table in message order, then the whole, then the streams.
    pub(crate) fn dispatch(&self, event: &Event<'_>, changes: &Changes) {
        let touched: Vec<(Arc<dyn Dispatch>, &TableDiff)> = {
            let tables = lock(&self.tables);
            let diffs = changes.diffs().iter();
            diffs
                .flat_map(|diff| {
                    let hooks = tables.by_id.get(&diff.table()).into_iter().flatten();
                    hooks.map(move |hooks| (Arc::clone(hooks), diff))
                })
                .collect()
        };
        for (hooks, diff) in &touched {
            hooks.run_callbacks(event, changes, diff);
        }
        if !self.transactions.is_empty() {
            self.transactions.run().each(|callback| callback(event, changes));
        }
        for (hooks, diff) in &touched {
            hooks.feed_streams(event, changes, diff);
        }
        let mut feeds = lock(&self.transaction_feeds);
        feeds.retain(Feed::is_open);
        feeds.iter().for_each(|feed| feed.push(changes.clone()));
        lock(&self.transaction_readers).retain_mut(|read| read(changes));
    }

    pub(crate) fn transactions(&self, capacity: usize) -> EventStream<Changes> {
        let (stream, feed) = EventStream::new(capacity);
        lock(&self.transaction_feeds).push(feed);
        stream
    }

    /// Lets a stream see every transaction from now on.
    pub(crate) fn read_transactions(&self, reader: Box<TransactionReader>) {
        lock(&self.transaction_readers).push(reader);
    }

    /// There will be no more transactions.
    pub(crate) fn end_streams(&self) {
        lock(&self.transaction_feeds).clear();
        lock(&self.transaction_readers).clear();
        let all: Vec<_> = lock(&self.tables).by_id.values().flatten().cloned().collect();
        all.iter().for_each(|hooks| hooks.end_streams());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Copies what a stream is to carry; false when nobody reads the stream any more.
type FeedFn<R> = dyn FnMut(&Event<'_>, &RowChange<'_, R>) -> bool + Send;

/// What wants to know of one table's changes.
pub(crate) struct TableHooks<T: Table> {
    pub(crate) inserts: Callbacks<RowCallback<T::Row>>,
    pub(crate) updates: Callbacks<UpdateCallback<T::Row>>,
    pub(crate) deletes: Callbacks<RowCallback<T::Row>>,
    feeds: Mutex<Feeds<T::Row>>,
}

struct Feeds<R> {
    open: Vec<Box<FeedFn<R>>>,
    /// The connection is closed: a new stream ends at once.
    ended: bool,
}

impl<T: Table> Default for TableHooks<T> {
    fn default() -> Self {
        Self {
            inserts: Callbacks::default(),
            updates: Callbacks::default(),
            deletes: Callbacks::default(),
            feeds: Mutex::new(Feeds { open: Vec::new(), ended: false }),
        }
    }
}

impl<T: Table> TableHooks<T>
where
    T::Row: Clone,
{
    /// A stream of what `select` makes of each change.
    fn stream<I: Send + 'static>(
        &self,
        capacity: usize,
        select: impl Fn(&Event<'_>, &RowChange<'_, T::Row>) -> Option<I> + Send + 'static,
    ) -> EventStream<I> {
        let (stream, feed) = EventStream::new(capacity);
        let mut feeds = lock(&self.feeds);
        if !feeds.ended {
            feeds.open.push(Box::new(move |event, change| {
                if let Some(item) = select(event, change) {
                    feed.push(item);
                }
                feed.is_open()
            }));
        }
        stream
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
                    inserts.each(|callback| callback(event, row));
                }
                RowChange::Update { old, new } => {
                    updates.each(|callback| callback(event, old, new));
                }
                RowChange::Delete(row) => deletes.each(|callback| callback(event, row)),
            }
        }
    }

    fn feed_streams(&self, event: &Event<'_>, changes: &Changes, diff: &TableDiff) {
        let mut feeds = lock(&self.feeds);
        if feeds.open.is_empty() {
            return;
        }
        for change in changes.rows::<T>(diff) {
            feeds.open.retain_mut(|feed| feed(event, &change));
        }
    }

    fn end_streams(&self) {
        let mut feeds = lock(&self.feeds);
        feeds.ended = true;
        feeds.open.clear();
    }
}
