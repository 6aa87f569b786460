//! An ordered index: row ids in the order of some of their rows' columns, and by id where those are equal.
//!
//! Ids lie in sorted blocks behind one lock, which a reader holds while it copies out a bounded number of them. It
//! goes on behind the last one it got: a row that a view has come across stays in its slot while the view is held, so
//! its place in the order is known even if its id has left the index.
//!
//! Comparing rows is the caller's business, and may be inconsistent: then the order is, and nothing else.

use core::cmp::Ordering;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::cache::storage::chunks::Chunks;
use crate::cache::storage::row_id::RowId;

/// Number of ids in a block before it splits.
const BLOCK_IDS_MAX: usize = 512;
/// Two neighbours that together hold fewer ids become one block.
const MERGE_BELOW: usize = BLOCK_IDS_MAX / 4;

pub(in crate::cache) struct OrderedIndex<R> {
    columns: &'static [u16],
    sorted: RwLock<Sorted<R>>,
}

pub(in crate::cache) struct Sorted<R> {
    /// None is empty.
    blocks: Vec<Vec<u32>>,
    /// The rows of all ids in the blocks. A reader's own list may be older and lack some.
    chunks: Arc<Chunks<R>>,
}

/// Numbers of ids copied out at once: the first time, since many ranges are short, and later.
const FIRST_BATCH_IDS: usize = 8;
const BATCH_IDS: usize = 64;

/// Ids that a reader copied out of an index.
pub(in crate::cache) struct Batch<R> {
    ids: [u32; BATCH_IDS],
    len: usize,
    /// `true` if there may be more behind them.
    full: bool,
    /// Has the rows of all of them, and keeps those: the reader's own list may lack some, and the index's may lose
    /// them.
    chunks: Option<Arc<Chunks<R>>>,
}

impl<R> Batch<R> {
    pub(in crate::cache) const fn new() -> Self {
        Self { ids: [0; BATCH_IDS], len: 0, full: true, chunks: None }
    }

    pub(in crate::cache) fn ids(&self) -> &[u32] {
        &self.ids[..self.len]
    }

    /// Returns `true` if there may be more behind these.
    pub(in crate::cache) fn is_full(&self) -> bool {
        self.full
    }

    /// Returns `true` if nothing was copied yet.
    pub(in crate::cache) fn is_new(&self) -> bool {
        self.chunks.is_none()
    }

    fn last_row(&self) -> Option<(u32, &R)> {
        let &last = self.ids().last()?;
        Some((last, self.chunks.as_ref()?.row(RowId(last))?))
    }

    fn clear(&mut self) {
        (self.len, self.full) = (0, false);
    }
}

/// A place in the blocks.
#[derive(Debug, Clone, Copy)]
struct Place {
    block: usize,
    at: usize,
}

impl<R> OrderedIndex<R> {
    pub(in crate::cache) fn new(columns: &'static [u16], chunks: Arc<Chunks<R>>) -> Self {
        Self { columns, sorted: RwLock::new(Sorted { blocks: Vec::new(), chunks }) }
    }

    pub(in crate::cache) fn columns(&self) -> &'static [u16] {
        self.columns
    }

    // What can panic under the lock is a row's own comparison, before anything is changed.
    fn read(&self) -> RwLockReadGuard<'_, Sorted<R>> {
        self.sorted.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Sorted<R>> {
        self.sorted.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the index the list in which all ids that it has, or gets next, are found.
    pub(in crate::cache) fn set_chunks(&self, chunks: &Arc<Chunks<R>>) {
        let mut sorted = self.write();
        if !Arc::ptr_eq(&sorted.chunks, chunks) {
            sorted.chunks = Arc::clone(chunks);
        }
    }

    /// Adds ids, whose rows the list of [`set_chunks`](Self::set_chunks) has.
    pub(in crate::cache) fn insert(&self, ids: &[u32], compare: impl Fn(&R, &R) -> Ordering) {
        // Neighbours in order are neighbours in memory: one after the other is much faster than as they come.
        let chunks = Arc::clone(&self.read().chunks);
        for id in merge_sorted(ids, |a, b| compare_ids(&chunks, a, b, &compare).is_le()) {
            let place =
                self.read().place(|other| compare_ids(&chunks, other, id, &compare).is_lt());
            self.write().insert(place, id);
        }
    }

    /// Removes an id, whose row is still in its slot.
    pub(in crate::cache) fn remove(&self, id: u32, compare: impl Fn(&R, &R) -> Ordering) {
        let place = {
            let sorted = self.read();
            let place =
                sorted.place(|other| compare_ids(&sorted.chunks, other, id, &compare).is_lt());
            match sorted.get(place) {
                Some(found) if found == id => Some(place),
                // An inconsistent order hides an id; it must go all the same.
                _ => sorted.search(id),
            }
        };
        if let Some(place) = place {
            self.write().remove(place);
        }
    }

    /// Copies out ids in order, starting with the first whose row `before` says no to; yes must not follow no.
    ///
    /// Ids that come in between later are missed, which is right: a view does not see them.
    pub(in crate::cache) fn copy_from(&self, batch: &mut Batch<R>, before: impl Fn(&R) -> bool) {
        let sorted = self.read();
        let place = sorted.place(|id| sorted.chunks.row(RowId(id)).is_some_and(&before));
        sorted.copy(place, batch, FIRST_BATCH_IDS);
    }

    /// Copies out ids in order, starting behind the last of `batch`.
    pub(in crate::cache) fn copy_behind(
        &self,
        batch: &mut Batch<R>,
        compare: impl Fn(&R, &R) -> Ordering,
    ) {
        let sorted = self.read();
        let Some((last, last_row)) = batch.last_row() else { return batch.clear() };
        let place = sorted.place(|id| {
            let row = sorted.chunks.row(RowId(id));
            row.is_some_and(|row| compare(row, last_row).then(id.cmp(&last)).is_le())
        });
        sorted.copy(place, batch, BATCH_IDS);
    }

    /// All ids, in order.
    #[cfg(test)]
    pub(in crate::cache) fn ids(&self) -> Vec<u32> {
        self.read().blocks.iter().flatten().copied().collect()
    }
}

impl<R> Sorted<R> {
    /// The first place that does not lie before what is looked for.
    fn place(&self, before: impl Fn(u32) -> bool) -> Place {
        let block = self.blocks.partition_point(|block| block.last().is_some_and(|&id| before(id)));
        let at = self.blocks.get(block).map_or(0, |block| block.partition_point(|&id| before(id)));
        Place { block, at }
    }

    fn get(&self, place: Place) -> Option<u32> {
        self.blocks.get(place.block)?.get(place.at).copied()
    }

    fn copy(&self, place: Place, batch: &mut Batch<R>, limit: usize) {
        let rest = self.blocks.get(place.block..).unwrap_or_default();
        let found = rest.iter().flatten().skip(place.at);
        batch.len = batch.ids[..limit].iter_mut().zip(found).map(|(to, &id)| *to = id).count();
        batch.full = batch.len == limit;
        batch.chunks = Some(Arc::clone(&self.chunks));
    }

    fn search(&self, id: u32) -> Option<Place> {
        let mut blocks = self.blocks.iter().enumerate();
        blocks.find_map(|(block, ids)| {
            let at = ids.iter().position(|&other| other == id)?;
            Some(Place { block, at })
        })
    }

    fn insert(&mut self, place: Place, id: u32) {
        // Behind the last block is at the end of the last block.
        let (block, at) = match self.blocks.len().checked_sub(1) {
            None => {
                self.blocks.push(Vec::new());
                (0, 0)
            }
            Some(last) if place.block > last => (last, self.blocks[last].len()),
            Some(_) => (place.block, place.at),
        };
        let ids = &mut self.blocks[block];
        ids.insert(at, id);
        if ids.len() > BLOCK_IDS_MAX {
            // Rows that come in order leave full blocks behind.
            let keep = if at + 1 == ids.len() { BLOCK_IDS_MAX } else { BLOCK_IDS_MAX / 2 };
            let rest = ids.split_off(keep);
            self.blocks.insert(block + 1, rest);
        }
    }

    fn remove(&mut self, place: Place) {
        let Some(ids) = self.blocks.get_mut(place.block) else { return };
        if place.at < ids.len() {
            ids.remove(place.at);
        }
        let len = ids.len();
        if len == 0 {
            self.blocks.remove(place.block);
        } else if let Some(next) = self.blocks.get(place.block + 1)
            && len + next.len() < MERGE_BELOW
        {
            let next = self.blocks.remove(place.block + 1);
            self.blocks[place.block].extend(next);
        } else if let Some(ids) = self.blocks.get_mut(place.block)
            && ids.capacity() > 4 * len
        {
            ids.shrink_to(2 * len);
        }
    }
}

/// By the rows, then by id. Ids without a row are not compared by any caller; they would come last.
fn compare_ids<R>(
    chunks: &Chunks<R>,
    a: u32,
    b: u32,
    compare: &impl Fn(&R, &R) -> Ordering,
) -> Ordering {
    let rows = match (chunks.row(RowId(a)), chunks.row(RowId(b))) {
        (Some(a), Some(b)) => compare(a, b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    rows.then(a.cmp(&b))
}

/// Sorts `ids`. The standard library's sorts may panic where an order is inconsistent, which a row's may be.
fn merge_sorted(ids: &[u32], in_order: impl Fn(u32, u32) -> bool) -> Vec<u32> {
    let (mut from, mut to) = (ids.to_vec(), Vec::with_capacity(ids.len()));
    let mut width = 1;
    while width < from.len() {
        for pair in from.chunks(2 * width) {
            let (mut left, mut right) = pair.split_at(width.min(pair.len()));
            while let (Some(&a), Some(&b)) = (left.first(), right.first()) {
                if in_order(a, b) {
                    to.push(a);
                    left = &left[1..];
                } else {
                    to.push(b);
                    right = &right[1..];
                }
            }
            to.extend_from_slice(left);
            to.extend_from_slice(right);
        }
        core::mem::swap(&mut from, &mut to);
        to.clear();
        width *= 2;
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: &[u32]) -> Arc<Chunks<u32>> {
        let mut chunks = Chunks::new();
        for (chunk, values) in values.chunks(1024).enumerate() {
            chunks.add(chunk, 1024, false);
            for (slot, &value) in values.iter().enumerate() {
                assert!(chunks.slots(chunk)[slot].put(value));
            }
        }
        Arc::new(chunks)
    }

    fn shuffled(count: u32) -> Vec<u32> {
        (0..count).map(|i| i.wrapping_mul(7919) % count / 2).collect()
    }

    #[test]
    fn ids_stand_in_the_order_of_their_rows() {
        let values = shuffled(3000);
        let index = OrderedIndex::new(&[0], rows(&values));
        let ids: Vec<u32> = (0..3000).collect();
        ids.chunks(70).for_each(|ids| index.insert(ids, u32::cmp));
        let mut expected = ids;
        expected.sort_by_key(|&id| (values[id as usize], id));
        assert_eq!(index.ids(), expected);
        for id in (0..3000).filter(|id| id % 5 != 0) {
            index.remove(id, u32::cmp);
        }
        expected.retain(|id| id % 5 == 0);
        assert_eq!(index.ids(), expected);
    }

    #[test]
    fn copying_goes_on_behind_the_last_row() {
        let values = shuffled(2000);
        let index = OrderedIndex::new(&[0], rows(&values));
        index.insert(&(0..2000).collect::<Vec<_>>(), u32::cmp);
        let mut batch = Batch::new();
        index.copy_from(&mut batch, |row| *row < 100);
        let mut seen = batch.ids().to_vec();
        while batch.is_full() {
            index.copy_behind(&mut batch, u32::cmp);
            seen.extend_from_slice(batch.ids());
        }
        assert_eq!(seen, index.ids()[200..]);
    }

    #[test]
    fn an_inconsistent_order_loses_no_id() {
        let index = OrderedIndex::new(&[0], rows(&shuffled(2000)));
        let never_equal = |_: &u32, _: &u32| Ordering::Less;
        index.insert(&(0..2000).collect::<Vec<_>>(), never_equal);
        for id in 0..2000 {
            index.remove(id, |a: &u32, b: &u32| b.cmp(a));
        }
        assert!(index.ids().is_empty());
    }
}
