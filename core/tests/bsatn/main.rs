//! The codec and the types of the server, from outside: what is accepted, what is refused and why, and that all of it
//! agrees with the official implementation.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as its tests do")]

mod hostile;
mod laws;
#[path = "../support/official.rs"]
mod official;
mod oracle;
mod text;
mod untyped;
mod values;
mod vectors;
