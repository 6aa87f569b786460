//! Membership: which query sets hold each row of a table, and how often.
//!
//! # Invariants
//!
//! A slot without a row that a set holds has the empty list. Every change of a slot's list goes through
//! [`Membership::set_holders`], which keeps the number of rows of each list.

pub(super) mod sets;

use self::sets::{ListId, Member, SetId, SetLists, Stepper};
use crate::cache::storage::row_id::RowId;

/// Holders of a table's rows: an interned list of sets and multiplicities for each slot.
#[derive(Debug)]
pub(in crate::cache) struct Membership {
    lists: SetLists,
    /// By chunk and slot.
    by_slot: Vec<Box<[ListId]>>,
}

impl Membership {
    pub(in crate::cache) fn new() -> Self {
        Self { lists: SetLists::new(), by_slot: Vec::new() }
    }

    /// Makes room for the slots of a new chunk, whose index is a gap or the next one.
    pub(in crate::cache) fn add_chunk(&mut self, chunk: usize, slots: usize) {
        let empty = vec![ListId::EMPTY; slots].into();
        match self.by_slot.get_mut(chunk) {
            Some(gap) => *gap = empty,
            None => self.by_slot.push(empty),
        }
    }

    pub(in crate::cache) fn remove_chunk(&mut self, chunk: usize) {
        self.by_slot[chunk] = Box::default();
    }

    /// List of the sets that hold a row.
    #[inline]
    pub(in crate::cache) fn holders(&self, id: RowId) -> ListId {
        self.by_slot[id.chunk()][id.slot()]
    }

    /// Replaces the list of the sets that hold a row.
    #[inline]
    pub(in crate::cache) fn set_holders(&mut self, id: RowId, list: ListId) {
        let held = &mut self.by_slot[id.chunk()][id.slot()];
        self.lists.move_row(*held, list);
        *held = list;
    }

    /// Takes a row from all sets that hold it.
    #[inline]
    pub(in crate::cache) fn release(&mut self, id: RowId) {
        self.set_holders(id, ListId::EMPTY);
    }

    #[inline]
    pub(in crate::cache) fn is_held(&self, id: RowId) -> bool {
        self.holders(id) != ListId::EMPTY
    }

    /// Moves the holders of one slot's row to a slot that has none.
    #[inline]
    pub(in crate::cache) fn relocate(&mut self, from: RowId, to: RowId) {
        let list = core::mem::replace(&mut self.by_slot[from.chunk()][from.slot()], ListId::EMPTY);
        self.by_slot[to.chunk()][to.slot()] = list;
    }

    /// Adds a row to a set, or takes it from there, once. `false` if that is impossible.
    #[inline]
    pub(in crate::cache) fn step(&mut self, id: RowId, stepper: &mut Stepper) -> bool {
        let before = self.holders(id);
        let next = stepper.next(&mut self.lists, before);
        if let Some(list) = next {
            self.set_holders(id, list);
        }
        next.is_some()
    }

    /// Sets that hold a row, and how often.
    #[inline]
    pub(in crate::cache) fn members(&self, id: RowId) -> &[Member] {
        self.lists.members(self.holders(id))
    }

    /// Replaces the sets that hold a row.
    pub(in crate::cache) fn set_members(&mut self, id: RowId, members: &[Member]) {
        let list = self.lists.intern_members(members);
        self.set_holders(id, list);
    }

    /// Adds a row to sets that do not hold it.
    pub(in crate::cache) fn add_members(&mut self, id: RowId, more: &[Member]) {
        let list = self.lists.with(self.holders(id), more);
        self.set_holders(id, list);
    }

    /// Takes all rows of a chunk from a set. The rows that it held, with the lists that they had.
    pub(in crate::cache) fn drop_in_chunk(
        &mut self,
        chunk: usize,
        dropping: &mut Dropping,
    ) -> Vec<(RowId, ListId)> {
        let mut dropped = Vec::new();
        for (slot, held) in self.by_slot[chunk].iter_mut().enumerate() {
            if *held == ListId::EMPTY {
                continue;
            }
            let Some(without) = dropping.without(&mut self.lists, *held) else { continue };
            dropped.push((RowId::new(chunk, slot), *held));
            self.lists.move_row(*held, without);
            *held = without;
        }
        dropped
    }

    pub(in crate::cache) fn chunks(&self) -> usize {
        self.by_slot.len()
    }

    /// Rows that a set holds, and how often.
    pub(in crate::cache) fn rows_of(&self, set: SetId) -> impl Iterator<Item = (RowId, u32)> {
        self.by_slot.iter().enumerate().flat_map(move |(chunk, lists)| {
            lists.iter().enumerate().filter_map(move |(slot, &list)| {
                let members = self.lists.members(list);
                let (_, count) = members.iter().find(|member| member.0 == set)?;
                Some((RowId::new(chunk, slot), *count))
            })
        })
    }

    /// Returns `true` if the set holds any row.
    pub(in crate::cache) fn holds_any(&self, set: SetId) -> bool {
        self.lists.any_names(set)
    }

    /// Counts the rows of each set, by lists: a set may be named several times.
    pub(in crate::cache) fn count_rows(&self, count: &mut dyn FnMut(SetId, usize)) {
        self.lists.held(count);
    }

    /// Forgets lists that no row has, if they take much. No list id may be remembered outside of the slots.
    pub(in crate::cache) fn sweep(&mut self) {
        self.lists.sweep();
    }
}

/// Takes rows from one set, most of which have the same list.
#[derive(Debug)]
pub(in crate::cache) struct Dropping {
    set: SetId,
    last: Option<(ListId, Option<ListId>)>,
}

impl Dropping {
    pub(in crate::cache) fn new(set: SetId) -> Self {
        Self { set, last: None }
    }

    /// `list` without the set; none if it does not name it.
    fn without(&mut self, lists: &mut SetLists, list: ListId) -> Option<ListId> {
        match self.last {
            Some((known, without)) if known == list => without,
            _ => {
                let without = lists.without(list, self.set);
                self.last = Some((list, without));
                without
            }
        }
    }
}
