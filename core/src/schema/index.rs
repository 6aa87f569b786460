//! What orders the rows of a table: an indexed column, an index over several columns or its first ones, or an index that
//! only the client has.

use core::cmp::Ordering;
use core::fmt;

use super::column::{Column, Indexed, Kind};
use super::table::{HasIndexes, Table};

/// Something that orders the rows of `T`: an indexed column, an index over several, or a [`ClientIndex`].
#[diagnostic::on_unimplemented(
    message = "`{T}` has no ordered index for this",
    note = "mark the column `#[index(btree)]` if the module does, use an index that the table has, or declare a `ClientIndex`"
)]
pub trait RangeIn<T: Table> {
    /// Type of its bounds.
    type Value;

    /// The columns, which name the index.
    fn columns(&self) -> IndexRef;

    /// Compares a row's columns with a bound.
    fn compare(&self, row: &T::Row, bound: &Self::Value) -> Ordering;

    /// Order of a row to what can be reached at all, whatever the bounds.
    #[inline]
    fn within(&self, _: &T::Row) -> Ordering {
        Ordering::Equal
    }

    /// The order of two rows.
    fn order(&self, a: &T::Row, b: &T::Row) -> Ordering;
}

/// Names an index by its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexRef {
    /// One column.
    Column(u16),
    /// Several columns, in the index's order.
    Columns(&'static [u16]),
    /// The client's own, over one column.
    Client(u16),
}

impl<T, V: Ord, U> RangeIn<T> for Column<T::Row, V, Kind<U, Indexed>>
where
    T: HasIndexes,
{
    type Value = V;

    fn columns(&self) -> IndexRef {
        IndexRef::Column(self.index())
    }

    #[inline]
    fn compare(&self, row: &T::Row, bound: &V) -> Ordering {
        self.get(row).cmp(bound)
    }

    #[inline]
    fn order(&self, a: &T::Row, b: &T::Row) -> Ordering {
        self.get(a).cmp(self.get(b))
    }
}

/// An ordered index that the client has and the module does not: to be declared where the client is made.
///
/// It costs what an index costs, for each row that comes and goes, and only there. Read by one that was not declared,
/// rows come in the same order, and each time all of the table is looked at.
///
/// ```
/// # use lightlike_core::schema::{ClientIndex, Column, Kind, Plain};
/// # struct User { name: String }
/// # impl User {
/// #     const NAME: Column<Self, String, Kind<Plain, Plain>> = Column::new(0, "name", |user| &user.name);
/// # }
/// const BY_NAME: ClientIndex<User, String> = ClientIndex::on(User::NAME);
/// ```
pub struct ClientIndex<R, V> {
    column: u16,
    name: &'static str,
    get: fn(&R) -> &V,
}

impl<R, V: Ord> ClientIndex<R, V> {
    /// The index over one column.
    pub const fn on<K>(column: Column<R, V, K>) -> Self {
        Self { column: column.index(), name: column.name(), get: column.getter() }
    }

    /// The position of its column in the row.
    pub const fn column(&self) -> u16 {
        self.column
    }

    /// The name of its column on the wire.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The order of two rows.
    #[inline]
    pub fn compare(&self, a: &R, b: &R) -> Ordering {
        (self.get)(a).cmp((self.get)(b))
    }
}

impl<R, V> Clone for ClientIndex<R, V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R, V> Copy for ClientIndex<R, V> {}
impl<R, V> fmt::Debug for ClientIndex<R, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIndex").field("column", &self.name).finish()
    }
}

impl<T: Table, V: Ord> RangeIn<T> for ClientIndex<T::Row, V> {
    type Value = V;

    fn columns(&self) -> IndexRef {
        IndexRef::Client(self.column)
    }

    #[inline]
    fn compare(&self, row: &T::Row, bound: &V) -> Ordering {
        (self.get)(row).cmp(bound)
    }

    #[inline]
    fn order(&self, a: &T::Row, b: &T::Row) -> Ordering {
        Self::compare(self, a, b)
    }
}

/// An ordered index over several columns of `R`; `V` is the tuple of their types.
pub struct MultiIndex<R, V: IndexKey> {
    columns: &'static [u16],
    get: for<'r> fn(&'r R) -> V::Refs<'r>,
}

/// The tuple types that a [`MultiIndex`] can have.
pub trait IndexKey: 'static {
    /// The columns of one row.
    type Refs<'r>: Ord;

    /// Compares a row's columns with a bound.
    fn compare(row: Self::Refs<'_>, bound: &Self) -> Ordering;
}

/// The first columns of an index over several, `V`: see [`MultiIndex::prefix`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what the first columns of an index over `{V}` are",
    note = "give a tuple of the first column, `(a,)`, or of the first ones, `(a, b)`; the last column is what is ranged over"
)]
pub trait IndexPrefix<V: IndexKey> {
    /// The type of the column behind them.
    type Next;

    /// Compares a row's first columns with these.
    fn compare(&self, row: V::Refs<'_>) -> Ordering;

    /// Compares a row's next column with a bound.
    fn compare_next(row: V::Refs<'_>, bound: &Self::Next) -> Ordering;
}

macro_rules! index_keys {
    ($([$($Column:ident $at:tt),+])+) => {$(
        impl<$($Column: Ord + 'static),+> IndexKey for ($($Column,)+) {
            type Refs<'r> = ($(&'r $Column,)+);

            #[inline]
            fn compare(row: Self::Refs<'_>, bound: &Self) -> Ordering {
                row.cmp(&($(&bound.$at,)+))
            }
        }
    )+};
}

index_keys! {
    [A 0, B 1]
    [A 0, B 1, C 2]
    [A 0, B 1, C 2, D 3]
}

macro_rules! prefixes {
    ($([$($Prefix:ident $at:tt),+] $Next:ident $next:tt of $Key:ty, [$($Rest:ident),*];)+) => {$(
        impl<$($Prefix: Ord + 'static,)+ $Next: Ord + 'static, $($Rest: Ord + 'static,)*>
            IndexPrefix<$Key> for ($($Prefix,)+)
        {
            type Next = $Next;

            #[inline]
            fn compare(&self, row: <$Key as IndexKey>::Refs<'_>) -> Ordering {
                ($(row.$at,)+).cmp(&($(&self.$at,)+))
            }

            #[inline]
            fn compare_next(row: <$Key as IndexKey>::Refs<'_>, bound: &$Next) -> Ordering {
                row.$next.cmp(bound)
            }
        }
    )+};
}

prefixes! {
    [A 0] B 1 of (A, B), [];
    [A 0] B 1 of (A, B, C), [C];
    [A 0, B 1] C 2 of (A, B, C), [];
    [A 0] B 1 of (A, B, C, D), [C, D];
    [A 0, B 1] C 2 of (A, B, C, D), [D];
    [A 0, B 1, C 2] D 3 of (A, B, C, D), [];
}

impl<R, V: IndexKey> MultiIndex<R, V> {
    /// For the derived code.
    #[doc(hidden)]
    pub const fn new(columns: &'static [u16], get: for<'r> fn(&'r R) -> V::Refs<'r>) -> Self {
        Self { columns, get }
    }

    /// The columns, in the index's order.
    pub const fn columns(&self) -> &'static [u16] {
        self.columns
    }

    /// The part of the index in which the first columns are these, ordered by the next one: `by_game_and_points.prefix((7,))`
    /// has the points of game 7.
    pub const fn prefix<P: IndexPrefix<V>>(self, prefix: P) -> PrefixedIndex<R, V, P> {
        PrefixedIndex { index: self, prefix }
    }
}

impl<R, V: IndexKey> Clone for MultiIndex<R, V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R, V: IndexKey> Copy for MultiIndex<R, V> {}
impl<R, V: IndexKey> fmt::Debug for MultiIndex<R, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultiIndex").field("columns", &self.columns).finish()
    }
}

impl<T, V: IndexKey> RangeIn<T> for MultiIndex<T::Row, V>
where
    T: HasIndexes,
{
    type Value = V;

    fn columns(&self) -> IndexRef {
        IndexRef::Columns(self.columns)
    }

    #[inline]
    fn compare(&self, row: &T::Row, bound: &V) -> Ordering {
        V::compare((self.get)(row), bound)
    }

    #[inline]
    fn order(&self, a: &T::Row, b: &T::Row) -> Ordering {
        (self.get)(a).cmp(&(self.get)(b))
    }
}

/// A part of an index: see [`MultiIndex::prefix`].
pub struct PrefixedIndex<R, V: IndexKey, P> {
    index: MultiIndex<R, V>,
    prefix: P,
}

impl<R, V: IndexKey, P: Clone> Clone for PrefixedIndex<R, V, P> {
    fn clone(&self) -> Self {
        Self { index: self.index, prefix: self.prefix.clone() }
    }
}
impl<R, V: IndexKey, P: Copy> Copy for PrefixedIndex<R, V, P> {}
impl<R, V: IndexKey, P: fmt::Debug> fmt::Debug for PrefixedIndex<R, V, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrefixedIndex")
            .field("columns", &self.index.columns)
            .field("prefix", &self.prefix)
            .finish()
    }
}

impl<T, V, P> RangeIn<T> for PrefixedIndex<T::Row, V, P>
where
    T: HasIndexes,
    V: IndexKey,
    P: IndexPrefix<V>,
{
    type Value = P::Next;

    fn columns(&self) -> IndexRef {
        IndexRef::Columns(self.index.columns)
    }

    #[inline]
    fn compare(&self, row: &T::Row, bound: &P::Next) -> Ordering {
        P::compare_next((self.index.get)(row), bound)
    }

    #[inline]
    fn within(&self, row: &T::Row) -> Ordering {
        self.prefix.compare((self.index.get)(row))
    }

    #[inline]
    fn order(&self, a: &T::Row, b: &T::Row) -> Ordering {
        (self.index.get)(a).cmp(&(self.index.get)(b))
    }
}
