//! The rows of one table that pending mutations wrote, and who read what of it.
//!
//! Each row that was written is a [`Key`]: a stack of versions over the server's row. A mutation finds the version below
//! its turn, or the server's row where there is none; readers see the topmost. Whatever the change under way does here
//! is logged, so that it can be undone.

pub(super) mod any;
pub(super) mod key;
pub(super) mod row_identity;
pub(super) mod stack;

use std::collections::BTreeSet;

use foldhash::HashMap;
use foldhash::fast::RandomState;
use hashbrown::HashTable;

use self::key::{Key, Place, identity_of, same_identity};
use self::row_identity::{encode_alike, identity_hash, same_row};
use self::stack::{Packed, Seen, Version};
use super::footprint::{Span, Watchers};
use super::ids::{KeyId, Turn};
use crate::cache::index::Indexes;
use crate::cache::membership::sets::SetId;
use crate::cache::read::snapshot::Snapshot;
use crate::cache::storage::chunks::Chunks;
use crate::cache::storage::pair::Pair;
use crate::cache::storage::row_id::{NO_ROW, RowId};
use crate::cache::storage::stamp::Stamp;
use crate::cache::table::rows::Rows;
use crate::schema::Row;

/// Writes of pending mutations to one table, and the index of what they read.
#[derive(Debug)]
pub(in crate::cache) struct Layer<R> {
    is_keyed: bool,
    hasher: RandomState,
    keys: HashMap<KeyId, Key<R>>,
    by_hash: HashTable<(u64, KeyId)>,
    next: u64,
    watchers: Watchers,
    /// Undo log of the change under way.
    log: Vec<Logged<R>>,
    /// The keys with which the change under way has to do.
    listed: Vec<KeyId>,
}

#[derive(Debug)]
enum Logged<R> {
    Put(KeyId, Turn, Option<Version<R>>),
    Withdrawn(KeyId, Turn),
}

/// A write of a mutation that ran.
#[derive(Debug)]
pub(in crate::cache::optimistic) struct Written<R> {
    pub(in crate::cache::optimistic) hash: u64,
    pub(in crate::cache::optimistic) row: Packed<R>,
    pub(in crate::cache::optimistic) is_deleted: bool,
}

/// The rows under a layer, as the change under way leaves them.
pub(in crate::cache::optimistic) struct Ground<'s, R> {
    chunks: &'s Chunks<R>,
    indexes: &'s Indexes<R>,
    at: Stamp,
}

impl<'s, R: Row> Ground<'s, R> {
    pub(in crate::cache::optimistic) fn of(snapshot: &'s Snapshot<R>, at: Stamp) -> Self {
        Self { chunks: &snapshot.chunks, indexes: &snapshot.indexes, at }
    }

    pub(in crate::cache::optimistic) fn of_rows(rows: &'s Rows<R>, at: Stamp) -> Self {
        Self { chunks: rows.storage().chunks(), indexes: rows.indexes(), at }
    }

    /// The server's row of a key that has no other one in the slots.
    fn row_of(&self, key: &Key<R>, is_keyed: bool) -> Option<RowId> {
        let is = identity_of::<R>(key.stack().witness()?.bytes(), is_keyed);
        self.indexes.by_identity().find(key.hash(), |id| {
            let (id, row) = self.chunks.version(RowId(id), self.at)?;
            is(row).then_some(id)
        })
    }

    /// The server's row under a key.
    fn under<'a>(&'a self, key: &'a Key<R>, is_keyed: bool) -> Option<Seen<'a, R>> {
        let id = match (key.change(), key.place()) {
            (Some((_, change)), _) => (change.new != NO_ROW).then_some(RowId(change.new)),
            (None, Place::Shadowed { server, .. }) => {
                return server.as_ref().map(|server| Seen::Packed(&server.row));
            }
            (None, Place::Lifted { came_back, .. }) => *came_back,
            (None, Place::Bare) => self.row_of(key, is_keyed),
        };
        self.chunks.row(id?).map(Seen::InSlot)
    }
}

fn comes_to_same<R: Row>(old: Option<Seen<'_, R>>, new: Option<Seen<'_, R>>) -> bool {
    match (old, new) {
        (Some(old), Some(Seen::Packed(new))) => old.encodes_as(new.bytes()),
        (Some(Seen::Packed(old)), Some(new)) => new.encodes_as(old.bytes()),
        (Some(Seen::InSlot(old)), Some(Seen::InSlot(new))) => encode_alike(old, new),
        (None, None) => true,
        _ => false,
    }
}

/// Reading.
impl<R: Row> Layer<R> {
    pub(in crate::cache) fn new(is_keyed: bool, hasher: RandomState) -> Self {
        Self {
            is_keyed,
            hasher,
            keys: HashMap::default(),
            by_hash: HashTable::new(),
            next: 0,
            watchers: Watchers::default(),
            log: Vec::new(),
            listed: Vec::new(),
        }
    }

    pub(in crate::cache::optimistic) fn watchers(&self) -> &Watchers {
        &self.watchers
    }

    fn watchers_mut(&mut self) -> &mut Watchers {
        &mut self.watchers
    }

    pub(in crate::cache::optimistic) fn key(&self, id: KeyId) -> Option<&Key<R>> {
        self.keys.get(&id)
    }

    pub(in crate::cache::optimistic) fn key_mut(&mut self, id: KeyId) -> Option<&mut Key<R>> {
        self.keys.get_mut(&id)
    }

    pub(in crate::cache::optimistic) fn keys(&self) -> impl Iterator<Item = (KeyId, &Key<R>)> {
        self.keys.iter().map(|(&id, key)| (id, key))
    }

    /// The keys of this hash.
    pub(in crate::cache::optimistic) fn of_hash(&self, hash: u64) -> impl Iterator<Item = KeyId> {
        self.by_hash.iter_hash(hash).filter(move |entry| entry.0 == hash).map(|entry| entry.1)
    }

    /// The key of a row of this hash for which `is` says yes.
    pub(in crate::cache::optimistic) fn find(
        &self,
        hash: u64,
        is: impl Fn(&R) -> bool,
    ) -> Option<KeyId> {
        self.of_hash(hash).find(|id| {
            let witness = self.keys.get(id).and_then(|key| key.stack().witness());
            witness.and_then(Packed::row).is_some_and(&is)
        })
    }

    /// The key of an encoded row of this hash.
    pub(in crate::cache::optimistic) fn find_encoded(
        &self,
        hash: u64,
        bytes: &[u8],
    ) -> Option<KeyId> {
        self.of_hash(hash).find(|id| {
            let witness = self.keys.get(id).and_then(|key| key.stack().witness());
            witness.is_some_and(|row| same_identity::<R>(row.bytes(), bytes, self.is_keyed))
        })
    }

    /// Row that a mutation of this turn finds at a key: `None` if that is what the slots have, `Some(None)` if there is no
    /// row.
    pub(in crate::cache::optimistic) fn below(
        &self,
        key: KeyId,
        turn: Turn,
    ) -> Option<Option<&Packed<R>>> {
        self.keys.get(&key)?.packed_below(turn)
    }

    /// The rows that a mutation of this turn finds and that are not what the slots have.
    pub(in crate::cache::optimistic) fn rows_below(
        &self,
        turn: Turn,
    ) -> impl Iterator<Item = (KeyId, &R)> {
        self.keys.iter().filter_map(move |(&id, key)| {
            let row = key.packed_below(turn)??;
            Some((id, row.row()?))
        })
    }

    /// Returns `true` if a mutation of this turn must not see a row that is in a slot.
    pub(in crate::cache::optimistic) fn hides(&self, row: &R, turn: Turn) -> bool {
        if self.keys.is_empty() {
            return false;
        }
        let hash = identity_hash(row, self.is_keyed, &self.hasher);
        let is = |other: &R| same_row(row, other, self.is_keyed);
        self.find(hash, is).is_some_and(|key| self.below(key, turn).is_some())
    }
}

/// Writing.
impl<R: Row> Layer<R> {
    /// Adds the write of a mutation that runs for the first time: of the last one.
    pub(in crate::cache::optimistic) fn push(&mut self, turn: Turn, written: Written<R>) -> KeyId {
        let id = self.key_for(&written);
        let Written { row, is_deleted, .. } = written;
        self.put(id, Version::new(turn, row, is_deleted));
        id
    }

    fn put(&mut self, id: KeyId, version: Version<R>) {
        let Some(key) = self.keys.get_mut(&id) else { return };
        let turn = version.turn();
        let before = key.stack_mut().put(version);
        self.log.push(Logged::Put(id, turn, before));
        self.list(id);
    }

    fn key_for(&mut self, written: &Written<R>) -> KeyId {
        let hash = written.hash;
        if let Some(known) = self.find_encoded(hash, written.row.bytes()) {
            return known;
        }
        let id = KeyId(self.next);
        self.next += 1;
        self.keys.insert(id, Key::new(hash));
        self.by_hash.insert_unique(hash, (hash, id), |entry| entry.0);
        id
    }

    /// Takes a mutation's version of a row away, and finds those for whom that makes a difference.
    pub(in crate::cache::optimistic) fn withdraw(
        &mut self,
        id: KeyId,
        turn: Turn,
        ground: &Ground<'_, R>,
        found: &mut BTreeSet<Turn>,
    ) {
        let Some(key) = self.keys.get_mut(&id) else { return };
        if !key.stack_mut().set_withdrawn(turn, true) {
            return;
        }
        self.log.push(Logged::Withdrawn(id, turn));
        self.list(id);
        let Some(key) = self.keys.get(&id) else { return };
        let old = key.stack().at(turn).and_then(Version::seen).map(Seen::Packed);
        let new = self.below_or_server(key, turn, ground);
        self.changed(key, turn, [old, new], found);
    }

    /// Row that a mutation of this turn finds at a key.
    fn below_or_server<'a>(
        &'a self,
        key: &'a Key<R>,
        turn: Turn,
        ground: &'a Ground<'_, R>,
    ) -> Option<Seen<'a, R>> {
        match key.stack().below(turn) {
            Some(version) => version.seen().map(Seen::Packed),
            None => ground.under(key, self.is_keyed),
        }
    }

    /// Finds those for whom it makes a difference that a row is another one now for those after a turn.
    fn changed(
        &self,
        key: &Key<R>,
        turn: Turn,
        [old, new]: [Option<Seen<'_, R>>; 2],
        found: &mut BTreeSet<Turn>,
    ) {
        if !comes_to_same(old, new) {
            let span = Span { after: Some(turn), until: key.stack().next(turn) };
            self.watchers.affected(key.hash(), span, [old, new], &self.hasher, found);
        }
    }

    /// Puts what a mutation wrote that ran again in the place of what it wrote before, and finds those for whom that
    /// makes a difference.
    pub(in crate::cache::optimistic) fn replace(
        &mut self,
        turn: Turn,
        before: &[KeyId],
        now: Vec<Written<R>>,
        ground: &Ground<'_, R>,
        found: &mut BTreeSet<Turn>,
    ) -> Vec<KeyId> {
        // Equal versions stay, and disturb no reader: that is why a mutation that runs again as before ends the chain.
        let mut written = Vec::with_capacity(now.len());
        for write in now {
            let id = self.key_for(&write);
            written.push(id);
            let version = Version::new(turn, write.row, write.is_deleted);
            if self.keys.get(&id).is_none_or(|key| key.stack().has(&version)) {
                continue;
            }
            self.put(id, version);
            self.notice_last_put(ground, found);
        }
        // Rows that this run did not write: whatever lies below them is seen again.
        let is_kept: BTreeSet<_> = written.iter().collect();
        for id in before.iter().filter(|id| !is_kept.contains(id)) {
            self.withdraw(*id, turn, ground, found);
        }
        written
    }

    /// Finds those for whom the version makes a difference that was put last.
    ///
    /// Not before it is there: the server's row of a key is known by the key's versions, and this may be the first.
    fn notice_last_put(&self, ground: &Ground<'_, R>, found: &mut BTreeSet<Turn>) {
        let Some(Logged::Put(id, turn, before)) = self.log.last() else { return };
        let Some(key) = self.keys.get(id) else { return };
        let old = match before {
            Some(before) => before.seen().map(Seen::Packed),
            None => self.below_or_server(key, *turn, ground),
        };
        let new = key.stack().at(*turn).and_then(Version::seen).map(Seen::Packed);
        self.changed(key, *turn, [old, new], found);
    }

    /// The change under way has made a row of the server's another one, by this pair of the table's: finds those for
    /// whom that makes a difference.
    pub(in crate::cache::optimistic) fn observe(
        &mut self,
        (at, pair): (usize, Pair),
        [old, new]: [Option<&R>; 2],
        found: &mut BTreeSet<Turn>,
    ) {
        let Some(row) = old.or(new) else { return };
        let hash = identity_hash(row, self.is_keyed, &self.hasher);
        let key = self.find(hash, |other| same_row(row, other, self.is_keyed));
        let mut span = Span { after: None, until: None };
        if let Some(id) = key
            && let Some(key) = self.keys.get_mut(&id)
        {
            key.set_change((at, pair));
            span.until = key.stack().first();
            self.list(id);
        }
        let rows = [old.map(Seen::InSlot), new.map(Seen::InSlot)];
        self.watchers.affected(hash, span, rows, &self.hasher, found);
    }

    /// Notes that the change under way has to do with a key.
    pub(in crate::cache::optimistic) fn list(&mut self, id: KeyId) {
        if self.keys.get_mut(&id).is_some_and(Key::list) {
            self.listed.push(id);
        }
    }

    pub(in crate::cache::optimistic) fn listed(&self) -> &[KeyId] {
        &self.listed
    }

    /// The server's row of a bare key.
    pub(in crate::cache::optimistic) fn bare_row(
        &self,
        key: &Key<R>,
        ground: &Ground<'_, R>,
    ) -> Option<RowId> {
        ground.row_of(key, self.is_keyed)
    }

    /// The change under way is made.
    pub(in crate::cache::optimistic) fn commit(&mut self) {
        for logged in core::mem::take(&mut self.log) {
            if let Logged::Withdrawn(id, turn) = logged
                && let Some(key) = self.keys.get_mut(&id)
            {
                key.stack_mut().remove(turn);
            }
        }
        self.unlist();
    }

    /// Takes back what the change under way did to versions.
    pub(in crate::cache::optimistic) fn undo(&mut self) {
        while let Some(logged) = self.log.pop() {
            match logged {
                Logged::Put(id, turn, before) => {
                    let Some(key) = self.keys.get_mut(&id) else { continue };
                    match before {
                        Some(before) => drop(key.stack_mut().put(before)),
                        None => key.stack_mut().remove(turn),
                    }
                }
                Logged::Withdrawn(id, turn) => {
                    if let Some(key) = self.keys.get_mut(&id) {
                        key.stack_mut().set_withdrawn(turn, false);
                    }
                }
            }
        }
        self.unlist();
    }

    fn unlist(&mut self) {
        for id in core::mem::take(&mut self.listed) {
            let Some(key) = self.keys.get_mut(&id) else { continue };
            key.unlist();
            if key.stack().is_empty() {
                let hash = key.hash();
                self.keys.remove(&id);
                if let Ok(entry) = self.by_hash.find_entry(hash, |entry| entry.1 == id) {
                    entry.remove();
                }
            }
        }
    }

    /// A row of this hash was moved to another slot.
    pub(in crate::cache) fn moved(&mut self, hash: u64, old: RowId, new: RowId) {
        let ids: Vec<_> = self.of_hash(hash).collect();
        for id in ids {
            if let Some(key) = self.keys.get_mut(&id) {
                key.moved(old, new);
            }
        }
    }

    /// Counts the server's rows in whose place readers see others, by the sets that hold them.
    pub(in crate::cache) fn held(&self, count: &mut dyn FnMut(SetId, usize)) {
        for key in self.keys.values() {
            if let Place::Shadowed { server: Some(server), .. } = key.place() {
                server.members.iter().for_each(|(set, _)| count(*set, 1));
            }
        }
    }

    /// Shows the sets that hold rows of the server's which are in slots for the time of a change, some more than once.
    pub(in crate::cache) fn held_by_lifted(&self, each: &mut dyn FnMut(SetId)) {
        for key in self.keys.values() {
            if let Place::Lifted { server: Some(server), .. } = key.place() {
                server.members.iter().for_each(|(set, _)| each(*set));
            }
        }
    }

    /// Shows the server's rows that a set holds and in whose place readers see others, and how often it does; in no
    /// order.
    pub(in crate::cache) fn shadowed_of(&self, set: SetId, each: &mut dyn FnMut(&[u8], u32)) {
        for key in self.keys.values() {
            if let Place::Shadowed { server: Some(server), .. } = key.place()
                && let Some((_, count)) = server.members.iter().find(|held| held.0 == set)
            {
                each(server.row.bytes(), *count);
            }
        }
    }
}

impl<R: Row> Layer<R> {
    /// Returns `true` if mutations have read or written anything.
    pub(in crate::cache) fn is_watched(&self) -> bool {
        !self.keys.is_empty() || !self.watchers.is_empty()
    }
}
