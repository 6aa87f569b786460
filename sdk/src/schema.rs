//! Descriptors of tables, rows, reducers and procedures, made as constants by the derives, and the traits that carry them.
//!
//! A *row* is a Rust struct. A *table* names a table or view of the database and its row type: a struct that is the row
//! of one table is that table's marker too. Columns belong to the row; whether a table is keyed or indexed by them
//! belongs to the table.
//!
//! The schema that a server reports of its module at run time is a [`ServerSchema`]; [`compare`] lists its differences
//! from the constants.

#[cfg(feature = "json")]
#[doc(inline)]
pub use lightlike_core::schema::SchemaError;
#[doc(inline)]
pub use lightlike_core::schema::{
    AnyType, ClientIndex, Column, ColumnDef, Difference, DifferenceKind, FieldDef, Fields, FindIn,
    FunctionDef, HasKey, IndexAlgorithm, IndexDef, IndexKey, IndexPrefix, IndexRef, Indexed, Item,
    JoinIn, Kind, MultiIndex, Plain, PrefixedIndex, Primary, Procedure, ProductDef, RangeIn,
    Reducer, Row, RowDef, Sats, SatsType, SatsValue, Scalar, ServerField, ServerIndex,
    ServerProcedure, ServerReducer, ServerSchema, ServerTable, ServerType, ServerTypeName,
    ServerVariable, ServerVariant, ServerView, Shape, SumDef, Table, TableDef, TableKind, TotalF32,
    TotalF64, TypeRef, Unique, UnknownVariants, VariantDef, Variants, compare, compare_procedure,
    compare_reducer, compare_table, compare_types, fingerprint,
};
