//! A call, whichever form declared it.

use proc_macro2::TokenStream;
use syn::{DeriveInput, Path, Type};

use super::Function;
use crate::schema::SavedSchema;

/// A checked declaration.
pub(crate) struct Call {
    pub(crate) function: Function,
    pub(crate) krate: Path,
    /// The name on the wire.
    pub(crate) name: String,
    /// The struct of arguments, the user's or one made from a signature.
    pub(crate) arguments: DeriveInput,
    pub(crate) params: Vec<Param>,
    /// Return type of a reducer when it commits, or of a procedure; `()` where nothing is said.
    pub(crate) returns: Option<Type>,
    /// Error type of a reducer; `String` where nothing is said.
    pub(crate) error: Option<Type>,
    pub(crate) idempotent: bool,
    /// Schema to compare it with.
    pub(crate) schema: Option<SavedSchema>,
    /// The function that makes the struct.
    pub(crate) constructor: TokenStream,
}

/// One argument, in wire order.
pub(crate) struct Param {
    /// As the module's source has it; none in a tuple struct.
    pub(crate) name: Option<String>,
    pub(crate) ty: Type,
}
