//! Consistent reads.

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::ops::RangeBounds;

use lightlike_core::cache;
use lightlike_core::schema::{Column, FindIn, HasKey, RangeIn, Row, Table};

use crate::hub::Hub;
use crate::observe::panics::log;
use crate::tables::reads;

/// All tables at one moment: it never changes, and holding it stops nobody.
///
/// Rows are borrowed from it. While it is held, so are the rows that were removed since: a view held for long costs
/// memory, and in the end applying waits for it.
#[derive(Clone)]
pub struct View {
    pub(crate) view: cache::View,
    pub(crate) is_stale: bool,
}

impl View {
    /// Whether the connection was not in step with the server when the view was taken: the rows may have changed there
    /// since. Rows of a set that could not be resynced are stale even if this says no: see
    /// [`Subscription::stale`](crate::Subscription::stale).
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// One table.
    ///
    /// Its first mention by its type decodes the rows that are here, which takes the client: in a view that outlived the
    /// client, and all that came from it, a table that was never mentioned before has no rows, and the log says so.
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
    /// let users = view.table::<User>();
    /// println!("{} users, the seventh is {:?}", users.len(), users.get(&7));
    /// # }
    /// ```
    #[inline]
    pub fn table<T: Table>(&self) -> TableView<'_, T> {
        let table = self.view.table::<T>();
        TableView { table: if table.is_some() { table } else { self.mention() } }
    }

    /// The rows lay undecoded until now.
    #[cold]
    fn mention<T: Table>(&self) -> Option<cache::TableView<'_, T>> {
        let Some(hub) = self.view.owner::<Hub>() else {
            log!(error, table = T::DEF.name, "the client is gone: nobody can decode these rows");
            return None;
        };
        hub.register::<T>().ok()?;
        self.view.table::<T>()
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("version", &self.view.version()).finish_non_exhaustive()
    }
}

/// One table of a [`View`].
pub struct TableView<'v, T: Table> {
    /// None if the table is known with another row type, or nobody can decode its rows, which the log has told.
    table: Option<cache::TableView<'v, T>>,
}

impl<'v, T: Table> TableView<'v, T> {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.table.as_ref().map_or(0, cache::TableView::len)
    }

    /// Returns `true` if there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All rows, in no order.
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
    /// let longest = view.table::<User>().iter().map(|user| user.name.len()).max();
    /// # }
    /// ```
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = &'v T::Row> + use<'v, T> {
        self.table.as_ref().map(cache::TableView::iter).into_iter().flatten()
    }

    /// The row with this value in a unique column.
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
    /// let user: Option<&User> = view.table::<User>().find(User::ID, &7);
    /// # }
    /// ```
    #[inline]
    pub fn find<V, K, Q>(&self, column: Column<T::Row, V, K>, value: &Q) -> Option<&'v T::Row>
    where
        K: FindIn<T>,
        V: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.table.as_ref()?.find(column, value)
    }

    /// The row with this primary key.
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
    /// let user: Option<&User> = view.table::<User>().get(&7);
    /// # }
    /// ```
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<&'v T::Row>
    where
        T: HasKey,
        <T::Row as Row>::Key: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.table.as_ref()?.get(key)
    }

    /// The rows whose indexed columns are within `bounds`, in their order.
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
    /// for user in view.table::<User>().range(User::LEVEL, 10..20) {
    ///     println!("{} has level {}", user.name, user.level);
    /// }
    /// # }
    /// ```
    pub fn range<C: RangeIn<T>, B: RangeBounds<C::Value>>(
        &self,
        column: C,
        bounds: B,
    ) -> impl Iterator<Item = &'v T::Row> + use<'v, T, C, B> {
        self.table
            .as_ref()
            .map(|table| {
                reads::look_for_index(table, &column);
                table.range(column, bounds)
            })
            .into_iter()
            .flatten()
    }
}

impl<T: Table> Copy for TableView<'_, T> {}
impl<T: Table> Clone for TableView<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Table> fmt::Debug for TableView<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableView").field("name", &T::DEF.name).field("len", &self.len()).finish()
    }
}
