//! Conversions between the server's types and other crates', and their serde forms.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as its tests do")]

mod forms;
mod times;
