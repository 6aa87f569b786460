//! What integration tests stand on, beside the client and the test kit.

pub mod real;
