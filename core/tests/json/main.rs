//! SATS-JSON, from outside: what is read and what is written, and that the official implementation agrees.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as its tests do")]

mod examples;
#[path = "../support/official.rs"]
mod official;
mod oracle;
