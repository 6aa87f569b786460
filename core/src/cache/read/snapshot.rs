//! A table as readers have it: slots and indexes, shared with the writer.
//!
//! Slots and entries of indexes, which change all the time, are shared with the writer: a version decides whether a reader
//! sees a change. The lists of chunks and shards, which change rarely, are replaced as a whole.

use core::any::Any;
use std::sync::Arc;

use crate::bsatn::Writer;
use crate::cache::index::Indexes;
use crate::cache::storage::chunks::Chunks;
use crate::cache::storage::row_counts::RowCounts;
use crate::cache::storage::row_id::RowId;
use crate::cache::storage::stamp::Stamp;
use crate::schema::Row;

/// Shared part of a table: rows, indexes, and numbers of rows by version.
pub(in crate::cache) struct Snapshot<R> {
    pub(in crate::cache) chunks: Arc<Chunks<R>>,
    pub(in crate::cache) indexes: Indexes<R>,
    pub(in crate::cache) counts: Arc<RowCounts>,
}

/// A [`Snapshot`] of whatever row type.
pub(in crate::cache) trait AnySnapshot: Any + Send + Sync {
    /// Number of rows that a view of `version` sees.
    fn len(&self, version: u64) -> usize;

    /// The slots of the rows that a view sees.
    fn visible(&self, at: Stamp) -> Vec<RowId>;

    /// Shows the encoding of each row that a view sees.
    fn encode_rows(&self, at: Stamp, each: &mut dyn FnMut(&[u8]));

    /// Writes the encoding of the row in a slot, seen or not; whether there is one.
    fn encode_row(&self, id: RowId, out: &mut Writer) -> bool;
}

impl<R: Row> AnySnapshot for Snapshot<R> {
    fn len(&self, version: u64) -> usize {
        self.counts.at(version)
    }

    fn visible(&self, at: Stamp) -> Vec<RowId> {
        let chunks = (0..self.chunks.len()).map(|chunk| (chunk, self.chunks.slots(chunk)));
        let slots = chunks.flat_map(|(chunk, slots)| {
            slots.iter().enumerate().map(move |(slot, row)| (RowId::new(chunk, slot), row))
        });
        slots.filter(|(_, slot)| slot.visible(at).is_some()).map(|(id, _)| id).collect()
    }

    fn encode_rows(&self, at: Stamp, each: &mut dyn FnMut(&[u8])) {
        let mut out = Writer::new();
        for chunk in 0..self.chunks.len() {
            for row in self.chunks.slots(chunk).iter().filter_map(|slot| slot.visible(at)) {
                out.clear();
                row.encode(&mut out);
                each(out.as_slice());
            }
        }
    }

    fn encode_row(&self, id: RowId, out: &mut Writer) -> bool {
        let row = self.chunks.row(id);
        row.inspect(|row| row.encode(out)).is_some()
    }
}
