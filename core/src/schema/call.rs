//! Reducers and procedures.

use crate::bsatn::Bsatn;
use crate::sats::{FieldDef, TypeRef};

/// The arguments of one call of a reducer, made by `#[reducer]`: its encoding is the parameters in order.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a call of a reducer",
    note = "add `#[reducer]` to `{Self}`, or to a function signature"
)]
pub trait Reducer: Bsatn + Send + Sync + 'static {
    /// Name, parameters and what it returns.
    const DEF: FunctionDef;
    /// Value that it returns when it commits; `()` for most.
    type Ok: Bsatn + Send + 'static;
    /// Error that it returns when it rejects the call; `String` for most.
    type Error: Bsatn + Send + 'static;
}

/// The arguments of one call of a procedure, made by `#[procedure]`: its encoding is the parameters in order.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a call of a procedure",
    note = "add `#[procedure]` to `{Self}`, or to a function signature"
)]
pub trait Procedure: Bsatn + Send + Sync + 'static {
    /// Name, parameters and what it returns.
    const DEF: FunctionDef;
    /// Value that it returns.
    type Output: Bsatn + Send + 'static;
}

/// Descriptor of a reducer or a procedure.
#[derive(Debug, Clone, Copy)]
pub struct FunctionDef {
    /// The name on the wire.
    pub name: &'static str,
    /// The parameters, in wire order.
    pub params: &'static [FieldDef],
    /// Type that it returns: a reducer when it commits.
    pub returns: TypeRef,
    /// Type that a reducer returns when it rejects a call; none for a procedure.
    pub error: Option<TypeRef>,
    /// `true` if a call may be sent again when its outcome is unknown.
    pub idempotent: bool,
}
