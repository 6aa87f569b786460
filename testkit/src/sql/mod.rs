//! The SQL of subscriptions and one-off queries: `SELECT * FROM t WHERE ..` and semijoins of two tables.
//!
//! It accepts what the server accepts and refuses the rest in the server's words: `tests/recorded` has them. What the
//! server does not have is not here either: NOT, ORDER BY, LIMIT, aggregates, column lists. Views with arguments, which
//! servers have from 2.14, are missing.

mod ast;
mod check;
mod decimal;
mod error;
mod eval;
mod expr;
mod parse;
mod token;
mod value;

pub(crate) use check::{ColumnRef, Query, Source, compile};
pub(crate) use error::SqlError;
pub(crate) use eval::{Bindings, Columns};

/// Returns `true` if `sql` asks for all tables that the caller can see.
///
/// # Source
///
/// `spacetimedb-core` 2.14.0, `subscription/query.rs`: no semicolon is allowed here.
pub(crate) fn is_everything(sql: &str) -> bool {
    let mut words = sql.split_whitespace();
    let mut next_is =
        |word: &str| words.next().is_some_and(|found| found.eq_ignore_ascii_case(word));
    next_is("SELECT") && next_is("*") && next_is("FROM") && next_is("*") && words.next().is_none()
}

#[cfg(test)]
mod tests;
