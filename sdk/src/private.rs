//! Items that generated code names. Not part of the API: it changes with the macros, which have the same version.

pub use crate::query::{Arguments, Called, NoLiteral, Query, SqlValue, ViewArgument};
pub use lightlike_core::bsatn::unknown::{self, OtherVariant};
pub use lightlike_core::bsatn::{Decode, DecodeError, Encode, Reader, Writer, size};
pub use lightlike_core::schema::fixed;
pub use lightlike_core::schema::{
    Column, ColumnDef, FieldDef, FunctionDef, HasIndexes, HasKey, HasUniques, IndexDef,
    IndexVisitor, Indexed, Kind, MultiIndex, Plain, Primary, Procedure, ProductDef, Reducer, Row,
    RowDef, Sats, SatsType, SumDef, Table, TableDef, TableKind, TypeRef, Unique, UnknownVariants,
    VariantDef,
};
pub use lightlike_macros::Bsatn;
pub use std::string::String;

/// Traits that `#[derive(Bsatn)]` implements, asked for at once.
pub trait Encoded: Encode + for<'a> Decode<'a> + Sats {}
impl<T: Encode + for<'a> Decode<'a> + Sats> Encoded for T {}

/// Descriptors that the further tables of a row inherit. Made by `#[derive(Table)]` on the row.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the row of a table",
    note = "`row = ..` names a struct with `#[derive(Bsatn, Table)]` and fields"
)]
pub trait RowKeys {
    /// Descriptor of the row.
    const ROW: RowDef;
    /// The Rust names of the fields.
    const FIELDS: &'static [&'static str];
    /// As in [`TableDef`].
    const PRIMARY_KEY: Option<u16>;
    /// As in [`TableDef`].
    const UNIQUE: &'static [u16];
    /// As in [`TableDef`].
    const INDEXES: &'static [IndexDef];
}

/// A row with a primary key.
#[diagnostic::on_unimplemented(
    message = "the row `{Self}` has no primary key",
    note = "mark the key's column in `{Self}` with `#[primary_key]`"
)]
pub trait KeyedRow {}

/// The position of the column that a view of `R` names as its key.
///
/// # Panics
///
/// At compile time, if the row has no such field or another key.
pub const fn view_key<R: RowKeys>(field: &str) -> u16 {
    match R::PRIMARY_KEY {
        Some(key) if equal(R::FIELDS[key as usize], field) => key,
        _ => panic!(
            "a view's key is the primary key of its row; mark that field of the row with \
             `#[primary_key]`, or give the view a row of its own"
        ),
    }
}

/// `str` has no equality that constants can ask for.
const fn equal(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}
