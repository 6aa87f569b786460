//! Births and deaths of a table's rows. Everything that stamps a slot goes through here, so that it is known which
//! chunks are settled.

use super::slots::RowId;
use super::stamp::Stamp;
use crate::cache::table::store::TableStore;
use crate::schema::Row;

impl<R: Row> TableStore<R> {
    /// Makes a staged row live, from the version `at` on.
    #[inline]
    pub(in crate::cache) fn bear(&mut self, id: RowId, at: Stamp) {
        let Some(slot) = self.slot(id) else { return };
        slot.set_born(at);
        self.sides[id.chunk()].live += 1;
        self.len += 1;
    }

    /// Undoes [`bear`](Self::bear).
    pub(in crate::cache) fn unbear(&mut self, id: RowId) {
        let Some(slot) = self.slot(id) else { return };
        slot.set_born(Stamp::NEVER);
        self.sides[id.chunk()].live -= 1;
        self.len -= 1;
    }

    /// Ends the life of a live row with the version `at`.
    #[inline]
    pub(in crate::cache) fn kill(&mut self, id: RowId, at: Stamp) {
        let side = &mut self.sides[id.chunk()];
        if side.settled {
            side.settled = false;
            self.chunks.set_settled(id.chunk(), false);
        }
        let Some(slot) = self.slot(id) else { return };
        slot.set_died(at);
        self.sides[id.chunk()].live -= 1;
        self.len -= 1;
    }

    /// Undoes [`kill`](Self::kill).
    pub(in crate::cache) fn revive(&mut self, id: RowId) {
        let Some(slot) = self.slot(id) else { return };
        slot.set_died(Stamp::NEVER);
        self.sides[id.chunk()].live += 1;
        self.len += 1;
    }

    /// Ends a staged row, which nobody has seen.
    pub(in crate::cache) fn discard(&self, id: RowId) {
        if let Some(slot) = self.slot(id) {
            slot.set_died(Stamp::ALWAYS);
        }
    }

    /// Marks chunks in which every slot has a live row, if no view of a version before `horizon` is left, and nothing
    /// is staged or committed by halves.
    pub(in crate::cache) fn settle_chunks(&mut self, horizon: u64) {
        if self.changed_at > horizon {
            return;
        }
        for chunk in core::mem::take(&mut self.reclaiming.full) {
            let side = &mut self.sides[chunk as usize];
            // One that is not full of live rows is listed again when it is full again.
            if side.slots > 0 && side.live == side.slots {
                side.settled = true;
                self.chunks.set_settled(chunk as usize, true);
            }
        }
    }
}
