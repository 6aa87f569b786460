//! Lifecycle of the connection: its states, what a lost socket leads to, and the signs of life of an open one.

mod backoff;
pub(super) mod credentials;
pub(super) mod finish;
pub(super) mod liveness;
pub(super) mod phase;
pub(super) mod recovery;
pub(super) mod state;
