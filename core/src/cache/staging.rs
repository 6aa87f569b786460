//! What a message that is being staged has done to a table.

use super::diff::Pair;
use super::sets::ListId;
use super::slots::RowId;

/// What a message has done to a table so far.
#[derive(Debug)]
pub(super) struct Staging<R> {
    /// Rows that came, with the live rows that they replace; once settled, all changes.
    pub(super) pairs: Vec<Pair>,
    /// The list that a live row had before each change of it.
    pub(super) log: Vec<(RowId, ListId)>,
    /// Rows that came and went, and those of messages that failed.
    pub(super) waste: Vec<u32>,
    /// Rows of an event table.
    pub(super) events: Vec<R>,
    pub(super) settling: Settling,
    /// How many pairs are committed.
    pub(super) committed: usize,
    /// The rows that left, as far as they are committed.
    pub(super) died: Vec<u32>,
}

/// How far settling has come.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Settling {
    /// How many of the rows that came were looked at, and how many of them stay.
    pub(super) looked_at: usize,
    pub(super) kept: usize,
    /// Whether all were: then `log` is next.
    pub(super) came_done: bool,
    pub(super) log_at: usize,
}

impl<R> Staging<R> {
    pub(super) fn new() -> Self {
        Self {
            pairs: Vec::new(),
            log: Vec::new(),
            waste: Vec::new(),
            events: Vec::new(),
            settling: Settling::default(),
            committed: 0,
            died: Vec::new(),
        }
    }
}
