//! Reference counts of rows by query set.

pub(super) mod sets;
