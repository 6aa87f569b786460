//! Columns as typed constants.

use core::fmt;
use core::marker::PhantomData;

use super::table::{HasIndexes, HasKey, HasUniques};

/// A column of the row type `R` with values of type `V`; `K` says what can be done with it.
///
/// The derive makes one constant a column: `User::NAME`.
pub struct Column<R, V, K> {
    index: u16,
    name: &'static str,
    get: fn(&R) -> &V,
    kind: PhantomData<fn() -> K>,
}

impl<R, V, K> Column<R, V, K> {
    /// For the derived code.
    #[doc(hidden)]
    pub const fn new(index: u16, name: &'static str, get: fn(&R) -> &V) -> Self {
        Self { index, name, get, kind: PhantomData }
    }

    /// The position in the row.
    pub const fn index(&self) -> u16 {
        self.index
    }

    /// The name on the wire.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// This column's value in `row`.
    #[inline]
    pub fn get<'r>(&self, row: &'r R) -> &'r V {
        (self.get)(row)
    }

    pub(crate) const fn getter(&self) -> fn(&R) -> &V {
        self.get
    }
}

impl<R, V, K> Clone for Column<R, V, K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R, V, K> Copy for Column<R, V, K> {}
impl<R, V, K> fmt::Debug for Column<R, V, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Column").field("index", &self.index).field("name", &self.name).finish()
    }
}

/// Kind of a column: its uniqueness `U` ([`Plain`], [`Unique`] or [`Primary`]) and its order `I` ([`Plain`] or
/// [`Indexed`]).
#[derive(Debug)]
pub struct Kind<U, I>(PhantomData<(U, I)>);

/// Neither unique nor, in the second place, indexed.
#[derive(Debug)]
pub enum Plain {}
/// Unique.
#[derive(Debug)]
pub enum Unique {}
/// The primary key.
#[derive(Debug)]
pub enum Primary {}
/// With an ordered index of its own.
#[derive(Debug)]
pub enum Indexed {}

/// [`Unique`] or [`Primary`].
#[diagnostic::on_unimplemented(
    message = "this column is not unique",
    note = "only a unique column can find one row; mark it `#[unique]` or `#[primary_key]` if the module does"
)]
pub trait UniqueKind {
    /// `true` for the primary key.
    const PRIMARY: bool;
}
impl UniqueKind for Unique {
    const PRIMARY: bool = false;
}
impl UniqueKind for Primary {
    const PRIMARY: bool = true;
}

/// A column by which the table `T` can find one row.
#[diagnostic::on_unimplemented(
    message = "`{T}` cannot find a row by this column",
    note = "the column must be unique (`#[unique]` or `#[primary_key]`), and the table must have it so"
)]
pub trait FindIn<T> {
    /// `true` for the primary key.
    const PRIMARY: bool;
}
impl<T: HasKey, I> FindIn<T> for Kind<Primary, I> {
    const PRIMARY: bool = true;
}
impl<T: HasUniques, I> FindIn<T> for Kind<Unique, I> {
    const PRIMARY: bool = false;
}

/// A column by which the table `T` can be joined: the module has an index over it.
#[diagnostic::on_unimplemented(
    message = "`{T}` cannot be joined by this column",
    note = "a join needs an index on both sides: the column is `#[index(..)]`, `#[unique]` or `#[primary_key]`, and the \
            table has it so; other joins can be asked for in SQL as text"
)]
pub trait JoinIn<T> {}
impl<T: HasKey, I> JoinIn<T> for Kind<Primary, I> {}
impl<T: HasUniques, I> JoinIn<T> for Kind<Unique, I> {}
impl<T: HasIndexes> JoinIn<T> for Kind<Plain, Indexed> {}
