//! Sockets: handshakes, frames, what is read and written.

pub(crate) mod connection;
mod frames;
pub(crate) mod handshake;
pub(crate) mod outbox;
mod reader;
mod writer;
