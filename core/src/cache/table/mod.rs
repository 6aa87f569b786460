//! Tables: storage, indexes, membership and the write set of the change under way.

pub(super) mod any;
pub(super) mod diagnose;
pub(super) mod find;
pub(super) mod guess;
pub(super) mod raw;
pub(super) mod reclaim;
pub(super) mod settle;
pub(super) mod stage;
pub(super) mod staging;
pub(super) mod store;
