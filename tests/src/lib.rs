//! What the integration tests share.

pub mod chat;
pub mod real;
pub mod target;
