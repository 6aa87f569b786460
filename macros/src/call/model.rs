//! A call, whichever form declared it.

use proc_macro2::TokenStream;
use syn::{DeriveInput, Path, Type};

use super::Function;

/// A checked declaration.
pub(super) struct Call {
    pub(super) function: Function,
    pub(super) krate: Path,
    /// The name on the wire.
    pub(super) name: String,
    /// The struct of arguments, the user's or one made from a signature.
    pub(super) arguments: DeriveInput,
    pub(super) params: Vec<Param>,
    /// What a reducer returns when it commits, or a procedure at all; `()` where nothing is said.
    pub(super) returns: Option<Type>,
    /// What a reducer rejects a call with; `String` where nothing is said.
    pub(super) error: Option<Type>,
    pub(super) idempotent: bool,
    /// The function that makes the struct.
    pub(super) constructor: TokenStream,
}

/// One argument, in wire order.
pub(super) struct Param {
    /// As the module's source has it; none in a tuple struct.
    pub(super) name: Option<String>,
    pub(super) ty: Type,
}
