//! SQL: statements, and what they return.

use std::time::Duration;

use lightlike_core::bsatn::Decode;
use lightlike_core::json;
use lightlike_core::schema::{
    ProductDef, Sats, SatsType, SatsValue, ServerField, ServerType, Table, compare_types,
    parse_columns,
};
use reqwest::Method;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::Http;
use super::error::Error;
use super::exchange::Success;
use crate::http::exchange::reply::Reply;
use crate::http::exchange::request::Request;
use crate::query::Query;

/// One or more SQL statements: text, a typed query, or an array or a `Vec` of those.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not SQL",
    note = "give a statement as text, a query such as `User::all()`, or an array or a `Vec` of those"
)]
pub trait IntoStatements {
    /// Adds the statements to those before.
    fn add_to(self, statements: &mut Vec<String>);
}

impl IntoStatements for &str {
    fn add_to(self, statements: &mut Vec<String>) {
        statements.push(self.to_owned());
    }
}

impl IntoStatements for String {
    fn add_to(self, statements: &mut Vec<String>) {
        statements.push(self);
    }
}

impl<T: Table> IntoStatements for Query<T> {
    fn add_to(self, statements: &mut Vec<String>) {
        statements.push(self.sql().to_owned());
    }
}

impl<S: IntoStatements> IntoStatements for Vec<S> {
    fn add_to(self, statements: &mut Vec<String>) {
        self.into_iter().for_each(|statement| statement.add_to(statements));
    }
}

impl<S: IntoStatements, const N: usize> IntoStatements for [S; N] {
    fn add_to(self, statements: &mut Vec<String>) {
        self.into_iter().for_each(|statement| statement.add_to(statements));
    }
}

/// Options of running SQL.
///
/// ```
/// use lightlike::http::SqlOptions;
///
/// let options = SqlOptions::default().confirmed(true);
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[must_use = "options do nothing until they are given to `sql_with`"]
pub struct SqlOptions {
    confirmed: Option<bool>,
}

impl SqlOptions {
    /// Delays the reply until what it shows is durable. The server decides otherwise.
    pub fn confirmed(mut self, confirmed: bool) -> Self {
        self.confirmed = Some(confirmed);
        self
    }
}

/// Numbers of rows that a statement changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names say it")]
pub struct SqlStats {
    pub rows_inserted: u64,
    pub rows_deleted: u64,
    pub rows_updated: u64,
}

/// Results of statements, in their order.
#[derive(Debug, Clone)]
pub struct SqlReply {
    statements: Vec<StatementReply>,
    request: Box<str>,
}

/// Result of one statement: rows, and their columns.
#[derive(Debug, Clone)]
pub struct StatementReply {
    columns: Vec<ServerField>,
    rows: Box<RawValue>,
    duration: Duration,
    stats: SqlStats,
    request: Box<str>,
}

impl SqlReply {
    /// Result of each statement.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// let reply = http.sql("chat", ["SELECT * FROM user", "SELECT * FROM message"]).await?;
    /// for statement in reply.statements() {
    ///     println!("{} columns", statement.columns().len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn statements(&self) -> &[StatementReply] {
        &self.statements
    }

    /// Result of the one statement.
    ///
    /// # Errors
    ///
    /// [`Content`](super::ErrorKind::Content) if there was not one.
    pub fn statement(&self) -> Result<&StatementReply, Error> {
        match &self.statements[..] {
            [statement] => Ok(statement),
            statements => {
                let what = format!("there are {} replies and not one", statements.len());
                Err(Error::content(&self.request, what, None))
            }
        }
    }

    /// [`StatementReply::rows`] of the one statement.
    ///
    /// # Errors
    ///
    /// As there, and as [`statement`](Self::statement).
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// let count: Vec<(u64,)> = http.sql("chat", "SELECT COUNT(*) AS n FROM user").await?.rows()?;
    /// # let _ = count;
    /// # Ok(())
    /// # }
    /// ```
    pub fn rows<T: Sats + for<'a> Decode<'a>>(&self) -> Result<Vec<T>, Error> {
        self.statement()?.rows()
    }

    /// [`StatementReply::rows_by_name`] of the one statement.
    ///
    /// # Errors
    ///
    /// As there, and as [`statement`](Self::statement).
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// use lightlike::Bsatn;
    ///
    /// #[derive(Bsatn)]
    /// struct Name {
    ///     name: Option<String>,
    /// }
    ///
    /// let names: Vec<Name> = http.sql("chat", "SELECT * FROM user").await?.rows_by_name()?;
    /// # let _ = names;
    /// # Ok(())
    /// # }
    /// ```
    pub fn rows_by_name<T: Sats + for<'a> Decode<'a>>(&self) -> Result<Vec<T>, Error> {
        self.statement()?.rows_by_name()
    }

    /// [`StatementReply::values`] of the one statement.
    ///
    /// # Errors
    ///
    /// As there, and as [`statement`](Self::statement).
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// for row in http.sql("chat", "SELECT * FROM user").await?.values()? {
    ///     println!("{}", row.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn values(&self) -> Result<Vec<Vec<SatsValue>>, Error> {
        self.statement()?.values()
    }
}

impl StatementReply {
    /// The columns of the rows; none of a statement that returns no rows.
    pub fn columns(&self) -> &[ServerField] {
        &self.columns
    }

    /// Duration of the statement on the server.
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// Numbers of rows that the statement changed.
    pub fn stats(&self) -> SqlStats {
        self.stats
    }

    /// The rows as SATS-JSON: an array of arrays.
    pub fn json(&self) -> &str {
        self.rows.get()
    }

    /// The rows as tuples or structs, by the position of their columns.
    ///
    /// # Errors
    ///
    /// [`Content`](super::ErrorKind::Content) if a column has another type, or there are more or fewer.
    pub fn rows<T: Sats + for<'a> Decode<'a>>(&self) -> Result<Vec<T>, Error> {
        self.check(&self.columns, T::TYPE)?;
        json::from_str(self.json()).map_err(|error| self.mismatch(error))
    }

    /// The rows as structs, by the names of their columns. Columns that the struct has not are left out.
    ///
    /// # Errors
    ///
    /// [`Content`](super::ErrorKind::Content) if a column is missing or has another type, or if `T` has a field
    /// without a name.
    pub fn rows_by_name<T: Sats + for<'a> Decode<'a>>(&self) -> Result<Vec<T>, Error> {
        let positions = self.positions(T::TYPE)?;
        let columns: Vec<_> = positions.iter().map(|at| self.columns[*at].clone()).collect();
        self.check(&columns, T::TYPE)?;
        let rows: Vec<Vec<&RawValue>> =
            serde_json::from_str(self.json()).map_err(|error| self.mismatch(error))?;
        let mut selected = String::from("[");
        for (at, row) in rows.iter().enumerate() {
            selected.push_str(if at == 0 { "[" } else { ",[" });
            for (at, position) in positions.iter().enumerate() {
                let Some(value) = row.get(*position) else {
                    return Err(self.mismatch("a row has fewer values than there are columns"));
                };
                selected.push_str(if at == 0 { "" } else { "," });
                selected.push_str(value.get());
            }
            selected.push(']');
        }
        selected.push(']');
        json::from_str(&selected).map_err(|error| self.mismatch(error))
    }

    /// The rows as untyped values, each of the type of its [column](Self::columns).
    ///
    /// # Errors
    ///
    /// [`Content`](super::ErrorKind::Content) if the rows are not what the reply says of their columns.
    pub fn values(&self) -> Result<Vec<Vec<SatsValue>>, Error> {
        let rows = ServerType::Array(Box::new(ServerType::Product(self.columns.clone())));
        match json::value_from_str(rows.within(&[]), self.json()) {
            Ok(SatsValue::Array(rows)) => {
                let row = |row| match row {
                    SatsValue::Product(values) => values,
                    value => vec![value],
                };
                Ok(rows.into_iter().map(row).collect())
            }
            Ok(_) => Ok(Vec::new()),
            Err(error) => Err(self.mismatch(error)),
        }
    }

    /// Positions of the columns that have the names of a struct's fields.
    fn positions(&self, ty: SatsType) -> Result<Vec<usize>, Error> {
        let SatsType::Product(ProductDef { fields, .. }) = ty else {
            return Err(self.mismatch(format_args!("a row is a struct, and not a `{ty}`")));
        };
        let position = |name: Option<&str>| {
            let Some(name) = name else {
                return Err(self.mismatch(format_args!("`{ty}` has a field without a name")));
            };
            let found = self.columns.iter().position(|column| column.name.as_deref() == Some(name));
            found.ok_or_else(|| self.mismatch(format_args!("there is no column `{name}`")))
        };
        fields.iter().map(|field| position(field.name)).collect()
    }

    fn check(&self, columns: &[ServerField], ty: SatsType) -> Result<(), Error> {
        // Without rows and columns there is nothing that could be wrong.
        if self.columns.is_empty() && self.json() == "[]" {
            return Ok(());
        }
        compare_types(columns, ty).map_or(Ok(()), |difference| Err(self.mismatch(difference)))
    }

    fn mismatch(&self, what: impl std::fmt::Display) -> Error {
        Error::content(&self.request, what, None)
    }
}

#[derive(Deserialize)]
struct RawStatement<'a> {
    #[serde(borrow)]
    schema: &'a RawValue,
    #[serde(borrow)]
    rows: &'a RawValue,
    #[serde(default)]
    total_duration_micros: u64,
    #[serde(default)]
    stats: SqlStats,
}

impl Http {
    /// Runs SQL: reads by anybody who may read the tables, writes by the database's owner.
    ///
    /// Several statements go in one request where the server takes several, and one after the other where it does not;
    /// then others may write in between, and those before one that is refused have been run.
    ///
    /// # Errors
    ///
    /// Any [kind](super::ErrorKind); [`Refused`](super::ErrorKind::Refused) for SQL that the server does not take, in its
    /// words.
    ///
    /// # Source
    ///
    /// `POST /v1/database/:name/sql` with the statements as text.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// use lightlike::types::Identity;
    ///
    /// let users: Vec<(Identity, Option<String>)> =
    ///     http.sql("chat", "SELECT identity, name FROM user").await?.rows()?;
    /// # let _ = users;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn sql(
        &self,
        database: &str,
        statements: impl IntoStatements,
    ) -> Result<SqlReply, Error> {
        self.sql_with(database, statements, SqlOptions::default()).await
    }

    /// [`sql`](Self::sql) with options.
    ///
    /// # Errors
    ///
    /// As [`sql`](Self::sql).
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// use lightlike::http::SqlOptions;
    ///
    /// let options = SqlOptions::default().confirmed(true);
    /// let reply = http.sql_with("chat", "DELETE FROM message", options).await?;
    /// println!("{} rows", reply.statement()?.stats().rows_deleted);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn sql_with(
        &self,
        database: &str,
        statements: impl IntoStatements,
        options: SqlOptions,
    ) -> Result<SqlReply, Error> {
        let mut list = Vec::new();
        statements.add_to(&mut list);
        let query = options.confirmed.map(|confirmed| format!("?confirmed={confirmed}"));
        let path = self.path(database, "/sql")? + query.as_deref().unwrap_or_default();
        let together = self.run_sql(&path, list.join(";\n")).await;
        match together {
            Err(error) if list.len() > 1 && takes_one(&error) => {
                let mut statements = Vec::new();
                let mut request = Box::default();
                for statement in list {
                    let reply = self.run_sql(&path, statement).await?;
                    statements.extend(reply.statements);
                    request = reply.request;
                }
                Ok(SqlReply { statements, request })
            }
            together => together,
        }
    }

    async fn run_sql(&self, path: &str, text: String) -> Result<SqlReply, Error> {
        if text.trim().is_empty() {
            return Err(Error::invalid("there is no SQL statement"));
        }
        let reply = self.ask(Request::new(Method::POST, path).body(text), Success::Content).await?;
        let raw: Vec<RawStatement<'_>> = reply.parse()?;
        let statements = raw.into_iter().map(|raw| statement(&reply, raw));
        Ok(SqlReply {
            statements: statements.collect::<Result<_, _>>()?,
            request: reply.request.clone(),
        })
    }
}

fn statement(reply: &Reply, raw: RawStatement<'_>) -> Result<StatementReply, Error> {
    let columns = parse_columns(raw.schema.get())
        .map_err(|source| reply.unexpected("the rows have columns that cannot be read", source))?;
    Ok(StatementReply {
        columns,
        rows: raw.rows.to_owned(),
        duration: Duration::from_micros(raw.total_duration_micros),
        stats: raw.stats,
        request: reply.request.clone(),
    })
}

/// Returns `true` if the server refused several statements because they are several.
fn takes_one(error: &Error) -> bool {
    error.status() == Some(400)
        && error.text().is_some_and(|text| text.contains("Multiple SQL statements"))
}
