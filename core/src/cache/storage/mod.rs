//! Row storage: slots in chunks, stamps, vacuum, compaction.

pub(super) mod fold;
pub(super) mod life;
pub(super) mod reclaim;
pub(super) mod slots;
pub(super) mod stamp;
pub(super) mod weigh;
