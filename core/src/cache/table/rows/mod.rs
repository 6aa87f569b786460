//! Rows of a table: their storage, the indexes over them, and the query sets that hold them.
//!
//! # Invariants
//!
//! Every row that views see or may yet see is in all indexes, but for a version with a key that replaces another: it is
//! reached from that one. A chunk has room for the holders of all its slots.

mod reclaim;

use std::sync::Arc;

use super::fault::Fault;
use crate::cache::index::identity::{ByBytes, ByKey, Identity, encodes_as};
use crate::cache::index::{Compare, Indexes};
use crate::cache::membership::sets::{ListId, Member, SetId, Stepper};
use crate::cache::membership::{Dropping, Membership};
use crate::cache::read::snapshot::Snapshot;
use crate::cache::storage::RowStorage;
use crate::cache::storage::pair::Pair;
use crate::cache::storage::row_id::{NO_ROW, RowId};
use crate::cache::storage::stamp::Stamp;
use crate::schema::{Row, TableDef};

/// Rows of a table with what is kept about them.
pub(in crate::cache) struct Rows<R> {
    storage: RowStorage<R>,
    indexes: Indexes<R>,
    membership: Membership,
    is_keyed: bool,
}

/// Reading.
impl<R: Row> Rows<R> {
    pub(in crate::cache) fn new(def: Option<&TableDef>) -> Self {
        let is_keyed = def.is_some_and(|def| def.primary_key.is_some());
        let storage = RowStorage::new(is_keyed);
        let indexes = Indexes::new(def, storage.chunks());
        Self { storage, indexes, membership: Membership::new(), is_keyed }
    }

    #[inline]
    pub(in crate::cache) fn is_keyed(&self) -> bool {
        self.is_keyed
    }

    #[inline]
    pub(in crate::cache) fn storage(&self) -> &RowStorage<R> {
        &self.storage
    }

    #[inline]
    pub(in crate::cache) fn indexes(&self) -> &Indexes<R> {
        &self.indexes
    }

    pub(in crate::cache) fn membership(&self) -> &Membership {
        &self.membership
    }

    /// The live row of this hash for which `is` says yes.
    pub(in crate::cache) fn find_live(&self, hash: u64, is: impl Fn(&R) -> bool) -> Option<RowId> {
        self.indexes.by_identity().find(hash, |id| {
            let mut versions = self.storage.versions(RowId(id));
            versions.find(|&id| self.storage.live_row(id).is_some_and(&is))
        })
    }

    pub(in crate::cache) fn is_encoded_as(&self, id: RowId, bytes: &[u8]) -> bool {
        self.storage.row(id).is_some_and(|row| encodes_as(row, bytes))
    }

    /// Returns `true` if readers do not have the shared part yet.
    pub(in crate::cache) fn is_unpublished(&self) -> bool {
        self.storage.is_unpublished() || self.indexes.is_unpublished()
    }

    /// The part that readers share.
    pub(in crate::cache) fn snapshot(&self) -> Snapshot<R> {
        let (chunks, counts) = self.storage.share();
        Snapshot { chunks, indexes: self.indexes.clone(), counts }
    }

    /// As [`snapshot`](Self::snapshot), for readers who have it then.
    pub(in crate::cache) fn publish(&mut self) -> Snapshot<R> {
        self.storage.published();
        self.indexes.published();
        self.snapshot()
    }
}

/// Putting rows in.
impl<R: Row> Rows<R> {
    /// Makes room in the indexes for a list of `rows` rows, if that is many more than there are; whether it was.
    pub(in crate::cache) fn reserve(&mut self, rows: usize) -> bool {
        self.indexes.reserve(rows, self.is_keyed, self.storage.chunks())
    }

    /// Puts a row into a free slot that was decoded of `size` bytes; `expected` is how many more will come.
    #[inline]
    pub(in crate::cache) fn put(
        &mut self,
        row: R,
        size: usize,
        expected: usize,
    ) -> Result<RowId, Fault> {
        let id = loop {
            match self.storage.alloc() {
                Some(id) => break id,
                None => self.add_chunk(expected)?,
            }
        };
        self.storage.fill(id, row, size);
        Ok(id)
    }

    #[cold]
    fn add_chunk(&mut self, expected: usize) -> Result<(), Fault> {
        let added = self.storage.add_chunk(expected).map_err(Fault::OutOfSync)?;
        self.membership.add_chunk(added.index, added.slots);
        Ok(())
    }

    /// Adds a staged row to the index of identities, or links it to the live row that it replaces.
    #[inline]
    pub(in crate::cache) fn stage<I: Identity<R>>(
        &mut self,
        id: RowId,
        replaced: Option<RowId>,
        hash: u64,
    ) {
        match replaced {
            Some(live) => self.storage.set_newer(live, Some(id)),
            None => self.indexes.insert::<I>(hash, id, self.storage.chunks()),
        }
    }

    /// Adds staged rows to all indexes but that of identities.
    pub(in crate::cache) fn index_further(&mut self, ids: &[u32]) {
        self.indexes.insert_further(ids, self.storage.chunks());
    }

    /// Puts a row into a slot and into all indexes, seen by no view; none if there is no room for it.
    pub(in crate::cache) fn insert(&mut self, row: R, size: usize, hash: u64) -> Option<RowId> {
        let id = self.put(row, size, 1).ok()?;
        let chunks = self.storage.chunks();
        if self.is_keyed {
            self.indexes.insert::<ByKey>(hash, id, chunks);
        } else {
            self.indexes.insert::<ByBytes>(hash, id, chunks);
        }
        self.indexes.insert_further(&[id.0], chunks);
        Some(id)
    }

    /// As [`insert`](Self::insert), seen from the version `at` on, and held as `members` say.
    pub(in crate::cache) fn insert_visible(
        &mut self,
        row: R,
        hash: u64,
        members: &[Member],
        at: Stamp,
    ) -> Option<RowId> {
        let size = RowStorage::encoded_size(&row);
        let id = self.insert(row, size, hash)?;
        self.membership.set_members(id, members);
        self.storage.make_visible(id, at);
        Some(id)
    }

    /// Deletes a live row with the version `at`, and takes it from the sets that hold it. The slot is to be
    /// [retired](Self::retire_later).
    #[inline]
    pub(in crate::cache) fn delete(&mut self, id: RowId, at: Stamp) {
        self.storage.delete(id, at);
        self.membership.release(id);
    }

    /// Undoes [`delete`](Self::delete) of a row that was held as `members` say.
    pub(in crate::cache) fn undo_delete(&mut self, id: RowId, members: &[Member]) {
        self.storage.undo_delete(id);
        self.membership.set_members(id, members);
    }

    /// Adds an index of the client's own, with the rows that are there.
    pub(in crate::cache) fn declare(&mut self, column: u16, compare: Arc<Compare<R>>) {
        let Self { indexes, storage, .. } = self;
        indexes.declare(column, compare, || storage.held_rows(), storage.chunks());
    }

    /// Declares the indexes of another table again, empty.
    pub(in crate::cache) fn declare_as(&mut self, other: &Self) {
        self.indexes.declare_as(&other.indexes, self.storage.chunks());
    }

    /// Forgets lists of holders that no row has.
    pub(in crate::cache) fn sweep_lists(&mut self) {
        self.membership.sweep();
    }

    /// Remembers rows to be retired when no view of a version before `version` is left; their number, and the memory that
    /// they take.
    pub(in crate::cache) fn retire_later(&mut self, version: u64, ids: Vec<u32>) -> (usize, usize) {
        self.storage.retire_later(version, ids)
    }
}

/// Changes under way.
impl<R: Row> Rows<R> {
    /// Adds a row to a set, or takes it from there, once. `false` if that is impossible.
    #[inline]
    pub(in crate::cache) fn step(&mut self, id: RowId, stepper: &mut Stepper) -> bool {
        self.membership.step(id, stepper)
    }

    pub(in crate::cache) fn set_holders(&mut self, id: RowId, list: ListId) {
        self.membership.set_holders(id, list);
    }

    /// Adds a row to sets that do not hold it.
    pub(in crate::cache) fn add_members(&mut self, id: RowId, more: &[Member]) {
        self.membership.add_members(id, more);
    }

    /// Takes all rows of a chunk from a set. Their number, and the live ones with the lists that they had.
    pub(in crate::cache) fn drop_in_chunk(
        &mut self,
        chunk: usize,
        dropping: &mut Dropping,
    ) -> (usize, Vec<(RowId, ListId)>) {
        let mut dropped = self.membership.drop_in_chunk(chunk, dropping);
        let count = dropped.len();
        dropped.retain(|&(id, _)| self.storage.is_live(id));
        (count, dropped)
    }

    /// Makes a change of a row visible from the version `at` on.
    #[inline]
    pub(in crate::cache) fn commit(&mut self, pair: Pair, at: Stamp) {
        if pair.new != NO_ROW {
            self.storage.make_visible(RowId(pair.new), at);
        }
        if pair.old != NO_ROW {
            self.delete(RowId(pair.old), at);
        }
    }

    /// Undoes [`commit`](Self::commit), but for the sets that held the row that left.
    pub(in crate::cache) fn undo_commit(&mut self, pair: Pair) {
        if pair.new != NO_ROW {
            self.storage.undo_make_visible(RowId(pair.new));
        }
        if pair.old != NO_ROW {
            self.storage.undo_delete(RowId(pair.old));
        }
    }

    /// Ends a staged row, which replaces none then. The slot is to be [retired](Self::retire_later).
    pub(in crate::cache) fn discard(&self, pair: Pair) {
        self.storage.discard(RowId(pair.new));
        if pair.old != NO_ROW {
            self.storage.set_newer(RowId(pair.old), None);
        }
    }

    /// Adopts a row of another table, which is in a slot and in all indexes: seen from `created` on, and held as `members`
    /// say.
    pub(in crate::cache) fn adopt_live(&mut self, id: RowId, created: Stamp, members: &[Member]) {
        self.storage.make_visible(id, created);
        self.membership.set_members(id, members);
    }

    /// As [`adopt_live`](Self::adopt_live), of a row that was deleted.
    pub(in crate::cache) fn adopt_deleted(&mut self, id: RowId, created: Stamp, deleted: Stamp) {
        self.storage.make_visible(id, created);
        self.storage.delete(id, deleted);
    }

    /// Takes over the numbers of rows that another table had before a version.
    pub(in crate::cache) fn adopt_counts(&mut self, counts: Vec<(u64, usize)>, version: u64) {
        for (at, count) in counts.into_iter().filter(|entry| entry.0 < version) {
            self.storage.adopt_count(at, count);
        }
        self.note_change(version, 0, true);
    }

    /// Takes a set's rows out of a table that no reader has yet.
    pub(in crate::cache) fn forget_set(&mut self, set: SetId) {
        let mut gone = Vec::new();
        let mut dropping = Dropping::new(set);
        for chunk in 0..self.membership.chunks() {
            for (id, _) in self.membership.drop_in_chunk(chunk, &mut dropping) {
                if !self.membership.is_held(id) {
                    self.storage.delete(id, Stamp::ALWAYS);
                    self.storage.hide_from_all(id);
                    gone.push(id.0);
                }
            }
        }
        self.storage.retire_later(0, gone);
    }

    /// Notes that a version changed rows; `is_counted` if it may have changed their number.
    pub(in crate::cache) fn note_change(&mut self, version: u64, horizon: u64, is_counted: bool) {
        self.storage.note_change(version);
        if is_counted {
            self.storage.note_count(version, horizon);
        }
    }

    pub(in crate::cache) fn expect_row_bytes(&mut self, bytes: usize) {
        self.storage.expect_row_bytes(bytes);
    }
}
