//! Messages of the server on their way into the cache: received, decoded, turned into changes, and applied in steps.

pub(super) mod changes;
pub(super) mod inbox;
pub(super) mod messages;
pub(super) mod receiving;
pub(super) mod vacuum;
