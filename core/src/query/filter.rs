//! A condition on rows of one type: its comparisons. How they are joined is in [`tree`](super::tree).

use core::cmp::Ordering;
use core::fmt;
use core::ops::Not;
use std::sync::Arc;

use super::sql::{QueryError, push_name};
use super::tree::{Join, Term};
use super::value::NoLiteral;
use crate::types::Identity;

/// A condition on rows of the type `R`: SQL for the server, a test for rows that are here.
///
/// Columns make them, and [`and`](Self::and), [`or`](Self::or) and [`not`](Self::not) make more of them:
///
/// ```
/// # use lightlike_core::query::Filter;
/// # use lightlike_core::schema::{Column, Kind, Plain};
/// struct User {
///     level: u32,
///     online: bool,
/// }
/// # impl User {
/// #     const LEVEL: Column<Self, u32, Kind<Plain, Plain>> = Column::new(0, "level", |user| &user.level);
/// #     const ONLINE: Column<Self, bool, Kind<Plain, Plain>> = Column::new(1, "online", |user| &user.online);
/// # }
///
/// let filter = User::LEVEL.ge(3).and(User::ONLINE.eq(true).not());
/// assert!(filter.matches(&User { level: 3, online: false }));
/// assert!(!filter.matches(&User { level: 3, online: true }));
/// ```
///
/// Both sides agree on every row: the order of values is the server's, in which NaN equals itself and is greatest.
/// Cheap to clone, and cheap to add to: a hundred thousand conditions joined one by one take time in proportion.
/// "And" and "or" may be nested as deeply as one likes where rows that are here are tested; for the server there is a
/// limit, [`QueryError::TooDeep`].
pub struct Filter<R> {
    term: Term<R>,
    /// Identity that `:sender` stands for.
    sender: Option<Identity>,
}

/// One column beside something else.
pub(super) struct Comparison<R> {
    pub(super) column: &'static str,
    pub(super) op: Op,
    pub(super) right: Right,
    pub(super) order: Arc<Order<R>>,
}

/// Order of a row's column to the other side; none if that is the sender, whose identity is not known.
pub(super) type Order<R> = dyn Fn(&R, Option<&Identity>) -> Option<Ordering> + Send + Sync;

/// Right side of a comparison.
#[derive(Clone)]
pub(super) enum Right {
    Literal(Result<Box<str>, NoLiteral>),
    Column(&'static str),
    Sender,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Op {
    fn symbol(self) -> &'static str {
        match self {
            Self::Eq => " = ",
            Self::Ne => " <> ",
            Self::Lt => " < ",
            Self::Le => " <= ",
            Self::Gt => " > ",
            Self::Ge => " >= ",
        }
    }

    #[inline]
    fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::Ne => order.is_ne(),
            Self::Lt => order.is_lt(),
            Self::Le => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::Ge => order.is_ge(),
        }
    }

    /// Operator that holds where this does not: the order is total.
    fn negated(self) -> Self {
        match self {
            Self::Eq => Self::Ne,
            Self::Ne => Self::Eq,
            Self::Lt => Self::Ge,
            Self::Le => Self::Gt,
            Self::Gt => Self::Le,
            Self::Ge => Self::Lt,
        }
    }
}

impl<R> Filter<R> {
    pub(super) fn compare(comparison: Comparison<R>) -> Self {
        Self { term: Term::compare(comparison), sender: None }
    }

    /// Rows for which both hold.
    pub fn and(self, other: Self) -> Self {
        Self::all_of([self, other])
    }

    /// Rows for which one holds, or both.
    pub fn or(self, other: Self) -> Self {
        Self::any_of([self, other])
    }

    /// Rows for which it does not hold. `!filter` is the same.
    ///
    /// Subscriptions know no `NOT`, so each comparison is turned round instead, and each "and" into an "or".
    #[expect(
        clippy::should_implement_trait,
        reason = "it does, and chains are read from left to right"
    )]
    pub fn not(self) -> Self {
        Self { term: self.term.negated(), sender: self.sender }
    }

    /// Rows for which all of `filters` hold: all rows, if there is none.
    pub fn all_of(filters: impl IntoIterator<Item = Self>) -> Self {
        Self::joined(Join::And, filters)
    }

    /// Rows for which one of `filters` holds: no row, if there is none.
    pub fn any_of(filters: impl IntoIterator<Item = Self>) -> Self {
        Self::joined(Join::Or, filters)
    }

    fn joined(join: Join, filters: impl IntoIterator<Item = Self>) -> Self {
        let mut sender = None;
        let terms = filters.into_iter().map(|filter| {
            sender = sender.or(filter.sender);
            filter.term
        });
        let term = Term::joined(join, terms);
        Self { term, sender }
    }

    /// The same condition, and [`matches`](Self::matches) takes `identity` for its [`Sender`](super::Sender).
    ///
    /// What the server is asked stays the same: there the sender is whoever asks.
    pub fn for_sender(mut self, identity: Identity) -> Self {
        self.sender = Some(identity);
        self
    }

    /// Returns `true` if `row` is one of the rows that this asks for.
    ///
    /// Nobody knows here who the [`Sender`](super::Sender) is before [`for_sender`](Self::for_sender) says so. Until
    /// then a comparison with it holds for no row, and neither does its opposite.
    #[inline]
    pub fn matches(&self, row: &R) -> bool {
        self.term.holds(row, self.sender.as_ref())
    }

    /// Returns `true` if the condition is about the [`Sender`](super::Sender).
    pub fn names_sender(&self) -> bool {
        self.term.names_sender()
    }

    /// Appends the condition as SQL, its columns with the name of their `table`.
    ///
    /// Many terms of one "and" or "or" are written as a balanced tree, in parentheses: the server's stack bounds how
    /// many it takes one behind the other, and its length of a query (50,000 bytes) how many there can be.
    ///
    /// # Errors
    ///
    /// A [`QueryError`] if a value in it has no literal, for which the text then says `NULL`; or if "and" and "or" are
    /// nested too deeply, and the text then says `FALSE`.
    pub fn push_sql(&self, sql: &mut String, table: &str) -> Result<(), QueryError> {
        self.term.push_sql(sql, table, None)
    }

    /// As [`push_sql`](Self::push_sql), in parentheses if an `AND` beside it would take it apart.
    ///
    /// # Errors
    ///
    /// As [`push_sql`](Self::push_sql).
    pub fn push_term(&self, sql: &mut String, table: &str) -> Result<(), QueryError> {
        self.term.push_sql(sql, table, Some(Join::And))
    }
}

impl<R> Comparison<R> {
    /// Whether it holds for a row, or its opposite does.
    #[inline]
    pub(super) fn holds(&self, negated: bool, row: &R, sender: Option<&Identity>) -> bool {
        (self.order)(row, sender).is_some_and(|order| self.op(negated).accepts(order))
    }

    fn op(&self, negated: bool) -> Op {
        if negated { self.op.negated() } else { self.op }
    }

    pub(super) fn names_sender(&self) -> bool {
        matches!(self.right, Right::Sender)
    }

    pub(super) fn push_sql(
        &self,
        negated: bool,
        sql: &mut String,
        table: &str,
    ) -> Result<(), QueryError> {
        push_column(sql, table, self.column);
        sql.push_str(self.op(negated).symbol());
        match &self.right {
            Right::Literal(Ok(literal)) => sql.push_str(literal),
            Right::Literal(Err(source)) => {
                // The server refuses this too, so nothing is asked by mistake.
                sql.push_str("NULL");
                let (what, source) = (self.column.into(), source.clone());
                return Err(QueryError::NoLiteral { what, source });
            }
            Right::Column(column) => push_column(sql, table, column),
            Right::Sender => sql.push_str(":sender"),
        }
        Ok(())
    }
}

fn push_column(sql: &mut String, table: &str, column: &str) {
    push_name(sql, table);
    sql.push('.');
    push_name(sql, column);
}

impl<R> Not for Filter<R> {
    type Output = Self;

    fn not(self) -> Self {
        Self::not(self)
    }
}

impl<R> Clone for Filter<R> {
    fn clone(&self) -> Self {
        Self { term: self.term.clone(), sender: self.sender }
    }
}

impl<R> fmt::Debug for Filter<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sql = String::new();
        // A value without a literal shows as NULL.
        let _ = self.push_sql(&mut sql, "row");
        f.debug_tuple("Filter").field(&format_args!("{sql}")).finish()
    }
}
