//! One table's optimistic rows, and the rows of the server's that they stand in for.

use foldhash::{HashMap, HashSet};

use super::MutationId;
use super::writes::Write;
use crate::bsatn::Writer;
use crate::cache::diff::Pair;
use crate::cache::identity::{ByBytes, ByKey, Identity, encodes_as};
use crate::cache::sets::{ListId, SetId};
use crate::cache::slots::{NO_ROW, RowId, SlotState};
use crate::cache::stamp::Stamp;
use crate::cache::store::TableStore;
use crate::schema::Row;
use crate::wire::RowList;

/// Holds the rows that mutations wrote. No query set has this number: they are counted up from 0.
const LOCAL: SetId = SetId(u32::MAX);

/// What pending mutations have done to a table.
#[derive(Debug, Default)]
pub(in crate::cache) struct Overlay {
    /// The rows that differ from the server's, in the order of the writes.
    entries: Vec<Entry>,
    /// The hashes of all rows that mutations read or wrote.
    watched: HashSet<u64>,
    /// Whether a mutation looked at all rows.
    scanned: bool,
    /// The entries that were lifted for the change under way, with the server's rows that came back.
    lifted: Vec<Lifted>,
    /// What writing over the rows of the change under way has changed.
    rewritten: Vec<Pair>,
}

/// A row that mutations changed.
#[derive(Debug)]
struct Entry {
    hash: u64,
    /// What readers see; [`NO_ROW`] if it was deleted.
    shown: u32,
    /// The server's row, if there is one. Either this or `shown` is there.
    parked: Option<Parked>,
    by: Vec<MutationId>,
}

/// A row of the server's that a mutation's stands in for.
#[derive(Debug)]
struct Parked {
    bytes: Box<[u8]>,
    /// The sets that hold it, and how often.
    members: Box<[(SetId, u32)]>,
}

#[derive(Debug)]
struct Lifted {
    entry: Entry,
    /// The server's row, in a slot again.
    came_back: Option<RowId>,
}

impl Overlay {
    /// Whether mutations have read or written anything.
    pub(in crate::cache) fn is_watched(&self) -> bool {
        self.scanned || !self.watched.is_empty()
    }

    /// Whether rows differ from the server's.
    pub(in crate::cache) fn has_rows(&self) -> bool {
        !self.entries.is_empty()
    }

    /// Shows the server's rows that a set holds and that mutations stand in for, and how often it does.
    pub(in crate::cache) fn parked_of(&self, set: SetId, each: &mut dyn FnMut(&[u8], u32)) {
        for parked in self.entries.iter().filter_map(|entry| entry.parked.as_ref()) {
            if let Some((_, count)) = parked.members.iter().find(|held| held.0 == set) {
                each(&parked.bytes, *count);
            }
        }
    }

    /// Forgets what mutations have read and written: they are about to run again.
    pub(in crate::cache) fn unwatch(&mut self) {
        self.watched.clear();
        self.scanned = false;
    }

    /// Notes what a mutation has read.
    pub(in crate::cache) fn watch(&mut self, hashes: impl IntoIterator<Item = u64>, scanned: bool) {
        self.watched.extend(hashes);
        self.scanned |= scanned;
    }

    /// A row was moved to another slot.
    pub(in crate::cache) fn moved(&mut self, old: RowId, new: RowId) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.shown == old.0) {
            entry.shown = new.0;
        }
    }
}

/// Changes of the server's.
impl<R: Row> TableStore<R> {
    /// Whether rows of a list are such that a mutation has to run again.
    pub(in crate::cache) fn touches_overlay(
        &self,
        rows: &RowList,
        from: usize,
        max: usize,
    ) -> bool {
        let overlay = &self.overlay;
        if overlay.scanned {
            return max > 0;
        }
        if overlay.watched.is_empty() || self.is_event() {
            return false;
        }
        let rows = rows.iter_from(from).take(max);
        if self.is_keyed() {
            self.any_watched::<ByKey>(rows)
        } else {
            self.any_watched::<ByBytes>(rows)
        }
    }

    fn any_watched<'b, I: Identity<R>>(&self, mut rows: impl Iterator<Item = &'b [u8]>) -> bool {
        rows.any(|bytes| {
            // A row that does not decode is found again when it is staged.
            I::probe(bytes).is_ok_and(|probe| {
                self.overlay.watched.contains(&I::hash(&probe, &self.snapshot.hasher))
            })
        })
    }

    /// Takes the mutations' rows away, and puts the server's back, for the version `at`; nobody sees it.
    pub(in crate::cache) fn lift(&mut self, at: Stamp) {
        let entries = core::mem::take(&mut self.overlay.entries);
        for entry in entries {
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
            self.overlay.entries.push(entry);
        }
        self.bury_later(0, waste);
    }

    /// Brings what was lifted, what the change did, and what was written over it to one list of changes: from what was
    /// seen before it to what is seen after it.
    pub(in crate::cache) fn rebase(&mut self) {
        let lifted = core::mem::take(&mut self.overlay.lifted);
        let rewritten = core::mem::take(&mut self.overlay.rewritten);
        if lifted.is_empty() && rewritten.is_empty() {
            return;
        }
        self.staging
            .died
            .extend(lifted.iter().map(|lifted| lifted.entry.shown).filter(|&id| id != NO_ROW));
        let pairs = core::mem::take(&mut self.staging.pairs);
        self.staging.pairs = if self.is_keyed() {
            self.net::<ByKey>(lifted, pairs, &rewritten)
        } else {
            self.net::<ByBytes>(lifted, pairs, &rewritten)
        };
        self.staging.committed = self.staging.pairs.len();
    }

    fn net<I: Identity<R>>(
        &self,
        lifted: Vec<Lifted>,
        pairs: Vec<Pair>,
        rewritten: &[Pair],
    ) -> Vec<Pair> {
        let mut nets = Nets::default();
        for Lifted { entry, came_back } in lifted {
            let new = came_back.map_or(NO_ROW, |id| id.0);
            nets.add::<R, I>(self, Pair { old: entry.shown, new });
        }
        // Their rows may be among those of the change, and must be found there.
        let lifts = nets.list.len();
        for &pair in rewritten {
            if nets.find::<R, I>(self, pair).is_none() {
                nets.add::<R, I>(self, pair);
            }
        }
        let mut rest = Vec::with_capacity(pairs.len());
        for pair in pairs {
            match nets.find::<R, I>(self, pair) {
                Some(at) if at < lifts || nets.list[at].is_changed => {
                    nets.list[at].pair.new = pair.new;
                }
                Some(at) => {
                    // Seen before the change, as it was.
                    nets.list[at].pair = pair;
                    nets.list[at].is_changed = true;
                }
                None => rest.push(pair),
            }
        }
        for &pair in rewritten {
            if let Some(at) = nets.find::<R, I>(self, pair) {
                nets.list[at].pair.new = pair.new;
            }
        }
        rest.extend(nets.list.iter().map(|net| net.pair).filter(|&pair| self.is_seen(pair)));
        rest
    }

    /// Whether readers notice.
    fn is_seen(&self, Pair { old, new }: Pair) -> bool {
        match (self.row_of(old), self.row_of(new)) {
            (Some(old), Some(new)) => !super::writes::encode_alike(old, new),
            (None, None) => false,
            _ => true,
        }
    }

    fn row_of(&self, id: u32) -> Option<&R> {
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

/// Changes of one row, one after the other.
#[derive(Default)]
struct Nets {
    list: Vec<Net>,
    by_hash: HashMap<u64, Vec<u32>>,
}

struct Net {
    pair: Pair,
    /// Any slot whose row says which row it is.
    witness: u32,
    is_changed: bool,
}

impl Nets {
    fn witness(pair: Pair) -> u32 {
        if pair.old == NO_ROW { pair.new } else { pair.old }
    }

    fn add<R: Row, I: Identity<R>>(&mut self, store: &TableStore<R>, pair: Pair) {
        let witness = Self::witness(pair);
        // A deleted row that came back as nothing.
        let Some(row) = store.row_of(witness) else { return };
        let hash = I::hash_row(row, &store.snapshot.hasher, &mut Writer::new());
        self.by_hash.entry(hash).or_default().push(self.list.len() as u32);
        self.list.push(Net { pair, witness, is_changed: false });
    }

    fn find<R: Row, I: Identity<R>>(&self, store: &TableStore<R>, pair: Pair) -> Option<usize> {
        let row = store.row_of(Self::witness(pair))?;
        let mut bytes = Writer::new();
        let hash = I::hash_row(row, &store.snapshot.hasher, &mut bytes);
        let same_hash = self.by_hash.get(&hash)?;
        bytes.clear();
        row.encode(&mut bytes);
        let probe = I::probe(bytes.as_slice()).ok()?;
        let is = |at: &&u32| {
            let other = store.row_of(self.list[**at as usize].witness);
            other.is_some_and(|other| I::is(&probe, other))
        };
        same_hash.iter().find(is).map(|&at| at as usize)
    }
}

/// Writes of mutations.
impl<R: Row> TableStore<R> {
    /// Makes the writes of mutations, for the version `at`.
    pub(super) fn overlay_writes(&mut self, writes: Vec<Write<R>>, at: Stamp) {
        for write in writes {
            self.overlay.watched.insert(write.hash);
            if self.is_keyed() {
                self.overlay_write::<ByKey>(write, at);
            } else {
                self.overlay_write::<ByBytes>(write, at);
            }
        }
    }

    fn overlay_write<I: Identity<R>>(&mut self, write: Write<R>, at: Stamp) {
        let Write { hash, base, row, is_deleted, by } = write;
        let mut bytes = Writer::new();
        let Some(subject) = row.as_ref().or_else(|| self.slot(base?)?.row()) else { return };
        subject.encode(&mut bytes);
        let Ok(probe) = I::probe(bytes.as_slice()) else { return };
        let entry = self
            .overlay
            .entries
            .iter()
            .position(|entry| entry.hash == hash && self.is_entry_of::<I>(entry, &probe));
        let wanted = row.filter(|_| !is_deleted);
        match entry {
            None => self.overlay_first::<I>(hash, &probe, bytes.as_slice(), wanted, by, at),
            Some(entry) => self.overlay_again::<I>(entry, bytes.as_slice(), wanted, by, at),
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
        by: Vec<MutationId>,
        at: Stamp,
    ) {
        let live = self.snapshot.primary.find(hash, |id| {
            let slot = self.slot(RowId(id)).filter(|slot| slot.state() == SlotState::Live)?;
            I::is(probe, slot.row()?).then_some(RowId(id))
        });
        let same =
            live.is_some_and(|id| self.row_of(id.0).is_some_and(|row| encodes_as(row, bytes)));
        if live.is_none() && wanted.is_none() || same && wanted.is_some() {
            return;
        }
        let parked = live.map(|id| self.park(id, at));
        let shown = self.show_local::<I>(wanted, at);
        let old = live.map_or(NO_ROW, |id| id.0);
        self.overlay.rewritten.push(Pair { old, new: shown });
        self.overlay.entries.push(Entry { hash, shown, parked, by });
    }

    /// A row that has a write gets another.
    fn overlay_again<I: Identity<R>>(
        &mut self,
        entry: usize,
        bytes: &[u8],
        wanted: Option<R>,
        by: Vec<MutationId>,
        at: Stamp,
    ) {
        let old = self.overlay.entries[entry].shown;
        self.overlay.entries[entry].by.extend(by);
        let same = self.row_of(old).is_some_and(|row| encodes_as(row, bytes));
        if same && wanted.is_some() {
            return;
        }
        if old != NO_ROW {
            self.hide(RowId(old), at);
            self.staging.died.push(old);
        }
        let shown = self.show_local::<I>(wanted, at);
        self.overlay.rewritten.push(Pair { old, new: shown });
        let slot = &mut self.overlay.entries[entry];
        slot.shown = shown;
        if shown == NO_ROW && slot.parked.is_none() {
            self.overlay.entries.remove(entry);
        }
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

    /// Who wrote the row of this hash, for which `is` says yes.
    pub(super) fn pending_by(&self, hash: u64, is: impl Fn(&R) -> bool) -> Option<&[MutationId]> {
        let entries = self.overlay.entries.iter();
        let mut of_hash = entries.filter(|entry| entry.hash == hash);
        let entry = of_hash.find(|entry| self.row_of(entry.shown).is_some_and(&is))?;
        Some(&entry.by)
    }
}
