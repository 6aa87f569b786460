//! Calls of a connection: the temporary ids in their arguments.

pub(super) mod temp_ids;
