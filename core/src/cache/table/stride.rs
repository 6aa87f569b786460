//! Prediction of the next row's slot in a list.

use crate::cache::storage::row_id::RowId;

/// Predictor of the next row's slot: as far from the last one as that is from the one before.
///
/// A server lists the deletes and the inserts of its updates in different orders, but in stretches of each the rows lie
/// one behind the other, there as here. There it costs less to compare a row's key than to look the key up.
#[derive(Debug, Default)]
pub(in crate::cache) struct StridePredictor {
    last: Option<RowId>,
    before: Option<RowId>,
}

impl StridePredictor {
    /// Notes where a row was.
    pub(in crate::cache) fn learn(&mut self, found: Option<RowId>) {
        self.before = core::mem::replace(&mut self.last, found);
    }

    /// Predicted slot of the next row.
    pub(in crate::cache) fn next(&self) -> Option<RowId> {
        let (last, before) = (self.last?.0, self.before?.0);
        Some(RowId(last.wrapping_add(last.wrapping_sub(before))))
    }
}
