//! The command as it is used: run as a program, on the embedded server and, where `SPACETIMEDB_URI` names one, on a real one.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as its tests do")]

mod bad_input;
mod environment;
mod files;
mod on_a_real_server;
mod on_both_servers;
mod program;
mod project;
mod secrets;
mod submodules;
#[cfg(unix)]
mod terminal;
mod usage;
