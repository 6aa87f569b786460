//! Slot of a row, with the stamps that decide which views see it.

use spin::Once;

use super::stamp::{AtomicStamp, Stamp};
use crate::guard::{self, ROW_TYPE};

/// A place for one row.
///
/// | created | deleted   | the row is |
/// | ------- | --------- | --- |
/// | `NEVER` | `NEVER`   | staged, or there is none |
/// | a point | `NEVER`   | live |
/// | a point | a point   | deleted, and seen by views in between |
/// | `NEVER` | `ALWAYS`  | retired: seen by no view, its memory still to be freed |
#[derive(Debug)]
pub(in crate::cache) struct Slot<R> {
    row: Once<R>,
    created: AtomicStamp,
    deleted: AtomicStamp,
}

impl<R> Slot<R> {
    pub(super) fn new() -> Self {
        Self {
            row: Once::new(),
            created: AtomicStamp::new(Stamp::NEVER),
            deleted: AtomicStamp::new(Stamp::NEVER),
        }
    }

    /// The row, whether or not anybody may see it.
    #[inline]
    pub(in crate::cache) fn row(&self) -> Option<&R> {
        self.row.get()
    }

    /// The row, if views of version `at` see it.
    #[inline]
    pub(in crate::cache) fn visible(&self, at: Stamp) -> Option<&R> {
        if self.is_visible(at) { self.row.get() } else { None }
    }

    #[inline]
    pub(in crate::cache) fn is_visible(&self, at: Stamp) -> bool {
        let deleted = self.deleted.get();
        // Nearly all rows are not dead.
        self.created.get().reached(at) && (deleted == Stamp::NEVER || !deleted.reached(at))
    }

    /// State of the slot, as the writer sees it.
    #[inline]
    pub(in crate::cache) fn state(&self) -> SlotState {
        match (self.created.get(), self.deleted.get()) {
            (Stamp::NEVER, Stamp::NEVER) => SlotState::Staged,
            (_, Stamp::NEVER) => SlotState::Live,
            _ => SlotState::Deleted,
        }
    }

    /// Puts a row into a free slot; `false` if it is not free. Only the table's writer does, so no thread ever spins here.
    pub(in crate::cache) fn put(&self, row: R) -> bool {
        let mut is_free = false;
        self.row.call_once(|| {
            is_free = true;
            row
        });
        is_free
    }

    pub(in crate::cache) fn created(&self) -> Stamp {
        self.created.get()
    }

    pub(in crate::cache) fn deleted(&self) -> Stamp {
        self.deleted.get()
    }

    pub(in crate::cache) fn set_created(&self, at: Stamp) {
        self.created.set(at);
    }

    pub(in crate::cache) fn set_deleted(&self, at: Stamp) {
        self.deleted.set(at);
    }

    /// Hides the row from all views, for good. None may see it any more, unless the row was never visible.
    pub(in crate::cache) fn set_retired(&self) {
        self.created.set(Stamp::NEVER);
        self.deleted.set(Stamp::ALWAYS);
    }

    /// Frees the slot and hands out what was in it.
    pub(in crate::cache) fn take(&mut self) -> Option<R> {
        self.created.set(Stamp::NEVER);
        self.deleted.set(Stamp::NEVER);
        core::mem::take(&mut self.row).try_into_inner()
    }

    /// Takes over the row of another slot, which is free then, and hands out its own. All views see the one, and none
    /// the other.
    pub(super) fn take_over(&mut self, from: &mut Self) -> Option<R> {
        core::mem::swap(&mut self.row, &mut from.row);
        self.created.set(Stamp::ALWAYS);
        self.deleted.set(Stamp::NEVER);
        from.take()
    }
}

/// A chunk goes with its last holder, which may be any reader: a row that panics takes neither that along nor its
/// neighbours.
impl<R> Drop for Slot<R> {
    fn drop(&mut self) {
        if core::mem::needs_drop::<R>() && self.row.is_completed() {
            let dropped = guard::catch(|| self.row = Once::new());
            guard::note_failed_drop::<R>(ROW_TYPE, dropped);
        }
    }
}

/// State of a slot, as the writer sees it. See [`Slot`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cache) enum SlotState {
    Staged,
    Live,
    Deleted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_is_visible_from_insert_to_delete() {
        let slot = Slot::new();
        assert!(slot.put("row"));
        assert!(!slot.put("another"));
        let at = |version| slot.visible(Stamp::of(version)).is_some();
        assert_eq!(slot.state(), SlotState::Staged);
        assert!(!at(3));
        slot.set_created(Stamp::of(3));
        assert_eq!(slot.state(), SlotState::Live);
        assert!(!at(2) && at(3) && at(4));
        slot.set_deleted(Stamp::of(4));
        assert_eq!(slot.state(), SlotState::Deleted);
        assert!(!at(2) && at(3) && !at(4));
        slot.set_retired();
        assert!(!at(3) && !at(4));
    }

    /// Eight bytes a slot beside the row and what `Once` needs to know whether it is there.
    const _: () = assert!(size_of::<Slot<[u64; 10]>>() == 80 + 8 + 8);
}
