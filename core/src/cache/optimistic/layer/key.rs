//! A row that mutations wrote: its versions, the server's row, and what readers see.

use super::stack::{Packed, Stack};
use crate::bsatn::Reader;
use crate::cache::index::identity::encodes_as;
use crate::cache::membership::sets::SetId;
use crate::cache::optimistic::ids::Turn;
use crate::cache::storage::pair::Pair;
use crate::cache::storage::row_id::RowId;
use crate::schema::Row;

/// A row that mutations wrote.
#[derive(Debug)]
pub(in crate::cache::optimistic) struct Key<R> {
    hash: u64,
    stack: Stack<R>,
    place: Place<R>,
    /// Server's row before and after the change under way, with the position among the table's pairs.
    change: Option<(usize, Pair)>,
    is_listed: bool,
}

/// Place of the server's row, with the row that readers see.
#[derive(Debug)]
pub(in crate::cache::optimistic) enum Place<R> {
    /// The server's row, if there is one, is in a slot as any other, and seen.
    Bare,
    /// Readers see a mutation's row, or [none](NO_ROW), and the server's is here.
    Shadowed { shown: u32, server: Option<Shadowed<R>> },
    /// As before, but for the time of a change the server's row is in a slot again.
    Lifted { shown: u32, server: Option<Shadowed<R>>, came_back: Option<RowId> },
}

/// A row of the server's in whose place readers see another.
#[derive(Debug)]
pub(in crate::cache::optimistic) struct Shadowed<R> {
    pub(in crate::cache::optimistic) row: Packed<R>,
    /// The sets that hold it, and how often.
    pub(in crate::cache::optimistic) members: Box<[(SetId, u32)]>,
}

impl<R: Row> Key<R> {
    pub(super) fn new(hash: u64) -> Self {
        Self { hash, stack: Stack::new(), place: Place::Bare, change: None, is_listed: false }
    }

    pub(in crate::cache::optimistic) fn hash(&self) -> u64 {
        self.hash
    }

    pub(in crate::cache::optimistic) fn place(&self) -> &Place<R> {
        &self.place
    }

    /// Takes the place out, which is bare then.
    pub(in crate::cache::optimistic) fn take_place(&mut self) -> Place<R> {
        core::mem::replace(&mut self.place, Place::Bare)
    }

    pub(in crate::cache::optimistic) fn set_place(&mut self, place: Place<R>) {
        self.place = place;
    }

    pub(in crate::cache::optimistic) fn stack(&self) -> &Stack<R> {
        &self.stack
    }

    pub(in crate::cache::optimistic) fn stack_mut(&mut self) -> &mut Stack<R> {
        &mut self.stack
    }

    pub(in crate::cache::optimistic) fn set_change(&mut self, change: (usize, Pair)) {
        self.change = Some(change);
    }

    /// Returns a test that holds for this row.
    pub(in crate::cache::optimistic) fn identity(
        &self,
        is_keyed: bool,
    ) -> Option<impl Fn(&R) -> bool + use<'_, R>> {
        Some(identity_of(self.stack.witness()?.bytes(), is_keyed))
    }

    pub(in crate::cache::optimistic) fn change(&self) -> Option<(usize, Pair)> {
        self.change
    }

    /// Notes that the change under way has to do with it; whether that is news.
    pub(super) fn list(&mut self) -> bool {
        !core::mem::replace(&mut self.is_listed, true)
    }

    /// The change under way is over.
    pub(super) fn unlist(&mut self) {
        (self.change, self.is_listed) = (None, false);
    }

    /// A row was moved to another slot.
    pub(super) fn moved(&mut self, old: RowId, new: RowId) {
        if let Place::Shadowed { shown, .. } | Place::Lifted { shown, .. } = &mut self.place
            && *shown == old.0
        {
            *shown = new.0;
        }
    }

    /// Row that a mutation of this turn finds, if it is not the one in the slots: see [`Layer::below`](super::Layer::below).
    pub(super) fn packed_below(&self, turn: Turn) -> Option<Option<&Packed<R>>> {
        match (self.stack.below(turn), &self.place) {
            (Some(version), _) => Some(version.seen()),
            (None, Place::Shadowed { server, .. }) => Some(server.as_ref().map(|it| &it.row)),
            (None, Place::Bare | Place::Lifted { .. }) => None,
        }
    }
}

/// Returns a test that holds for the row with this encoding.
pub(super) fn identity_of<R: Row>(bytes: &[u8], is_keyed: bool) -> impl Fn(&R) -> bool {
    let key = if is_keyed { R::decode_key(&mut Reader::new(bytes)).ok() } else { None };
    move |row| if is_keyed { key.as_ref() == Some(row.key()) } else { encodes_as(row, bytes) }
}

/// Compares two encoded rows by what identifies them.
pub(super) fn same_identity<R: Row>(one: &[u8], other: &[u8], is_keyed: bool) -> bool {
    let key = |bytes| R::decode_key(&mut Reader::new(bytes));
    if is_keyed {
        matches!((key(one), key(other)), (Ok(one), Ok(other)) if one == other)
    } else {
        one == other
    }
}
