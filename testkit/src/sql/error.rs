//! Refusals of queries, in the server's words: programs and tests match on them.

use core::fmt;

/// A query that the server does not accept.
///
/// # Source
///
/// The texts are those of `spacetimedb-sql-parser`, `spacetimedb-expr`, `spacetimedb-query` and
/// `spacetimedb-subscription` 2.14.0, as a client sees them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct SqlError(String);

impl SqlError {
    pub(super) fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }

    /// Refusal of the general SQL parser, before the server's own rules.
    pub(super) fn parse(message: impl fmt::Display) -> Self {
        Self(format!("sql parser error: {message}"))
    }

    pub(super) fn not_in_scope(name: &str) -> Self {
        Self(format!("`{name}` is not in scope"))
    }

    pub(super) fn no_such_table(name: &str) -> Self {
        Self(format!("no such table: `{name}`. If the table exists, it may be marked private."))
    }

    pub(super) fn unexpected_type(
        expected: impl fmt::Display,
        inferred: impl fmt::Display,
    ) -> Self {
        Self(format!("Unexpected type: (expected) {expected} != {inferred} (inferred)"))
    }

    pub(super) fn invalid_literal(literal: impl fmt::Display, ty: impl fmt::Display) -> Self {
        Self(format!("The literal expression `{literal}` cannot be parsed as type `{ty}`"))
    }

    pub(super) fn invalid_op(op: impl fmt::Display, ty: impl fmt::Display) -> Self {
        Self(format!("Invalid binary operator `{op}` for type `{ty}`"))
    }

    /// The form in which subscriptions report it; one-off queries report it as it is.
    pub(crate) fn executing(&self, sql: &str) -> String {
        format!("{}, executing: `{sql}`", self.0)
    }
}
