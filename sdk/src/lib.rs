//! A client for SpacetimeDB 2.x.

extern crate self as lightlike;

pub use lightlike_core::{bsatn, schema, types};
pub use lightlike_macros::{Bsatn, Table, procedure, reducer};

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
