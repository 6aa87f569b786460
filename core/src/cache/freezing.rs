//! The pass that stamps old rows: see [`Stamp`](super::storage::stamp::Stamp).

use super::TableId;
use super::storage::stamp::FREEZE_EVERY;
use super::tables::TableSet;

/// Progress of stamping old rows.
#[derive(Debug)]
pub(super) struct Freezing {
    /// The version at which the next pass starts.
    due: u64,
    /// The next chunk, while a pass is under way.
    at: Option<(u32, usize)>,
}

impl Freezing {
    pub(super) fn new(version: u64) -> Self {
        Self { due: version + FREEZE_EVERY, at: None }
    }

    /// Goes on with a pass that is under way, or is due at `version`. No view is older than `horizon`.
    pub(super) fn step(
        &mut self,
        version: u64,
        horizon: u64,
        tables: &TableSet,
        budget: &mut usize,
    ) {
        /// Cost of a pass over a chunk, in rows applied.
        const CHUNK_COST: usize = 64;
        if version >= self.due && self.at.is_none() {
            *self = Self { due: version + FREEZE_EVERY, at: Some((0, 0)) };
        }
        while *budget > 0
            && let Some((table, chunk)) = self.at
        {
            *budget = budget.saturating_sub(CHUNK_COST);
            self.at = tables.get(TableId(table)).map(|store| {
                if store.freeze(chunk, horizon) { (table, chunk + 1) } else { (table + 1, 0) }
            });
        }
    }
}
