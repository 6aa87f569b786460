//! Knowing when a table has had its first rows, or word that there are none.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};
use std::task::Waker;

use lightlike_core::conn::SubscriptionId;
use lightlike_core::guard;
use lightlike_core::schema::Table;

use crate::error::Error;
use crate::events::watches::{Source, Watch};
use crate::query::{Returned, returned_table};
use crate::sync::lock;
use crate::tables::handle::TableHandle;

/// Tables that have had their first batch, and waiters for it.
#[derive(Default)]
pub(super) struct FirstBatches(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// Query sets that have no answer yet, and the tables that they ask for.
    asked: HashMap<SubscriptionId, Vec<Returned>>,
    arrived: HashSet<Box<str>>,
    everything_arrived: bool,
    closed: bool,
    waiting: HashMap<Box<str>, Source<Batch>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Batch {
    Awaited,
    Arrived,
    /// Nothing will come any more.
    Closed,
}

impl FirstBatches {
    /// A set is on its way to the server.
    pub(super) fn asked(&self, set: SubscriptionId, queries: &[Box<str>]) {
        let returned = queries.iter().filter_map(|query| returned_table(query)).collect();
        self.lock().asked.insert(set, returned);
    }

    /// Nothing has arrived, and these sets are all that is asked for.
    pub(super) fn restart<'q>(&self, sets: impl Iterator<Item = (SubscriptionId, &'q [Box<str>])>) {
        {
            let mut inner = self.lock();
            inner.asked.clear();
            inner.arrived.clear();
            inner.everything_arrived = false;
        }
        sets.for_each(|(set, queries)| self.asked(set, queries));
    }

    /// The set's rows are in the cache.
    pub(super) fn applied(&self, set: SubscriptionId) {
        let mut inner = self.lock();
        let mut wakers = Vec::new();
        for returned in inner.asked.remove(&set).unwrap_or_default() {
            match returned {
                Returned::Table(name) => wakers.extend(inner.arrive(name)),
                Returned::Everything => {
                    inner.everything_arrived = true;
                    wakers.append(&mut inner.set_all(Batch::Arrived));
                }
            }
        }
        drop(inner);
        wakers.into_iter().for_each(guard::wake);
    }

    pub(super) fn ended(&self, set: SubscriptionId) {
        self.lock().asked.remove(&set);
    }

    /// The connection is closed.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        let wakers = inner.set_all(Batch::Closed);
        drop(inner);
        wakers.into_iter().for_each(guard::wake);
    }

    pub(super) fn wait(&self, table: &str) -> Watch<Batch> {
        let mut inner = self.lock();
        let batch = match () {
            () if inner.everything_arrived || inner.arrived.contains(table) => Batch::Arrived,
            () if inner.closed => Batch::Closed,
            () => Batch::Awaited,
        };
        match batch {
            Batch::Awaited => {
                let sender = inner.waiting.entry(table.into());
                sender.or_insert_with(|| Source::new(Batch::Awaited)).subscribe()
            }
            settled => Source::new(settled).subscribe(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.0)
    }
}

impl Inner {
    /// The tasks to wake.
    fn arrive(&mut self, table: Box<str>) -> Vec<Waker> {
        let waiting = self.waiting.remove(&table);
        self.arrived.insert(table);
        waiting.map_or_else(Vec::new, |waiting| waiting.set_quietly(Batch::Arrived))
    }

    /// The tasks to wake.
    fn set_all(&mut self, batch: Batch) -> Vec<Waker> {
        let waiting = self.waiting.drain();
        waiting.flat_map(|(_, waiting)| waiting.set_quietly(batch)).collect()
    }
}

impl<T: Table> TableHandle<T> {
    /// Waits until the rows of a query set that asks for this table are in the cache for the first time, and their
    /// callbacks have run: also if they are none. At once if they were.
    ///
    /// The set may ask by a typed query or by SQL as text. Where no set asks for this table, this waits for one that
    /// does.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # #[derive(Bsatn, Table)]
    /// # #[table(name = "user")]
    /// # struct User { name: String }
    /// # async fn run(db: Client) -> Result<(), lightlike::Error> {
    /// let _users = db.subscribe(User::all());
    /// db.table::<User>().first_batch().await?;
    /// println!("{} users", db.table::<User>().len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`Disconnected`](crate::ErrorKind::Disconnected): the connection is closed.
    /// - [`Schema`](crate::ErrorKind::Schema): the table is known with another row type.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn first_batch(&self) -> Result<(), Error> {
        if let Some(error) = self.error() {
            return Err(error.clone().into());
        }
        let mut batch = self.hub().sets.first_batch(T::DEF.name);
        let settled = batch.wait_for(|batch| *batch != Batch::Awaited).await;
        match settled {
            Ok(Batch::Arrived) => Ok(()),
            Ok(Batch::Awaited | Batch::Closed) | Err(_) => Err(self.hub().status.closed().into()),
        }
    }
}
