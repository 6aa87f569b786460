//! Rows and tables.

use core::cmp::Ordering;
use core::hash::Hash;

use crate::bsatn::{Decode, DecodeError, Encode, Reader, from_slice};
use crate::sats::{Sats, TypeRef};

/// The row type of a table, made by `#[derive(Table)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the row of a table",
    note = "add `#[derive(Bsatn, Table)]` and `#[table(name = \"..\")]` to `{Self}`"
)]
pub trait Row: Encode + for<'a> Decode<'a> + Sats + Send + Sync + 'static {
    /// The columns.
    const DEF: RowDef;

    /// The type of the primary key's column; `()` where there is none.
    type Key: Hash + Eq + for<'a> Decode<'a> + Send + Sync + 'static;

    /// The primary key of this row.
    fn key(&self) -> &Self::Key;

    /// Decodes a row. What the server has appended to it, if anything, belongs to no column of a
    /// [lenient](RowDef::lenient) type; for others it is a mistake.
    ///
    /// # Errors
    ///
    /// A [`DecodeError`] that says where and what.
    #[inline]
    fn decode_row(bytes: &[u8]) -> Result<Self, DecodeError>
    where
        Self: Sized,
    {
        if Self::DEF.lenient { Self::decode(&mut Reader::new(bytes)) } else { from_slice(bytes) }
    }

    /// Reads the primary key out of an encoded row, skipping what lies before it. The rest is left unread.
    ///
    /// # Errors
    ///
    /// A [`DecodeError`] if the row ends before its key does.
    fn decode_key(reader: &mut Reader<'_>) -> Result<Self::Key, DecodeError>;

    /// Shows every unique column but the primary key, and every ordered index, to `visitor`.
    fn visit_indexes(visitor: &mut impl IndexVisitor<Self>)
    where
        Self: Sized;
}

/// Sees the indexes of a row type: see [`Row::visit_indexes`].
pub trait IndexVisitor<R> {
    /// A unique column that is not the primary key.
    fn unique<V: Hash + Eq + 'static>(
        &mut self,
        column: u16,
        get: impl Fn(&R) -> &V + Copy + Send + Sync + 'static,
    );

    /// An ordered index over one or more columns; `compare` compares two rows by these columns.
    fn ordered(
        &mut self,
        columns: &'static [u16],
        compare: impl Fn(&R, &R) -> Ordering + Copy + Send + Sync + 'static,
    );
}

/// A table or a view of the database.
///
/// `#[derive(Table)]` makes a struct a row and the marker of its table at once; with `#[table(row = ..)]` it makes a
/// unit struct the marker of a further table with that row.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a table",
    note = "add `#[derive(Bsatn, Table)]` and `#[table(name = \"..\")]` to `{Self}`"
)]
pub trait Table: Send + Sync + 'static {
    /// Type of its rows.
    type Row: Row;
    /// Name, kind, keys and indexes.
    const DEF: TableDef;
    /// Parameters of a view.
    const ARGUMENTS: &'static [ColumnDef] = &[];
}

/// A table that has its row's primary key: a row can be found by it, watched, and updated.
#[diagnostic::on_unimplemented(
    message = "the table `{Self}` has no primary key",
    note = "mark the key's column with `#[primary_key]`; a view names it, `#[table(primary_key = ..)]`; an event table keeps no rows"
)]
pub trait HasKey: Table {}

/// A table that has its row's unique columns.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no unique columns",
    note = "a view has none, and an event table keeps no rows"
)]
pub trait HasUniques: Table {}

/// A table that has its row's ordered indexes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no indexes",
    note = "a view has none, and an event table keeps no rows"
)]
pub trait HasIndexes: Table {}

/// Descriptor of a table.
#[derive(Debug, Clone, Copy)]
pub struct TableDef {
    /// The name on the wire.
    pub name: &'static str,
    /// Table, event table or view.
    pub kind: TableKind,
    /// The row type.
    pub row: RowDef,
    /// The column that identifies a row, if one does.
    pub primary_key: Option<u16>,
    /// Columns whose values are unique, the primary key's among them.
    pub unique: &'static [u16],
    /// Ordered indexes.
    pub indexes: &'static [IndexDef],
}

/// Kind of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    /// Rows that stay until they are deleted.
    Table,
    /// Rows that are delivered once and never stored.
    Event,
    /// Rows that the module computes.
    View,
}

/// Descriptor of a row.
#[derive(Debug, Clone, Copy)]
pub struct RowDef {
    /// The Rust name of the row type.
    pub name: &'static str,
    /// The columns, in wire order.
    pub columns: &'static [ColumnDef],
    /// `true` if the server may have columns behind these.
    pub lenient: bool,
}

/// Descriptor of a column.
#[derive(Debug, Clone, Copy)]
pub struct ColumnDef {
    /// The name on the wire.
    pub name: &'static str,
    /// The type of its values.
    pub ty: TypeRef,
}

/// An ordered index over columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexDef {
    /// The index's columns, in its order.
    pub columns: &'static [u16],
}
