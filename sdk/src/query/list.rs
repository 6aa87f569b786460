//! Queries of one set.

use std::fmt;

use lightlike_core::cache::{RegisterError, TableId};
use lightlike_core::conn::Connection;
use lightlike_core::query::QueryError;
use lightlike_core::schema::Table;
#[cfg(feature = "http")]
use lightlike_core::schema::TableDef;

use super::typed::Query;

/// Gives a table its Rust type.
pub(crate) type Register = fn(&mut Connection) -> Result<TableId, RegisterError>;

/// Queries of one set, and the tables whose rows they return as far as that is known.
#[derive(Default, Clone)]
pub struct QueryList {
    pub(crate) queries: Vec<Box<str>>,
    pub(crate) tables: Vec<Register>,
    /// Those tables, and others whose rows are asked for, as the program has them.
    #[cfg(feature = "http")]
    pub(crate) definitions: Vec<TableDef>,
    /// Error for which the set cannot be asked for.
    pub(crate) error: Option<QueryError>,
}

impl QueryList {
    pub(crate) fn new(queries: impl IntoQueries) -> Self {
        let mut list = Self::default();
        queries.add_to(&mut list);
        list
    }
}

impl fmt::Debug for QueryList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("QueryList").field(&self.queries).finish()
    }
}

/// Set of queries to subscribe to: a typed query, SQL as text, or tuples, arrays and lists of those.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not something to subscribe to",
    note = "give a query such as `User::all()`, SQL as text, or a tuple, an array or a `Vec` of those"
)]
pub trait IntoQueries {
    /// Adds the queries to a set.
    fn add_to(self, set: &mut QueryList);
}

impl<T: Table, S> IntoQueries for Query<T, S> {
    fn add_to(self, set: &mut QueryList) {
        set.queries.push(self.sql().into());
        set.tables.push(|connection| connection.register::<T>());
        #[cfg(feature = "http")]
        set.definitions.push(T::DEF);
        if set.error.is_none() {
            set.error = self.error().cloned();
        }
    }
}

impl IntoQueries for &str {
    fn add_to(self, set: &mut QueryList) {
        set.queries.push(self.into());
    }
}

impl IntoQueries for String {
    fn add_to(self, set: &mut QueryList) {
        set.queries.push(self.into());
    }
}

impl<Q: IntoQueries> IntoQueries for Vec<Q> {
    fn add_to(self, set: &mut QueryList) {
        self.into_iter().for_each(|queries| queries.add_to(set));
    }
}

impl<Q: IntoQueries, const N: usize> IntoQueries for [Q; N] {
    fn add_to(self, set: &mut QueryList) {
        self.into_iter().for_each(|queries| queries.add_to(set));
    }
}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: IntoQueries),*> IntoQueries for ($($name,)*) {
            #[expect(non_snake_case, reason = "a variable is called as its type")]
            fn add_to(self, set: &mut QueryList) {
                let ($($name,)*) = self;
                $($name.add_to(set);)*
            }
        }
    };
}
tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
