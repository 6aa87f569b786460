//! Recorded sessions: files of what a client and a server said to each other, how they are made, and how they are played back.

pub(crate) mod file;
pub(crate) mod player;
pub(crate) mod proxy;
mod redact;
