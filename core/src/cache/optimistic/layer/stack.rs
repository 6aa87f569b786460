//! Version stack of one row: a version for each pending mutation that wrote it, one over the other.

use core::cell::OnceCell;
use std::collections::VecDeque;

use crate::cache::index::identity::encodes_as;
use crate::cache::optimistic::ids::Turn;
use crate::guard::{Fenced, ROW_TYPE};
use crate::schema::Row;

/// An encoded row, decoded when it is first read.
#[derive(Debug)]
pub(in crate::cache::optimistic) struct Packed<R> {
    bytes: Box<[u8]>,
    row: OnceCell<Option<Fenced<R>>>,
}

impl<R: Row> Packed<R> {
    pub(in crate::cache::optimistic) fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.into(), row: OnceCell::new() }
    }

    /// A row with its encoding.
    pub(in crate::cache::optimistic) fn of(bytes: &[u8], row: Fenced<R>) -> Self {
        Self { bytes: bytes.into(), row: OnceCell::from(Some(row)) }
    }

    pub(in crate::cache::optimistic) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes the decoded row out; it is decoded again if it is asked for again. None if its type does not decode what
    /// it encodes.
    pub(in crate::cache::optimistic) fn take(&mut self) -> Option<R> {
        let row = self.row.take().flatten().and_then(Fenced::into_inner);
        row.or_else(|| R::decode_row(&self.bytes).ok())
    }

    pub(in crate::cache::optimistic) fn row(&self) -> Option<&R> {
        let decode = || R::decode_row(&self.bytes).ok().map(|row| Fenced::new(ROW_TYPE, row));
        self.row.get_or_init(decode).as_ref()?.get()
    }
}

/// A row at some turn, wherever it lies.
#[derive(Debug)]
pub(in crate::cache::optimistic) enum Seen<'a, R> {
    InSlot(&'a R),
    Packed(&'a Packed<R>),
}

impl<R> Clone for Seen<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Seen<'_, R> {}

impl<'a, R: Row> Seen<'a, R> {
    pub(in crate::cache::optimistic) fn get(self) -> Option<&'a R> {
        match self {
            Self::InSlot(row) => Some(row),
            Self::Packed(packed) => packed.row(),
        }
    }

    /// Returns `true` if this is the encoding of the row.
    pub(in crate::cache::optimistic) fn encodes_as(self, bytes: &[u8]) -> bool {
        match self {
            Self::InSlot(row) => encodes_as(row, bytes),
            Self::Packed(packed) => packed.bytes() == bytes,
        }
    }
}

/// Version of a row that one mutation wrote.
#[derive(Debug)]
pub(in crate::cache::optimistic) struct Version<R> {
    turn: Turn,
    /// The row; of one that was deleted, the last of which that is known.
    row: Packed<R>,
    is_deleted: bool,
    /// It does not count any more, once the change under way is made.
    is_withdrawn: bool,
}

impl<R: Row> Version<R> {
    pub(in crate::cache::optimistic) fn new(turn: Turn, row: Packed<R>, is_deleted: bool) -> Self {
        Self { turn, row, is_deleted, is_withdrawn: false }
    }

    pub(in crate::cache::optimistic) fn turn(&self) -> Turn {
        self.turn
    }

    /// The row; none if it was deleted.
    pub(in crate::cache::optimistic) fn seen(&self) -> Option<&Packed<R>> {
        (!self.is_deleted).then_some(&self.row)
    }

    fn comes_to(&self, other: &Self) -> bool {
        self.is_deleted == other.is_deleted
            && (self.is_deleted || self.row.bytes() == other.row.bytes())
    }
}

/// The versions of one row, in the order of turns.
#[derive(Debug)]
pub(in crate::cache::optimistic) struct Stack<R> {
    versions: VecDeque<Version<R>>,
}

impl<R: Row> Stack<R> {
    pub(in crate::cache::optimistic) fn new() -> Self {
        Self { versions: VecDeque::with_capacity(1) }
    }

    /// Returns `true` if there is no version, not even one that is withdrawn.
    pub(in crate::cache::optimistic) fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }

    /// Some row of this identity.
    pub(in crate::cache::optimistic) fn witness(&self) -> Option<&Packed<R>> {
        self.versions.front().map(|version| &version.row)
    }

    /// The version that readers see.
    pub(in crate::cache::optimistic) fn top(&self) -> Option<&Version<R>> {
        self.versions.iter().rev().find(|version| !version.is_withdrawn)
    }

    pub(in crate::cache::optimistic) fn top_mut(&mut self) -> Option<&mut Version<R>> {
        self.versions.iter_mut().rev().find(|version| !version.is_withdrawn)
    }

    /// The first turn that wrote the row.
    pub(in crate::cache::optimistic) fn first(&self) -> Option<Turn> {
        self.versions.iter().find(|version| !version.is_withdrawn).map(|version| version.turn)
    }

    /// The version that a mutation of this turn finds.
    pub(in crate::cache::optimistic) fn below(&self, turn: Turn) -> Option<&Version<R>> {
        let at = self.versions.partition_point(|version| version.turn < turn);
        self.versions.range(..at).rev().find(|version| !version.is_withdrawn)
    }

    /// The next turn that wrote the row.
    pub(in crate::cache::optimistic) fn next(&self, turn: Turn) -> Option<Turn> {
        let at = self.versions.partition_point(|version| version.turn <= turn);
        let later = self.versions.range(at..).find(|version| !version.is_withdrawn);
        later.map(|version| version.turn)
    }

    /// The version of this turn, withdrawn or not.
    pub(in crate::cache::optimistic) fn at(&self, turn: Turn) -> Option<&Version<R>> {
        self.versions.get(self.place(turn).ok()?)
    }

    fn place(&self, turn: Turn) -> Result<usize, usize> {
        if self.versions.back().is_none_or(|last| last.turn < turn) {
            return Err(self.versions.len());
        }
        self.versions.binary_search_by_key(&turn, |version| version.turn)
    }

    /// Returns `true` if the turn has a version that comes to the same.
    pub(in crate::cache::optimistic) fn has(&self, version: &Version<R>) -> bool {
        self.at(version.turn).is_some_and(|known| !known.is_withdrawn && known.comes_to(version))
    }

    /// Puts a version in the place of the one that this turn has, if any, which is returned.
    pub(in crate::cache::optimistic) fn put(&mut self, version: Version<R>) -> Option<Version<R>> {
        match self.place(version.turn) {
            Ok(at) => Some(core::mem::replace(&mut self.versions[at], version)),
            Err(at) => {
                self.versions.insert(at, version);
                None
            }
        }
    }

    /// Marks the version of this turn as withdrawn, or not; whether there is one of which that is news.
    pub(in crate::cache::optimistic) fn set_withdrawn(
        &mut self,
        turn: Turn,
        is_withdrawn: bool,
    ) -> bool {
        let Ok(at) = self.place(turn) else { return false };
        let was = core::mem::replace(&mut self.versions[at].is_withdrawn, is_withdrawn);
        was != is_withdrawn
    }

    /// Removes the version of this turn.
    pub(in crate::cache::optimistic) fn remove(&mut self, turn: Turn) {
        if let Ok(at) = self.place(turn) {
            self.versions.remove(at);
        }
    }

    /// The turns that have versions, withdrawn or not.
    pub(in crate::cache::optimistic) fn turns(&self) -> impl Iterator<Item = Turn> {
        self.versions.iter().map(|version| version.turn)
    }
}

impl<R: Row> Version<R> {
    /// Takes the decoded row out, to be put into a slot.
    pub(in crate::cache::optimistic) fn take(&mut self) -> Option<R> {
        if self.is_deleted { None } else { self.row.take() }
    }
}
