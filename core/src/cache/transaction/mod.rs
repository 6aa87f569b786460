//! Transactions: applying a change in steps, and what it changed.

pub(super) mod apply;
pub(super) mod change;
pub(super) mod diff;
