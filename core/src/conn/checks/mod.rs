//! Checks of bounds and of the ownership of rows, for tests.

pub(super) mod bounds;
pub(super) mod ownership;
