//! A condition on rows of one type.

use core::cmp::Ordering;
use core::fmt;
use core::ops::Not;
use std::sync::Arc;

use super::sql::{QueryError, push_name};
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
/// Cheap to clone.
pub struct Filter<R> {
    node: Arc<Node<R>>,
    /// Who `:sender` is.
    sender: Option<Identity>,
}

enum Node<R> {
    Compare(Comparison<R>),
    /// All of them hold; none means always.
    All(Vec<Arc<Self>>),
    /// One of them holds; none means never.
    Any(Vec<Arc<Self>>),
}

/// One column beside something else.
pub(super) struct Comparison<R> {
    pub(super) column: &'static str,
    pub(super) op: Op,
    pub(super) right: Right,
    pub(super) order: Arc<Order<R>>,
}

/// How a row's column compares with the other side; none if that is the sender and nobody knows who that is.
pub(super) type Order<R> = dyn Fn(&R, Option<&Identity>) -> Option<Ordering> + Send + Sync;

/// What stands at the right of a comparison.
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

    /// What holds where this does not: the order is total.
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
        Self::new(Node::Compare(comparison))
    }

    fn new(node: Node<R>) -> Self {
        Self { node: Arc::new(node), sender: None }
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
        Self { node: self.node.negated(), sender: self.sender }
    }

    /// Rows for which all of `filters` hold: all rows, if there is none.
    pub fn all_of(filters: impl IntoIterator<Item = Self>) -> Self {
        let mut sender = None;
        let mut nodes = Vec::new();
        for filter in filters {
            sender = sender.or(filter.sender);
            match &*filter.node {
                Node::All(inner) => nodes.extend_from_slice(inner),
                _ => nodes.push(filter.node),
            }
        }
        Self { sender, ..one_or(nodes, Node::All) }
    }

    /// Rows for which one of `filters` holds: no row, if there is none.
    pub fn any_of(filters: impl IntoIterator<Item = Self>) -> Self {
        let mut sender = None;
        let mut nodes = Vec::new();
        for filter in filters {
            sender = sender.or(filter.sender);
            match &*filter.node {
                Node::Any(inner) => nodes.extend_from_slice(inner),
                _ => nodes.push(filter.node),
            }
        }
        Self { sender, ..one_or(nodes, Node::Any) }
    }

    /// The same condition, and [`matches`](Self::matches) takes `identity` for its [`Sender`](super::Sender).
    ///
    /// What the server is asked stays the same: there the sender is whoever asks.
    pub fn for_sender(mut self, identity: Identity) -> Self {
        self.sender = Some(identity);
        self
    }

    /// Whether `row` is one of the rows that this asks for.
    ///
    /// Nobody knows here who the [`Sender`](super::Sender) is before [`for_sender`](Self::for_sender) says so. Until
    /// then a comparison with it holds for no row, and neither does its opposite.
    #[inline]
    pub fn matches(&self, row: &R) -> bool {
        self.node.holds(row, self.sender.as_ref())
    }

    /// Whether the condition is about the [`Sender`](super::Sender).
    pub fn names_sender(&self) -> bool {
        self.node.names_sender()
    }

    /// Appends the condition as SQL, its columns with the name of their `table`.
    ///
    /// # Errors
    ///
    /// A [`QueryError`] if a value in it has no literal; the text then says `NULL` there.
    pub fn push_sql(&self, sql: &mut String, table: &str) -> Result<(), QueryError> {
        self.node.push_sql(sql, table)
    }

    /// As [`push_sql`](Self::push_sql), in parentheses if an `AND` beside it would take it apart.
    ///
    /// # Errors
    ///
    /// As [`push_sql`](Self::push_sql).
    pub fn push_term(&self, sql: &mut String, table: &str) -> Result<(), QueryError> {
        self.node.push_term(sql, table)
    }
}

fn one_or<R>(mut nodes: Vec<Arc<Node<R>>>, several: fn(Vec<Arc<Node<R>>>) -> Node<R>) -> Filter<R> {
    match nodes.pop() {
        Some(node) if nodes.is_empty() => Filter { node, sender: None },
        last => {
            nodes.extend(last);
            Filter::new(several(nodes))
        }
    }
}

impl<R> Node<R> {
    fn holds(&self, row: &R, sender: Option<&Identity>) -> bool {
        match self {
            Self::Compare(Comparison { op, order, .. }) => {
                order(row, sender).is_some_and(|order| op.accepts(order))
            }
            Self::All(nodes) => nodes.iter().all(|node| node.holds(row, sender)),
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(row, sender)),
        }
    }

    fn negated(&self) -> Arc<Self> {
        let negate = |nodes: &[Arc<Self>]| nodes.iter().map(|node| node.negated()).collect();
        Arc::new(match self {
            Self::Compare(Comparison { column, op, right, order }) => Self::Compare(Comparison {
                column,
                op: op.negated(),
                right: right.clone(),
                order: Arc::clone(order),
            }),
            Self::All(nodes) => Self::Any(negate(nodes)),
            Self::Any(nodes) => Self::All(negate(nodes)),
        })
    }

    fn names_sender(&self) -> bool {
        match self {
            Self::Compare(comparison) => matches!(comparison.right, Right::Sender),
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().any(|node| node.names_sender()),
        }
    }

    fn push_sql(&self, sql: &mut String, table: &str) -> Result<(), QueryError> {
        match self {
            Self::Compare(comparison) => comparison.push_sql(sql, table),
            Self::All(nodes) => {
                push_joined(sql, nodes, " AND ", "TRUE", |node, sql| node.push_term(sql, table))
            }
            Self::Any(nodes) => {
                push_joined(sql, nodes, " OR ", "FALSE", |node, sql| node.push_sql(sql, table))
            }
        }
    }

    fn push_term(&self, sql: &mut String, table: &str) -> Result<(), QueryError> {
        match self {
            Self::Any(nodes) if !nodes.is_empty() => {
                sql.push('(');
                let pushed = self.push_sql(sql, table);
                sql.push(')');
                pushed
            }
            _ => self.push_sql(sql, table),
        }
    }
}

/// Pushes all of them, and returns the first error.
fn push_joined<R>(
    sql: &mut String,
    nodes: &[Arc<Node<R>>],
    separator: &str,
    none: &str,
    mut push: impl FnMut(&Node<R>, &mut String) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let mut done = Ok(());
    for (at, node) in nodes.iter().enumerate() {
        sql.push_str(if at == 0 { "" } else { separator });
        let pushed = push(node, sql);
        done = done.and(pushed);
    }
    if nodes.is_empty() {
        sql.push_str(none);
    }
    done
}

impl<R> Comparison<R> {
    fn push_sql(&self, sql: &mut String, table: &str) -> Result<(), QueryError> {
        push_column(sql, table, self.column);
        sql.push_str(self.op.symbol());
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
        Self { node: Arc::clone(&self.node), sender: self.sender }
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
