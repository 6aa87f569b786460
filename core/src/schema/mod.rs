//! What a table, a row, a reducer and a procedure are: descriptors that the derives make as constants, and the traits
//! that carry them.
//!
//! A *row* is a Rust struct. A *table* names a table or view of the database and its row type: a struct that is the row
//! of one table is that table's marker too. Columns belong to the row; whether a table is keyed or indexed by them
//! belongs to the table.
//!
//! What a server tells of its module at run time is a [`ServerSchema`]; [`compare`] says how the constants differ from it.

mod any;
mod call;
mod column;
pub mod fingerprint;
#[doc(hidden)]
pub mod fixed;
mod index;
mod server;
mod table;
mod value;

pub use crate::sats::{
    FieldDef, ProductDef, Sats, SatsType, SumDef, TypeRef, UnknownVariants, VariantDef,
};
pub use any::{AnyType, Fields, Scalar, Shape, Variants};
pub use call::{FunctionDef, Procedure, Reducer};
pub use column::{Column, FindIn, Indexed, JoinIn, Kind, Plain, Primary, Unique, UniqueKind};
pub use index::{ClientIndex, IndexKey, IndexPrefix, IndexRef, MultiIndex, PrefixedIndex, RangeIn};
pub use server::{
    Difference, DifferenceKind, IndexAlgorithm, Item, ServerField, ServerIndex, ServerProcedure,
    ServerReducer, ServerSchema, ServerTable, ServerType, ServerTypeName, ServerVariable,
    ServerVariant, ServerView, compare, compare_procedure, compare_reducer, compare_table,
    compare_types, natural_order, takes_arguments,
};
#[cfg(feature = "json")]
pub use server::{SchemaError, parse_columns};
pub use table::{
    ColumnDef, HasIndexes, HasKey, HasUniques, IndexDef, IndexVisitor, Row, RowDef, Table,
    TableDef, TableKind,
};
pub use value::{SatsValue, TotalF32, TotalF64};
