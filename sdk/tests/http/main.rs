//! The HTTP client against recorded and made-up servers.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as its tests do")]

mod bad_input;
mod logs;
mod proxy;
mod recorded;
mod scripted;
#[cfg(feature = "auth")]
mod sign_in;
mod sql;
mod truth;
mod upload;
