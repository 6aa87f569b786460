//! A table as readers have it: slots and indexes, shared with the writer.
//!
//! What changes all the time (slots, what is in the indexes) is shared and changes under the readers' eyes, seen or not
//! by their version. What changes rarely (which chunks and shards there are) is replaced as a whole.

use core::any::Any;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::bsatn::Writer;
use crate::cache::index::Indexes;
use crate::cache::storage::slots::{Chunks, RowId};
use crate::cache::storage::stamp::Stamp;
use crate::schema::Row;

/// Shared part of a table: rows, indexes, and numbers of rows by version.
pub(in crate::cache) struct Snapshot<R> {
    pub(in crate::cache) chunks: Arc<Chunks<R>>,
    pub(in crate::cache) indexes: Indexes<R>,
    pub(in crate::cache) lens: Arc<Lens>,
}

/// Number of a table's rows in each version that a reader may look at.
#[derive(Debug, Default)]
pub(in crate::cache) struct Lens(Mutex<VecDeque<(u64, usize)>>);

impl Lens {
    pub(in crate::cache) fn at(&self, version: u64) -> usize {
        let lens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = lens.partition_point(|entry| entry.0 <= version);
        behind.checked_sub(1).and_then(|last| lens.get(last)).map_or(0, |&(_, len)| len)
    }

    /// Notes the length from `version` on, and forgets what no view of `horizon` or later asks for.
    pub(in crate::cache) fn note(&self, version: u64, len: usize, horizon: u64) {
        let mut lens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while lens.get(1).is_some_and(|entry| entry.0 <= horizon) {
            lens.pop_front();
        }
        lens.push_back((version, len));
    }
}

impl Lens {
    /// From which version on there are how many rows, oldest first.
    pub(in crate::cache) fn entries(&self) -> Vec<(u64, usize)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
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
        self.lens.at(version)
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
