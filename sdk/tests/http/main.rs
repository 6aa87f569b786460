//! The HTTP client against recorded and made-up servers.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as its tests do")]

mod bad_input;
mod logs;
mod proxy;
mod recorded;
mod scripted;
mod sql;
mod upload;
