//! Query sets of a connection: resync after a reconnect, and verification on demand.

mod net;
pub(super) mod resync;
pub(super) mod verify;
