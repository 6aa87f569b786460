//! The wire and the machine against recorded sessions of real servers: see `tests/fixtures/README.md`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod coming_back;
mod frames;
#[path = "../support/hex.rs"]
mod hex;
mod model;
mod replay;
mod round_trip;
#[path = "../support/session_files.rs"]
mod session_files;
