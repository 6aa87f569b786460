//! What the tests share: a client, and a module with one table of each kind.

#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test binary uses a part of it")]

pub mod client;
pub mod world;
