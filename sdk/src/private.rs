//! What generated code names. Not part of the API: it changes with the macros, which have the same version.

pub use lightlike_core::bsatn::{Decode, DecodeError, Encode, Reader, Writer, size};
pub use lightlike_core::schema::{
    Column, ColumnDef, FieldDef, FunctionDef, HasIndexes, HasKey, HasUniques, IndexDef,
    IndexVisitor, Indexed, Kind, MultiIndex, Plain, Primary, Procedure, ProductDef, Reducer, Row,
    RowDef, Sats, SatsType, SumDef, Table, TableDef, TableKind, TypeRef, Unique, VariantDef,
};
pub use lightlike_macros::Bsatn;
pub use std::string::String;

/// Decodes a product by `read`, out of a window of its size where that is constant: then the checks of the fields are
/// that of the window and fold away.
#[inline(always)]
pub fn product<'a, T: Decode<'a>>(
    reader: &mut Reader<'a>,
    name: &'static str,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    match T::SIZE {
        Some(size) => read(&mut reader.fixed(size, name)?),
        None => read(reader),
    }
}

/// Moves past a product: at once where its size is constant, else by `skip`.
#[inline(always)]
pub fn skip_product<'a, T: Decode<'a>>(
    reader: &mut Reader<'a>,
    name: &'static str,
    skip: impl FnOnce(&mut Reader<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    match T::SIZE {
        Some(size) => reader.bytes(size, name).map(drop),
        None => skip(reader),
    }
}
