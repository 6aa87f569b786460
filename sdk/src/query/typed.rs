//! Queries by the Rust types of tables.

use std::fmt;
use std::marker::PhantomData;
use std::sync::OnceLock;

use lightlike_core::query::{Filter, QueryError, SqlValue, ViewArgument, push_literal, push_name};
use lightlike_core::schema::{Column, JoinIn, Table};

/// A query that returns rows of the table `T`. `S` is its shape, which says what can be added to it: [`Rows`],
/// [`Joined`] or [`Called`].
pub struct Query<T: Table, S = Rows> {
    filter: Option<Filter<T::Row>>,
    source: Source,
    /// Mistake in what `source` was made of.
    error: Option<QueryError>,
    /// Written when it is first asked for: conditions may be added one by one, and the text is as long as all of them.
    written: OnceLock<Written>,
    shape: PhantomData<fn() -> S>,
}

/// A query as SQL.
#[derive(Clone)]
struct Written {
    sql: Box<str>,
    error: Option<QueryError>,
}

/// A query of one table: it can be filtered and joined.
#[derive(Debug)]
pub enum Rows {}
/// A query of two tables: it can be filtered. The server joins no third.
#[derive(Debug)]
pub enum Joined {}
/// A query of a view with arguments: the server takes nothing beside them.
#[derive(Debug)]
pub enum Called {}

/// Source of the rows, beside their table.
#[derive(Clone)]
enum Source {
    Table,
    Join {
        /// ` JOIN "other" ON ..`.
        clause: Box<str>,
        /// Condition on the other table's rows.
        condition: Option<Box<str>>,
    },
    /// `(1, 'a')`.
    Call(Box<str>),
}

impl<T: Table, S> Query<T, S> {
    fn new(filter: Option<Filter<T::Row>>, source: Source, error: Option<QueryError>) -> Self {
        Self { filter, source, error, written: OnceLock::new(), shape: PhantomData }
    }

    /// The query as the server gets it.
    pub fn sql(&self) -> &str {
        &self.written().sql
    }

    /// Error for which it cannot be asked, if a value in it has no literal in SQL. Asking says so too.
    pub fn error(&self) -> Option<&QueryError> {
        self.error.as_ref().or_else(|| self.written().error.as_ref())
    }

    fn written(&self) -> &Written {
        self.written.get_or_init(|| self.write())
    }

    fn write(&self) -> Written {
        let mut sql = String::from("SELECT ");
        if let Source::Join { .. } = self.source {
            push_name(&mut sql, T::DEF.name);
            sql.push('.');
        }
        sql.push_str("* FROM ");
        push_name(&mut sql, T::DEF.name);
        let mut condition = None;
        match &self.source {
            Source::Table => (),
            Source::Call(arguments) => sql.push_str(arguments),
            Source::Join { clause, condition: other } => {
                sql.push_str(clause);
                condition = other.as_deref();
            }
        }
        let (mut keyword, mut error) = (" WHERE ", None);
        if let Some(filter) = &self.filter {
            sql.push_str(keyword);
            keyword = " AND ";
            let pushed = match condition {
                None => filter.push_sql(&mut sql, T::DEF.name),
                Some(_) => filter.push_term(&mut sql, T::DEF.name),
            };
            error = pushed.err();
        }
        if let Some(condition) = condition {
            sql.push_str(keyword);
            sql.push_str(condition);
        }
        Written { sql: sql.into(), error }
    }

    fn and(mut self, filter: Filter<T::Row>) -> Self {
        self.filter = Some(match self.filter.take() {
            Some(earlier) => earlier.and(filter),
            None => filter,
        });
        self.written = OnceLock::new();
        self
    }
}

impl<T: Table> Query<T> {
    /// Those of the rows for which this holds as well.
    pub fn filter(self, filter: impl Into<Filter<T::Row>>) -> Self {
        self.and(filter.into())
    }

    /// The rows that have a match among the rows of `other`: one whose `other_column` equals their `column`.
    ///
    /// Rows of the other table are not returned. Both columns must be indexed, in their tables.
    pub fn left_semijoin<O, V, K, L>(
        self,
        other: Query<O>,
        column: Column<T::Row, V, K>,
        other_column: Column<O::Row, V, L>,
    ) -> Query<T, Joined>
    where
        O: Table,
        V: SqlValue,
        K: JoinIn<T>,
        L: JoinIn<O>,
    {
        let name = T::DEF.name;
        // A table that is joined with itself needs a second name.
        let alias = (O::DEF.name == name).then(|| format!("{name}_2"));
        let other_name = alias.as_deref().unwrap_or(O::DEF.name);
        let mut clause = String::from(" JOIN ");
        push_name(&mut clause, O::DEF.name);
        if let Some(alias) = &alias {
            clause.push_str(" AS ");
            push_name(&mut clause, alias);
        }
        clause.push_str(" ON ");
        push_column(&mut clause, name, column.name());
        clause.push_str(" = ");
        push_column(&mut clause, other_name, other_column.name());
        let condition = other.filter.as_ref().map(|filter| {
            let mut condition = String::new();
            // What has no literal, `other` has found.
            let _ = filter.push_term(&mut condition, other_name);
            condition.into()
        });
        let source = Source::Join { clause: clause.into(), condition };
        let error = self.error().or_else(|| other.error()).cloned();
        Query::new(self.filter, source, error)
    }

    /// The rows of `other` that have a match among these: one whose `column` equals their `other_column`.
    ///
    /// `a.right_semijoin(b, x, y)` is `b.left_semijoin(a, y, x)`.
    pub fn right_semijoin<O, V, K, L>(
        self,
        other: Query<O>,
        column: Column<T::Row, V, K>,
        other_column: Column<O::Row, V, L>,
    ) -> Query<O, Joined>
    where
        O: Table,
        V: SqlValue,
        K: JoinIn<T>,
        L: JoinIn<O>,
    {
        other.left_semijoin(self, other_column, column)
    }
}

impl<T: Table> Query<T, Joined> {
    /// Those of the rows for which this holds as well.
    pub fn filter(self, filter: impl Into<Filter<T::Row>>) -> Self {
        self.and(filter.into())
    }
}

impl<T: Table> Query<T, Called> {
    /// The rows of a view that takes arguments. For the derived code.
    #[doc(hidden)]
    pub fn call(arguments: Arguments) -> Self {
        let Arguments { mut sql, error } = arguments;
        sql.push(')');
        Self::new(None, Source::Call(sql.into()), error)
    }
}

/// The arguments of a view. For the derived code.
#[doc(hidden)]
#[derive(Debug)]
pub struct Arguments {
    sql: String,
    error: Option<QueryError>,
}

impl Arguments {
    /// Those of the view `T`, with the first.
    pub fn first<T: Table>(value: &(impl ViewArgument + ?Sized)) -> Self {
        Self { sql: String::new(), error: None }.push::<T>("(", value)
    }

    /// One more.
    #[must_use]
    pub fn and<T: Table>(self, value: &(impl ViewArgument + ?Sized)) -> Self {
        self.push::<T>(", ", value)
    }

    fn push<T: Table>(mut self, separator: &str, value: &(impl ViewArgument + ?Sized)) -> Self {
        self.sql.push_str(separator);
        let pushed = push_literal(&mut self.sql, value, T::DEF.name);
        self.error = self.error.or_else(|| pushed.err());
        self
    }
}

fn push_column(sql: &mut String, table: &str, column: &str) {
    push_name(sql, table);
    sql.push('.');
    push_name(sql, column);
}

impl<T: Table, S> Clone for Query<T, S> {
    fn clone(&self) -> Self {
        Self {
            filter: self.filter.clone(),
            source: self.source.clone(),
            error: self.error.clone(),
            written: self.written.clone(),
            shape: PhantomData,
        }
    }
}

impl<T: Table, S> fmt::Debug for Query<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Query").field(&self.sql()).finish()
    }
}

/// Queries of a table.
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
        Query::new(None, Source::Table, None)
    }

    /// The rows for which a condition holds.
    ///
    /// ```
    /// # use lightlike::prelude::*;
    /// # #[derive(Bsatn, Table)]
    /// # #[table(name = "user")]
    /// # struct User { name: String, online: bool }
    /// let query = User::filter(User::NAME.eq("Ada").or(User::ONLINE.eq(true)));
    /// assert_eq!(query.sql(), r#"SELECT * FROM "user" WHERE "user"."name" = 'Ada' OR "user"."online" = TRUE"#);
    /// ```
    fn filter(filter: impl Into<Filter<Self::Row>>) -> Query<Self> {
        Self::all().filter(filter)
    }
}
impl<T: Table> TableQueries for T {}
