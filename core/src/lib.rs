//! The core of Lightlike: codec, cache, connection and driver, below the facade that programs use.
//!
//! Modules, from the bytes up, each depending only on those above it: [`bsatn`] is the codec, [`types`] the server's
//! special types, [`schema`] what a table, a reducer or a type is, [`query`] conditions on rows, [`limits`] how much of
//! anything is taken from a server, [`secret`] what may be a token and how it stays
//! hidden, [`deadline`] arithmetic on moments, `json` the server's other encoding, [`wire`] the messages, [`cache`] the rows,
//! [`journal`] what outlives the program, `conn` the connection as a sans-I/O state machine, and `driver` the only
//! place with I/O.

extern crate self as lightlike_core;

pub mod bsatn;
pub mod cache;
pub mod conn;
pub mod deadline;
#[cfg(feature = "driver")]
pub mod driver;
pub mod guard;
#[doc(hidden)]
pub mod in_order;
pub mod journal;
#[cfg(feature = "json")]
pub mod json;
pub mod limits;
pub mod named_ids;
pub mod query;
mod sats;
pub mod schema;
pub mod secret;
pub mod types;
#[doc(hidden)]
pub mod whole;
pub mod wire;
#[cfg(all(test, feature = "driver"))]
mod words;
