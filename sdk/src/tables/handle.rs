//! A table of a client: reads that copy, callbacks, streams.

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::ops::RangeBounds;
use std::sync::Arc;

use lightlike_core::cache::RegisterError;
use lightlike_core::schema::{Column, FindIn, HasKey, RangeIn, Row, Table};

use crate::events::callbacks::CallbackId;
use crate::events::event::{Change, Deleted, Event, Inserted, Updated};
use crate::events::hooks::TableHooks;
use crate::events::stream::{DEFAULT_CAPACITY, EventStream};
use crate::events::watches::Watch;
use crate::events::watches::row::watch_row;
use crate::events::watches::table::TableWatch;
use crate::hub::Hub;
use crate::observe::panics::log;

/// One table of a client. It keeps nothing open.
///
/// Its reads copy rows and each sees the latest state; for several that belong together, or for no copies, use
/// [`Client::read`](crate::Client::read).
pub struct TableHandle<T: Table> {
    hub: Arc<Hub>,
    /// Those of a table that is known with another row type are never run.
    hooks: Arc<TableHooks<T>>,
    error: Option<RegisterError>,
}

impl<T: Table> TableHandle<T> {
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        match hub.register::<T>() {
            Ok(table) => {
                let hooks = hub.hooks.table::<T>(table);
                Self { hub, hooks, error: None }
            }
            Err(error) => {
                log!(error, %error, "this handle will see no rows");
                Self { hub, hooks: Arc::new(TableHooks::of_no_table()), error: Some(error) }
            }
        }
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Error for which this table has no rows and no events, if another Rust type was used for it first.
    pub fn error(&self) -> Option<&RegisterError> {
        self.error.as_ref()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.hub.read().table::<T>().len()
    }

    /// Returns `true` if there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Runs `callback` for every row that comes: new in the cache, or of an event table. In the server's order.
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
    /// db.table::<User>().on_insert(|event, user| {
    ///     println!("{} came, by us: {}", user.name, event.is_mine());
    /// });
    /// # }
    /// ```
    pub fn on_insert(
        &self,
        callback: impl FnMut(&Event<'_>, &T::Row) + Send + 'static,
    ) -> CallbackId {
        self.hooks.inserts.register(Box::new(callback))
    }

    /// Runs `callback` for every row that leaves the cache. In the server's order.
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
    /// db.table::<User>().on_delete(|_, user| println!("{} left", user.name));
    /// # }
    /// ```
    pub fn on_delete(
        &self,
        callback: impl FnMut(&Event<'_>, &T::Row) + Send + 'static,
    ) -> CallbackId {
        self.hooks.deletes.register(Box::new(callback))
    }

    /// Runs `callback`, with the old row and the new one, for every row that is replaced by one with the same primary
    /// key. In the server's order.
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
    /// db.table::<User>().on_update(|_, old, new| {
    ///     if old.name != new.name {
    ///         println!("{} is called {} now", old.name, new.name);
    ///     }
    /// });
    /// # }
    /// ```
    pub fn on_update(
        &self,
        callback: impl FnMut(&Event<'_>, &T::Row, &T::Row) + Send + 'static,
    ) -> CallbackId
    where
        T: HasKey,
    {
        self.hooks.updates.register(Box::new(callback))
    }

    /// Runs `callback` for every row that is about to leave the cache, before any other event of the transaction: the
    /// event's [`view`](Event::view) still has the row, and everything that goes with it. In the server's order.
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
    /// db.table::<User>().on_before_delete(|event, user| {
    ///     let users = event.view().table::<User>();
    ///     println!("{} is one of {}, for now", user.name, users.len());
    /// });
    /// # }
    /// ```
    pub fn on_before_delete(
        &self,
        callback: impl FnMut(&Event<'_>, &T::Row) + Send + 'static,
    ) -> CallbackId {
        self.hooks.before_deletes.register(Box::new(callback))
    }

    /// Watches the whole table: its latest state, and when there is another.
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
    /// # async fn example(db: &Client) {
    /// let mut users = db.table::<User>().watch();
    /// while let Some(view) = users.next().await {
    ///     println!("{} users", view.table::<User>().len());
    /// }
    /// # }
    /// ```
    pub fn watch(&self) -> TableWatch<T> {
        TableWatch::new(Arc::clone(&self.hub), self.hooks.changed.subscribe())
    }
}

impl<T: Table> TableHandle<T>
where
    T::Row: Clone,
{
    /// A copy of the row with this value in a unique column.
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
    /// let user: Option<User> = db.table::<User>().find(User::ID, &7);
    /// # }
    /// ```
    pub fn find<V, K, Q>(&self, column: Column<T::Row, V, K>, value: &Q) -> Option<T::Row>
    where
        K: FindIn<T>,
        V: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.hub.read().table::<T>().find(column, value).cloned()
    }

    /// A copy of the row with this primary key.
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
    /// let user: Option<User> = db.table::<User>().get(&7);
    /// # }
    /// ```
    pub fn get<Q>(&self, key: &Q) -> Option<T::Row>
    where
        T: HasKey,
        <T::Row as Row>::Key: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.hub.read().table::<T>().get(key).cloned()
    }

    /// Copies of all rows, in no order.
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
    /// let names: Vec<String> = db.table::<User>().iter().map(|user| user.name).collect();
    /// # }
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = T::Row> + use<T> {
        let view = self.hub.read();
        view.table::<T>().iter().cloned().collect::<Vec<_>>().into_iter()
    }

    /// Copies of the rows whose indexed columns are within `bounds`, in their order.
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
    /// let experienced: Vec<User> = db.table::<User>().range(User::LEVEL, 10..).collect();
    /// # }
    /// ```
    pub fn range<C: RangeIn<T>, B: RangeBounds<C::Value>>(
        &self,
        column: C,
        bounds: B,
    ) -> impl Iterator<Item = T::Row> + use<T, C, B> {
        let view = self.hub.read();
        view.table::<T>().range(column, bounds).cloned().collect::<Vec<_>>().into_iter()
    }

    /// Watches the row with this primary key: `None` while it is not there. The value is set when the row has come, left,
    /// or got another encoding, and never otherwise; a transaction costs a lookup for each row that it touches,
    /// however many rows are watched.
    ///
    /// Watches of the same row share it, and the last of them to be dropped ends the watching.
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
    /// # async fn example(db: &Client) {
    /// let mut user = db.table::<User>().watch_row(7);
    /// while let Some(user) = user.next().await {
    ///     println!("{user:?}");
    /// }
    /// # }
    /// ```
    pub fn watch_row(&self, key: <T::Row as Row>::Key) -> Watch<Option<T::Row>>
    where
        T: HasKey,
    {
        let now = |key: &<T::Row as Row>::Key| {
            let view = self.hub.read();
            (view.view.version(), view.table::<T>().get(key).cloned())
        };
        watch_row(&self.hooks.rows, key, now).expect("hooks have watches of their own row type")
    }

    /// A stream of rows that come: see [`on_insert`](Self::on_insert).
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
    /// # async fn example(db: &Client) {
    /// let mut inserts = db.table::<User>().inserts();
    /// while let Some(inserted) = inserts.next().await {
    ///     match inserted {
    ///         Ok(inserted) => println!("{} came", inserted.row.name),
    ///         Err(Lagged(missed)) => println!("{missed} events were dropped"),
    ///     }
    /// }
    /// # }
    /// ```
    pub fn inserts(&self) -> EventStream<Inserted<T::Row>> {
        self.hooks.insert_stream(DEFAULT_CAPACITY)
    }

    /// A stream of rows that leave: see [`on_delete`](Self::on_delete).
    pub fn deletes(&self) -> EventStream<Deleted<T::Row>> {
        self.hooks.delete_stream(DEFAULT_CAPACITY)
    }

    /// A stream of rows that change: see [`on_update`](Self::on_update).
    pub fn updates(&self) -> EventStream<Updated<T::Row>>
    where
        T: HasKey,
    {
        self.hooks.update_stream(DEFAULT_CAPACITY)
    }

    /// A stream of everything that happens to rows.
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
    /// # async fn example(db: &Client) {
    /// let mut changes = db.table::<User>().changes();
    /// while let Some(Ok(change)) = changes.next().await {
    ///     println!("{change:?}");
    /// }
    /// # }
    /// ```
    pub fn changes(&self) -> EventStream<Change<T::Row>> {
        self.hooks.change_stream(DEFAULT_CAPACITY)
    }
}

impl<T: Table> Clone for TableHandle<T> {
    fn clone(&self) -> Self {
        Self {
            hub: Arc::clone(&self.hub),
            hooks: Arc::clone(&self.hooks),
            error: self.error.clone(),
        }
    }
}

impl<T: Table> fmt::Debug for TableHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableHandle").field("name", &T::DEF.name).finish_non_exhaustive()
    }
}
