//! One table's optimistic rows, and the rows of the server's that they stand in for.

use hashbrown::HashTable;

use super::footprint::{Touched, Touchers, Turn};
use super::writes::Write;
use crate::bsatn::Writer;
use crate::cache::diff::Pair;
use crate::cache::identity::{ByBytes, ByKey, Identity, encodes_as};
use crate::cache::sets::{ListId, SetId};
use crate::cache::slots::{NO_ROW, RowId};
use crate::cache::stamp::Stamp;
use crate::cache::store::TableStore;
use crate::schema::Row;
use crate::wire::RowList;

/// Holds the rows that mutations wrote. No query set has this number: they are counted up from 0.
pub(in crate::cache) const LOCAL: SetId = SetId(u32::MAX);

/// What pending mutations have done to a table.
#[derive(Debug, Default)]
pub(in crate::cache) struct Overlay {
    /// The rows that differ from the server's, by the hashes of what identifies them.
    entries: HashTable<Entry>,
    /// Who read and wrote what.
    pub(super) touched: Touched,
    /// The entries that were lifted for the change under way, with the server's rows that came back.
    pub(super) lifted: Vec<Lifted>,
    /// What writing over the rows of the change under way has changed.
    pub(super) rewritten: Vec<Pair>,
}

/// A row that mutations changed: another than the server's.
#[derive(Debug)]
pub(super) struct Entry {
    hash: u64,
    /// What readers see; [`NO_ROW`] if it was deleted.
    pub(super) shown: u32,
    /// The server's row, if there is one. Either this or `shown` is there.
    parked: Option<Parked>,
}

/// A row of the server's that a mutation's stands in for.
#[derive(Debug)]
struct Parked {
    bytes: Box<[u8]>,
    /// The sets that hold it, and how often.
    members: Box<[(SetId, u32)]>,
}

#[derive(Debug)]
pub(super) struct Lifted {
    pub(super) entry: Entry,
    /// The server's row, in a slot again.
    pub(super) came_back: Option<RowId>,
}

impl Overlay {
    /// Whether mutations have read or written anything.
    pub(in crate::cache) fn is_watched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// Whether rows differ from the server's.
    pub(in crate::cache) fn has_rows(&self) -> bool {
        !self.entries.is_empty()
    }

    /// Tells of each row of the server's that a mutation's stands in for which sets hold it.
    pub(in crate::cache) fn held(&self, count: &mut dyn FnMut(SetId, usize)) {
        for parked in self.entries.iter().filter_map(|entry| entry.parked.as_ref()) {
            parked.members.iter().for_each(|(set, _)| count(*set, 1));
        }
    }

    /// Shows the server's rows that a set holds and that mutations stand in for, and how often it does; in no order.
    pub(in crate::cache) fn parked_of(&self, set: SetId, each: &mut dyn FnMut(&[u8], u32)) {
        for parked in self.entries.iter().filter_map(|entry| entry.parked.as_ref()) {
            if let Some((_, count)) = parked.members.iter().find(|held| held.0 == set) {
                each(&parked.bytes, *count);
            }
        }
    }

    /// A row of this hash was moved to another slot.
    pub(in crate::cache) fn moved(&mut self, hash: u64, old: RowId, new: RowId) {
        if let Some(entry) = self.entries.find_mut(hash, |entry| entry.shown == old.0) {
            entry.shown = new.0;
        }
    }

    fn add(&mut self, entry: Entry) {
        self.entries.insert_unique(entry.hash, entry, |entry| entry.hash);
    }

    fn take(&mut self, hash: u64, is: impl FnMut(&Entry) -> bool) -> Option<Entry> {
        let found = self.entries.find_entry(hash, is).ok()?;
        Some(found.remove().0)
    }
}

/// Changes of the server's.
impl<R: Row> TableStore<R> {
    /// Finds the mutations that have to run again because of rows of a list.
    pub(in crate::cache) fn touching(
        &self,
        rows: &RowList,
        from: usize,
        max: usize,
        found: &mut dyn FnMut(Turn),
    ) {
        if self.is_event() || max == 0 {
            return;
        }
        if from == 0 {
            self.overlay.touched.scanners.iter().copied().for_each(&mut *found);
        }
        let rows = rows.iter_from(from).take(max);
        if self.is_keyed() {
            self.touching_rows::<ByKey>(rows, found);
        } else {
            self.touching_rows::<ByBytes>(rows, found);
        }
    }

    fn touching_rows<'b, I: Identity<R>>(
        &self,
        rows: impl Iterator<Item = &'b [u8]>,
        found: &mut dyn FnMut(Turn),
    ) {
        for bytes in rows {
            // A row that does not decode is found again when it is staged.
            let Ok(probe) = I::probe(bytes) else { continue };
            let row = self.overlay.touched.row(I::hash(&probe, &self.snapshot.hasher));
            row.into_iter().flat_map(Touchers::all).for_each(&mut *found);
        }
    }

    /// Takes the mutations' rows of these hashes away, and puts the server's back, for the version `at`; nobody sees it.
    pub(in crate::cache) fn lift(&mut self, hashes: &[u64], at: Stamp) {
        for &hash in hashes {
            while let Some(entry) = self.overlay.take(hash, |entry| entry.hash == hash) {
                if entry.shown != NO_ROW {
                    self.hide(RowId(entry.shown), at);
                }
                let came_back = entry.parked.as_ref().and_then(|parked| {
                    if self.is_keyed() {
                        self.unpark::<ByKey>(parked, at)
                    } else {
                        self.unpark::<ByBytes>(parked, at)
                    }
                });
                self.overlay.lifted.push(Lifted { entry, came_back });
            }
        }
    }

    /// Undoes [`lift`](Self::lift), after whatever was done since was undone.
    pub(in crate::cache) fn unlift(&mut self) {
        let lifted = core::mem::take(&mut self.overlay.lifted);
        let mut waste = Vec::new();
        for Lifted { entry, came_back } in lifted {
            if let Some(id) = came_back {
                self.kill(id, Stamp::ALWAYS);
                self.set_list(id, ListId::EMPTY);
                waste.push(id.0);
            }
            if entry.shown != NO_ROW {
                let id = RowId(entry.shown);
                self.revive(id);
                let local = self.local_list();
                self.set_list(id, local);
            }
            self.overlay.add(entry);
        }
        self.bury_later(0, waste);
    }

    pub(super) fn row_of(&self, id: u32) -> Option<&R> {
        if id == NO_ROW { None } else { self.slot(RowId(id))?.row() }
    }

    fn unpark<I: Identity<R>>(&mut self, parked: &Parked, at: Stamp) -> Option<RowId> {
        // It was decoded from this, or encoded to it.
        let row = R::decode_row(&parked.bytes).ok()?;
        let list = self.lists.intern_members(&parked.members);
        self.show::<I>(row, list, at).ok()
    }

    /// Puts a row into a slot, from the version `at` on; gives it back if there is no room.
    fn show<I: Identity<R>>(&mut self, row: R, list: ListId, at: Stamp) -> Result<RowId, ()> {
        let hash = I::hash_row(&row, &self.snapshot.hasher, &mut Writer::new());
        let id = self.put(row, 1).map_err(drop)?;
        self.index_row::<I>(hash, id);
        self.index_further(&[id.0]);
        self.set_list(id, list);
        self.bear(id, at);
        Ok(id)
    }

    /// Hides a live row from the version `at` on. Who does it lists it among those that died.
    fn hide(&mut self, id: RowId, at: Stamp) {
        self.kill(id, at);
        self.set_list(id, ListId::EMPTY);
    }

    fn local_list(&mut self) -> ListId {
        self.lists.intern_members(&[(LOCAL, 1)])
    }
}

/// Writes of mutations.
impl<R: Row> TableStore<R> {
    /// Makes the writes of mutations, for the version `at`.
    pub(super) fn overlay_writes(&mut self, writes: Vec<Write<R>>, at: Stamp) {
        for write in writes {
            if self.is_keyed() {
                self.overlay_write::<ByKey>(write, at);
            } else {
                self.overlay_write::<ByBytes>(write, at);
            }
        }
    }

    fn overlay_write<I: Identity<R>>(&mut self, write: Write<R>, at: Stamp) {
        let Write { hash, base, row, is_deleted } = write;
        let mut bytes = Writer::new();
        let Some(subject) = row.as_ref().or_else(|| self.slot(base?)?.row()) else { return };
        subject.encode(&mut bytes);
        let Ok(probe) = I::probe(bytes.as_slice()) else { return };
        let mut entries = core::mem::take(&mut self.overlay.entries);
        let is = |entry: &Entry| entry.hash == hash && self.is_entry_of::<I>(entry, &probe);
        let entry = entries.find_entry(hash, is).ok().map(|found| found.remove().0);
        self.overlay.entries = entries;
        let wanted = row.filter(|_| !is_deleted);
        match entry {
            None => self.overlay_first::<I>(hash, &probe, bytes.as_slice(), wanted, at),
            Some(entry) => self.overlay_again::<I>(entry, bytes.as_slice(), wanted, at),
        }
    }

    fn is_entry_of<I: Identity<R>>(&self, entry: &Entry, probe: &I::Probe<'_>) -> bool {
        match (self.row_of(entry.shown), &entry.parked) {
            (Some(row), _) => I::is(probe, row),
            (None, Some(parked)) => {
                R::decode_row(&parked.bytes).is_ok_and(|row| I::is(probe, &row))
            }
            (None, None) => false,
        }
    }

    /// A row of the server's, or none, gets a write.
    fn overlay_first<I: Identity<R>>(
        &mut self,
        hash: u64,
        probe: &I::Probe<'_>,
        bytes: &[u8],
        wanted: Option<R>,
        at: Stamp,
    ) {
        let live = self.find_live(hash, |row| I::is(probe, row));
        let same =
            live.is_some_and(|id| self.row_of(id.0).is_some_and(|row| encodes_as(row, bytes)));
        if live.is_none() && wanted.is_none() || same && wanted.is_some() {
            return;
        }
        let parked = live.map(|id| self.park(id, at));
        let shown = self.show_local::<I>(wanted, at);
        let old = live.map_or(NO_ROW, |id| id.0);
        self.overlay.rewritten.push(Pair { old, new: shown });
        self.overlay.add(Entry { hash, shown, parked });
    }

    /// A row that has a write gets another.
    fn overlay_again<I: Identity<R>>(
        &mut self,
        mut entry: Entry,
        bytes: &[u8],
        wanted: Option<R>,
        at: Stamp,
    ) {
        let old = entry.shown;
        if wanted.is_some() && self.row_of(old).is_some_and(|row| encodes_as(row, bytes)) {
            return self.overlay.add(entry);
        }
        if old != NO_ROW {
            self.hide(RowId(old), at);
            self.staging.died.push(old);
        }
        let is_parked = |parked: &Parked| wanted.is_some() && *parked.bytes == *bytes;
        let new = if let Some(parked) = entry.parked.take_if(|parked| is_parked(parked)) {
            // As if nobody had ever written it.
            self.unpark::<I>(&parked, at).map_or(NO_ROW, |id| id.0)
        } else {
            entry.shown = self.show_local::<I>(wanted, at);
            let shown = entry.shown;
            if shown != NO_ROW || entry.parked.is_some() {
                self.overlay.add(entry);
            }
            shown
        };
        self.overlay.rewritten.push(Pair { old, new });
    }

    fn show_local<I: Identity<R>>(&mut self, row: Option<R>, at: Stamp) -> u32 {
        let Some(row) = row else { return NO_ROW };
        let local = self.local_list();
        self.show::<I>(row, local, at).map_or(NO_ROW, |id| id.0)
    }

    /// Takes a row of the server's aside.
    fn park(&mut self, id: RowId, at: Stamp) -> Parked {
        let mut bytes = Writer::new();
        if let Some(row) = self.row_of(id.0) {
            row.encode(&mut bytes);
        }
        let members = self.lists.members(self.list(id)).into();
        self.hide(id, at);
        self.staging.died.push(id.0);
        Parked { bytes: bytes.as_slice().into(), members }
    }

    /// Whether the row of this hash for which `is` says yes is a mutation's.
    pub(super) fn shows_local(&self, hash: u64, is: impl Fn(&R) -> bool) -> bool {
        let is = |entry: &Entry| entry.hash == hash && self.row_of(entry.shown).is_some_and(&is);
        self.overlay.entries.find(hash, is).is_some()
    }
}
