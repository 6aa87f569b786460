//! The comparisons of a column.

use core::cmp::Ordering;
use std::borrow::Cow;
use std::sync::Arc;

use super::filter::{Comparison, Filter, Op, Right};
use super::value::SqlValue;
use crate::schema::Column;
use crate::types::Identity;

/// Whoever asks: `:sender` in SQL. Columns of identities can be compared with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sender;

/// Right side of a comparison with a column of values of the type `V`: such a value, another column of the row type
/// `R`, or for an identity the [`Sender`].
#[diagnostic::on_unimplemented(
    message = "a column of `{V}` cannot be compared with `{Self}`",
    label = "expected a value of the type `{V}`, or another column of `{R}` that has such values"
)]
pub trait Operand<R, V> {
    /// Converts to the kind of right side.
    #[doc(hidden)]
    fn other(self) -> Other<R, V>;
}

/// See [`Operand`].
#[doc(hidden)]
#[expect(missing_debug_implementations, reason = "seen by nobody")]
pub enum Other<R, V> {
    Value(V),
    Column(&'static str, fn(&R) -> &V),
    Sender(fn(&V, &Identity) -> Ordering),
}

impl<R, V> Operand<R, V> for V {
    fn other(self) -> Other<R, V> {
        Other::Value(self)
    }
}

impl<R, V: Clone> Operand<R, V> for &V {
    fn other(self) -> Other<R, V> {
        Other::Value(self.clone())
    }
}

impl<R, V, K> Operand<R, V> for Column<R, V, K> {
    fn other(self) -> Other<R, V> {
        Other::Column(self.name(), self.getter())
    }
}

impl<R> Operand<R, Identity> for Sender {
    fn other(self) -> Other<R, Identity> {
        Other::Sender(Identity::cmp)
    }
}

macro_rules! borrowed {
    ($($owned:ty: $borrowed:ty;)*) => {$(
        impl<R> Operand<R, $owned> for &$borrowed {
            fn other(self) -> Other<R, $owned> {
                Other::Value(self.to_owned().into())
            }
        }
    )*};
}

borrowed! {
    String: str;
    Box<str>: str;
    Arc<str>: str;
    Cow<'static, str>: str;
    Vec<u8>: [u8];
    Box<[u8]>: [u8];
    Arc<[u8]>: [u8];
}

/// Conditions, for [`Filter`].
impl<R: 'static, V: 'static, K> Column<R, V, K> {
    /// Rows with this value in the column.
    pub fn eq(self, other: impl Operand<R, V>) -> Filter<R>
    where
        V: SqlValue,
    {
        self.compare(Op::Eq, other.other())
    }

    /// Rows with another value in the column.
    pub fn ne(self, other: impl Operand<R, V>) -> Filter<R>
    where
        V: SqlValue,
    {
        self.compare(Op::Ne, other.other())
    }

    /// Rows with a lesser value in the column.
    pub fn lt(self, other: impl Operand<R, V>) -> Filter<R>
    where
        V: SqlValue,
    {
        self.compare(Op::Lt, other.other())
    }

    /// Rows with a lesser value in the column, or this one.
    pub fn le(self, other: impl Operand<R, V>) -> Filter<R>
    where
        V: SqlValue,
    {
        self.compare(Op::Le, other.other())
    }

    /// Rows with a greater value in the column.
    pub fn gt(self, other: impl Operand<R, V>) -> Filter<R>
    where
        V: SqlValue,
    {
        self.compare(Op::Gt, other.other())
    }

    /// Rows with a greater value in the column, or this one.
    pub fn ge(self, other: impl Operand<R, V>) -> Filter<R>
    where
        V: SqlValue,
    {
        self.compare(Op::Ge, other.other())
    }

    /// Rows with one of these values in the column: no row, if there is none.
    pub fn is_in<O: Operand<R, V>>(self, values: impl IntoIterator<Item = O>) -> Filter<R>
    where
        V: SqlValue,
    {
        Filter::any_of(values.into_iter().map(|value| self.eq(value)))
    }

    fn compare(self, op: Op, other: Other<R, V>) -> Filter<R>
    where
        V: SqlValue,
    {
        let get = self.getter();
        let (right, order): (_, Arc<super::filter::Order<R>>) = match other {
            Other::Value(value) => {
                let mut literal = String::new();
                let literal = value.push_literal(&mut literal).map(|()| literal.into());
                let order = move |row: &R, _: Option<&Identity>| Some(get(row).compare(&value));
                (Right::Literal(literal), Arc::new(order))
            }
            Other::Column(name, other) => {
                let order = move |row: &R, _: Option<&Identity>| Some(get(row).compare(other(row)));
                (Right::Column(name), Arc::new(order))
            }
            Other::Sender(compare) => {
                let order = move |row: &R, sender: Option<&Identity>| {
                    sender.map(|sender| compare(get(row), sender))
                };
                (Right::Sender, Arc::new(order))
            }
        };
        Filter::compare(Comparison { column: self.name(), op, right, order })
    }
}

/// A boolean column by itself: rows in which it is true.
impl<R: 'static, K> From<Column<R, bool, K>> for Filter<R> {
    fn from(column: Column<R, bool, K>) -> Self {
        column.eq(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::QueryError;
    use crate::schema::{Kind, Plain};

    struct Row {
        name: String,
        level: u32,
        max_level: u32,
        at: f64,
        owner: Identity,
    }

    type Of<V> = Column<Row, V, Kind<Plain, Plain>>;
    const NAME: Of<String> = Column::new(0, "name", |row| &row.name);
    const LEVEL: Of<u32> = Column::new(1, "level", |row| &row.level);
    const MAX_LEVEL: Of<u32> = Column::new(2, "max_level", |row| &row.max_level);
    const AT: Of<f64> = Column::new(3, "at", |row| &row.at);
    const OWNER: Of<Identity> = Column::new(4, "owner", |row| &row.owner);

    fn row(name: &str, level: u32) -> Row {
        let owner = Identity::ZERO;
        Row { name: name.into(), level, max_level: 10, at: 0.5, owner }
    }

    fn sql(filter: &Filter<Row>) -> String {
        let mut sql = String::new();
        filter.push_sql(&mut sql, "t").expect("all of it has literals");
        sql.replace("\"t\".", "").replace('"', "")
    }

    #[test]
    fn comparisons_are_sql_and_a_test() {
        let cases: [(Filter<Row>, &str, bool); 9] = [
            (LEVEL.eq(3), "level = 3", true),
            (LEVEL.ne(3), "level <> 3", false),
            (LEVEL.lt(3), "level < 3", false),
            (LEVEL.le(3), "level <= 3", true),
            (LEVEL.gt(2), "level > 2", true),
            (LEVEL.ge(4), "level >= 4", false),
            (LEVEL.lt(MAX_LEVEL), "level < max_level", true),
            (NAME.eq("O'Hara"), "name = 'O''Hara'", true),
            (NAME.eq(String::from("Ada")), "name = 'Ada'", false),
        ];
        for (filter, text, holds) in cases {
            assert_eq!(sql(&filter), text);
            assert_eq!(filter.matches(&row("O'Hara", 3)), holds, "{text}");
            assert_eq!(filter.not().matches(&row("O'Hara", 3)), !holds, "not {text}");
        }
    }

    #[test]
    fn and_binds_closer_than_or() {
        let (a, b, c) = (LEVEL.eq(1), LEVEL.eq(2), LEVEL.eq(3));
        let or = || a.clone().or(b.clone());
        assert_eq!(sql(&or().or(c.clone())), "level = 1 OR level = 2 OR level = 3");
        assert_eq!(sql(&or().and(c.clone())), "(level = 1 OR level = 2) AND level = 3");
        assert_eq!(
            sql(&c.clone().and(a.clone()).or(b.clone())),
            "level = 3 AND level = 1 OR level = 2"
        );
        assert_eq!(sql(&!or().and(c)), "level <> 1 AND level <> 2 OR level <> 3");
    }

    #[test]
    fn lists_of_conditions_may_be_empty() {
        let none: [u32; 0] = [];
        for (filter, text, holds) in [
            (Filter::all_of([]), "TRUE", true),
            (Filter::any_of([]), "FALSE", false),
            (Filter::all_of([]).not(), "FALSE", false),
            (LEVEL.is_in(none), "FALSE", false),
            (LEVEL.is_in([3]), "level = 3", true),
            (LEVEL.is_in(1..=3), "level = 1 OR level = 2 OR level = 3", true),
            (LEVEL.eq(3).and(Filter::any_of([])), "level = 3 AND FALSE", false),
        ] {
            assert_eq!(sql(&filter), text);
            assert_eq!(filter.matches(&row("", 3)), holds, "{text}");
        }
    }

    #[test]
    fn sender_is_unresolved_until_identity_is_known() {
        let (mine, others) = (OWNER.eq(Sender), OWNER.ne(Sender).or(LEVEL.eq(7)));
        assert_eq!(sql(&mine), "owner = :sender");
        assert!(mine.names_sender() && others.names_sender() && !LEVEL.eq(1).names_sender());
        assert!(!mine.matches(&row("", 1)) && !mine.clone().not().matches(&row("", 1)));
        assert!(!others.matches(&row("", 1)) && others.matches(&row("", 7)));
        let me = mine.for_sender(Identity::ZERO);
        assert!(me.matches(&row("", 1)) && !me.clone().not().matches(&row("", 1)));
        assert_eq!(sql(&me), "owner = :sender", "the server knows by itself");
        assert!(me.and(others).matches(&row("", 7)), "it is known to all of a condition");
    }

    #[test]
    fn value_without_literal_names_the_column() {
        let filter = AT.eq(f64::NAN).or(AT.gt(1.0));
        let mut sql = String::new();
        let error = filter.push_sql(&mut sql, "t").unwrap_err();
        assert_eq!(sql, r#""t"."at" = NULL OR "t"."at" > 1"#);
        assert!(
            matches!(&error, QueryError::NoLiteral { what, .. } if &**what == "at"),
            "{error:?}"
        );
        assert!(
            filter.matches(&Row { at: f64::NAN, ..row("", 1) }),
            "here it is compared all the same"
        );
    }
}
