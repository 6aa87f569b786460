//! Calls of a connection: their predicted effects, and the temporary ids in their arguments.

pub(super) mod optimistic;
pub(super) mod temp_ids;
