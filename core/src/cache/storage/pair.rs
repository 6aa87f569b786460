//! Changes of rows, by their slots.

/// A row that came, a row that left, or both: see [`NO_ROW`](super::row_id::NO_ROW).
#[derive(Debug, Clone, Copy)]
pub(in crate::cache) struct Pair {
    pub(in crate::cache) old: u32,
    pub(in crate::cache) new: u32,
}
