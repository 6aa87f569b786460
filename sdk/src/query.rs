//! Queries: whole tables by their type, and SQL as text.

use std::fmt::Write as _;
use std::marker::PhantomData;

use lightlike_core::cache::RegisterError;
use lightlike_core::conn::Connection;
use lightlike_core::schema::Table;

/// A query that returns rows of the table `T`.
pub struct Query<T> {
    sql: Box<str>,
    table: PhantomData<fn() -> T>,
}

impl<T: Table> Query<T> {
    fn all() -> Self {
        let mut sql = String::from("SELECT * FROM ");
        push_name(&mut sql, T::DEF.name);
        Self { sql: sql.into(), table: PhantomData }
    }

    /// The query as the server gets it.
    pub fn sql(&self) -> &str {
        &self.sql
    }
}

impl<T> Clone for Query<T> {
    fn clone(&self) -> Self {
        Self { sql: self.sql.clone(), table: PhantomData }
    }
}

impl<T> std::fmt::Debug for Query<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Query").field(&self.sql).finish()
    }
}

/// Appends a name in SQL's quotes, so that no name is a keyword.
fn push_name(sql: &mut String, name: &str) {
    let _ = write!(sql, "\"{}\"", name.replace('"', "\"\""));
}

/// What a table can be asked for.
pub trait TableQueries: Table + Sized {
    /// All rows.
    ///
    /// ```
    /// use lightlike::prelude::*;
    ///
    /// #[derive(Bsatn, Table)]
    /// #[table(name = "user")]
    /// struct User {
    ///     #[primary_key]
    ///     identity: Identity,
    /// }
    ///
    /// assert_eq!(User::all().sql(), r#"SELECT * FROM "user""#);
    /// ```
    fn all() -> Query<Self> {
        Query::all()
    }
}
impl<T: Table> TableQueries for T {}

type Register = fn(&mut Connection) -> Result<(), RegisterError>;

/// Queries of one set, and the tables whose rows they return as far as that is known.
#[derive(Default)]
pub struct QueryList {
    pub(crate) queries: Vec<Box<str>>,
    pub(crate) tables: Vec<Register>,
}

impl std::fmt::Debug for QueryList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("QueryList").field(&self.queries).finish()
    }
}

/// What can be subscribed to: a typed query, SQL as text, or tuples, arrays and lists of those.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not something to subscribe to",
    note = "give a query such as `User::all()`, SQL as text, or a tuple, an array or a `Vec` of those"
)]
pub trait IntoQueries {
    /// Adds the queries to a set.
    fn add_to(self, set: &mut QueryList);
}

impl<T: Table> IntoQueries for Query<T> {
    fn add_to(self, set: &mut QueryList) {
        set.queries.push(self.sql);
        set.tables.push(|connection| connection.register::<T>().map(drop));
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
