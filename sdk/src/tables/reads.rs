//! Reads beyond a table's own: by a condition, by one value of an index, and of the one row that there should be.

use std::collections::HashSet;
use std::ops::Bound;
use std::sync::{LazyLock, Mutex};

use lightlike_core::cache;
use lightlike_core::query::Filter;
use lightlike_core::schema::{IndexRef, RangeIn, Table};

use crate::observe::panics::log;
use crate::sync::lock;
use crate::tables::handle::TableHandle;
use crate::tables::view::TableView;

/// A table that should have one row has none, or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{table}` has {rows} rows here, and one is required")]
#[non_exhaustive]
pub struct NotOneRow {
    /// The table's name on the wire.
    pub table: &'static str,
    /// Number of rows that it has.
    pub rows: usize,
}

impl<'v, T: Table> TableView<'v, T> {
    /// The rows for which a condition holds, in no order. Looks at every row.
    ///
    /// A condition about the [`Sender`](crate::query::Sender) needs to be told who that is: see [`Filter::for_sender`].
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
    /// let beginners = User::LEVEL.lt(3).and(User::NAME.ne("guest"));
    /// let view = db.read();
    /// let names: Vec<&str> = view.table::<User>().filter(&beginners).map(|user| &*user.name).collect();
    /// # }
    /// ```
    pub fn filter<'f>(
        &self,
        filter: &'f Filter<T::Row>,
    ) -> impl Iterator<Item = &'v T::Row> + use<'v, 'f, T> {
        self.iter().filter(|row| filter.matches(row))
    }

    /// The rows with this value in an indexed column, in no order.
    pub fn equal<'q, C: RangeIn<T>>(
        &self,
        column: C,
        value: &'q C::Value,
    ) -> impl Iterator<Item = &'v T::Row> + use<'v, 'q, T, C> {
        self.range(column, (Bound::Included(value), Bound::Included(value)))
    }

    /// The row of a table that has one or none, such as a view that returns an `Option`. Of several, one of them, the
    /// same each time for one view.
    pub fn one(&self) -> Option<&'v T::Row> {
        self.iter().next()
    }

    /// The row of a table that has exactly one, such as a view that always returns a row, or a table of settings.
    ///
    /// # Errors
    ///
    /// [`NotOneRow`], also before the first rows are here: see [`TableHandle::first_batch`].
    pub fn required(&self) -> Result<&'v T::Row, NotOneRow> {
        let not_one = NotOneRow { table: T::DEF.name, rows: self.len() };
        self.one().filter(|_| not_one.rows == 1).ok_or(not_one)
    }
}

impl<T: Table> TableHandle<T>
where
    T::Row: Clone,
{
    /// Copies of the rows for which a condition holds, in no order: see [`TableView::filter`].
    pub fn filter(&self, filter: &Filter<T::Row>) -> impl Iterator<Item = T::Row> + use<T> {
        let view = self.hub().read();
        view.table::<T>().filter(filter).cloned().collect::<Vec<_>>().into_iter()
    }

    /// Copies of the rows with this value in an indexed column, in no order.
    pub fn equal<C: RangeIn<T>>(
        &self,
        column: C,
        value: &C::Value,
    ) -> impl Iterator<Item = T::Row> + use<T, C> {
        let view = self.hub().read();
        view.table::<T>().equal(column, value).cloned().collect::<Vec<_>>().into_iter()
    }

    /// A copy of the row of a table that has one or none: see [`TableView::one`].
    pub fn one(&self) -> Option<T::Row> {
        self.hub().read().table::<T>().one().cloned()
    }

    /// A copy of the row of a table that has exactly one: see [`TableView::required`].
    ///
    /// # Errors
    ///
    /// [`NotOneRow`], also before the first rows are here.
    pub fn required(&self) -> Result<T::Row, NotOneRow> {
        self.hub().read().table::<T>().required().cloned()
    }
}

/// Tells the log, once each, of indexes that are read by and were not declared: reading so is right, and slow.
pub(crate) fn look_for_index<T: Table, C: RangeIn<T>>(table: &cache::TableView<'_, T>, column: &C) {
    static TOLD: LazyLock<Mutex<HashSet<(&str, u16)>>> = LazyLock::new(Mutex::default);

    if let IndexRef::Client(index) = column.columns()
        && !table.has_index(column)
        && lock(&TOLD).insert((T::DEF.name, index))
    {
        let column = T::DEF.row.columns.get(usize::from(index)).map_or("", |column| column.name);
        log!(
            warn,
            table = T::DEF.name,
            column,
            "a client index was not declared: each read by it looks at the whole table"
        );
    }
}
