//! What the stories are told with: what is generated, and what the stories have beside a module's declarations.

#[macro_use]
#[path = "../../src/conformance/tables.rs"]
mod tables;
#[path = "../../src/conformance/values.rs"]
mod values;

/// A private table is not generated: clients do not see it, as a story says.
pub(crate) use lightlike_tests::conformance::visibility::Secret;

pub(crate) use self::values::*;
pub(crate) use crate::conformance as declared;
pub(crate) use crate::conformance::*;
