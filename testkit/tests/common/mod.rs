//! Client and modules that the tests share.

#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "these are tests, and each test binary uses a part of it"
)]

pub mod client;
pub mod conformance;
pub mod engine;
pub mod queries;
pub mod world;
