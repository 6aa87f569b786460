//! Recorded sessions.

pub(crate) mod record;
pub(crate) mod replay;
