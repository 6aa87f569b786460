//! Showing what mutations wrote in place of the server's rows.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use foldhash::HashMap;

use super::footprint::Turn;
use super::layer::{AnyLayer, Ground, Key, KeyId, Layer, Place, Shadowed};
use super::stack::Packed;
use super::writes::{encode_alike, identity_hash};
use crate::bsatn::Writer;
use crate::cache::index::identity::encodes_as;
use crate::cache::membership::sets::SetId;
use crate::cache::storage::slots::{NO_ROW, RowId};
use crate::cache::storage::stamp::Stamp;
use crate::cache::table::store::TableStore;
use crate::cache::transaction::diff::Pair;
use crate::schema::Row;

/// Holds the rows that mutations wrote. No query set has this number: they are counted up from 0.
pub(in crate::cache) const LOCAL: SetId = SetId(u32::MAX);

/// Ownership of the layer.
impl<R: Row> TableStore<R> {
    pub(super) fn layer_mut(&mut self) -> &mut Layer<R> {
        let is_keyed = self.is_keyed();
        let hasher = self.indexes.hasher();
        self.layer.get_or_insert_with(|| Box::new(Layer::new(is_keyed, hasher.clone())))
    }

    pub(in crate::cache) fn any_layer(&mut self) -> &mut dyn AnyLayer {
        self.layer_mut()
    }

    /// Hands the layer out, while mutations run. To be [given back](Self::take_layer) before anything else.
    pub(in crate::cache) fn lend_layer(&mut self) -> Option<Box<dyn AnyLayer>> {
        Some(self.layer.take()?)
    }

    /// Takes the layer back; whether the change under way has to do with it.
    pub(in crate::cache) fn take_layer(&mut self, layer: Box<dyn AnyLayer>) -> bool {
        let is_changed = layer.is_changed();
        let layer: Box<dyn core::any::Any> = layer;
        self.layer = layer.downcast().ok();
        is_changed
    }

    pub(in crate::cache) fn is_watched(&self) -> bool {
        self.layer.as_ref().is_some_and(|layer| layer.is_watched())
    }

    /// Does something with the layer and the rest of the table.
    pub(super) fn with_layer<T>(
        &mut self,
        act: impl FnOnce(&mut Self, &mut Layer<R>) -> T,
    ) -> Option<T> {
        let mut layer = self.layer.take()?;
        let done = catch_unwind(AssertUnwindSafe(|| act(self, &mut layer)));
        // After a panic too: whoever lets the table start over asks who held what.
        self.layer = Some(layer);
        let result = done.unwrap_or_else(|panic| resume_unwind(panic));
        // The rows have arrived: a set that is dropped later must not be named by a panic that comes later still.
        self.on_its_way.clear();
        Some(result)
    }

    /// Names the sets that hold the row which is on its way between the layer and a slot, while code of its type runs.
    pub(super) fn set_on_its_way(&mut self, members: &[(SetId, u32)]) {
        self.on_its_way.clear();
        self.on_its_way.extend(members.iter().map(|member| member.0));
    }
}

/// Rows that readers see.
impl<R: Row> TableStore<R> {
    /// Shows what mutations wrote, where the change under way has to do with it, and brings what it did and that to one
    /// list of changes: from what was seen before to what is seen after. Whether any row has moved.
    pub(in crate::cache) fn show_layer(&mut self, at: Stamp) -> bool {
        let moved = self.with_layer(|store, layer| {
            store.find_changes(layer);
            let mut is_claimed = vec![false; store.staging.pairs.len()];
            let mut pairs = Vec::new();
            for id in layer.listed().to_vec() {
                if let Some((place, _)) = layer.key(id).and_then(Key::change) {
                    is_claimed[place] = true;
                }
                pairs.extend(store.show_key(layer, id, at));
            }
            layer.commit();
            let moved = !pairs.is_empty();
            let mut is_claimed = is_claimed.into_iter();
            store.staging.pairs.retain(|_| is_claimed.next() != Some(true));
            pairs.retain(|&pair| store.is_seen(pair));
            store.staging.pairs.append(&mut pairs);
            store.staging.committed = store.staging.pairs.len();
            moved
        });
        moved.unwrap_or(false)
    }

    /// Finds what the change under way made of the server's rows of keys that were not there yet when it was looked for.
    fn find_changes(&self, layer: &mut Layer<R>) {
        let is_bare = |key: &Key<R>| matches!(key.place(), Place::Bare) && key.change().is_none();
        let listed = layer.listed().iter().copied();
        let bare: Vec<_> = listed.filter(|id| layer.key(*id).is_some_and(is_bare)).collect();
        if bare.is_empty() || self.staging.pairs.is_empty() {
            return;
        }
        let is_keyed = self.is_keyed();
        let row = |pair: &Pair| self.row_of(pair.old).or_else(|| self.row_of(pair.new));
        let mut by_hash: HashMap<u64, Vec<usize>> = HashMap::default();
        for (at, pair) in self.staging.pairs.iter().enumerate() {
            let Some(row) = row(pair) else { continue };
            let hash = identity_hash(row, is_keyed, self.indexes.hasher());
            by_hash.entry(hash).or_default().push(at);
        }
        for id in bare {
            let Some(key) = layer.key_mut(id) else { continue };
            let Some(is) = key.identity(is_keyed) else { continue };
            let same_hash = by_hash.get(&key.hash()).into_iter().flatten();
            let mut found = same_hash.map(|&at| (at, self.staging.pairs[at]));
            let found = found.find(|(_, pair)| row(pair).is_some_and(&is));
            drop(is);
            found.into_iter().for_each(|change| key.set_change(change));
        }
    }

    /// Shows the topmost version of a key, or the server's row where there is none or they are the same. What was seen
    /// before and is seen after, unless nothing was done.
    fn show_key(&mut self, layer: &mut Layer<R>, id: KeyId, at: Stamp) -> Option<Pair> {
        let key = layer.key(id)?;
        let change = key.change().map(|(_, pair)| pair);
        let bare = match (change, key.place()) {
            (Some(pair), _) => row_id(pair.new),
            (None, Place::Lifted { came_back, .. }) => *came_back,
            (None, Place::Shadowed { .. }) => None,
            (None, Place::Bare) => {
                let ground = Ground { chunks: self.storage.chunks(), indexes: &self.indexes, at };
                layer.bare_row(key, &ground)
            }
        };
        let key = layer.key_mut(id)?;
        match key.take_place() {
            Place::Bare => {
                let old = change.map_or_else(|| raw_id(bare), |pair| pair.old);
                let new = self.cover(key, bare, NO_ROW, at);
                (change.is_some() || old != new).then_some(Pair { old, new })
            }
            Place::Lifted { shown, .. } => {
                let new = self.cover(key, bare, shown, at);
                if shown != NO_ROW && new != shown {
                    self.staging.died.push(shown);
                }
                Some(Pair { old: shown, new })
            }
            Place::Shadowed { shown, server } => self.cover_again(key, shown, server, at),
        }
    }

    /// Shows the topmost version of a key whose server's row, if there is one, is in a slot. `lifted` is what was seen
    /// in its place and is hidden now. What is seen.
    fn cover(&mut self, key: &mut Key<R>, bare: Option<RowId>, lifted: u32, at: Stamp) -> u32 {
        let Some(top) = key.stack().top() else { return raw_id(bare) };
        let server = bare.and_then(|id| self.row_of(id.0));
        let is_same = match (top.seen(), server) {
            (Some(top), Some(server)) => encodes_as(server, top.bytes()),
            (None, None) => true,
            _ => false,
        };
        if is_same {
            return raw_id(bare);
        }
        let members = bare.map_or(&[][..], |id| self.membership.members(id)).to_vec();
        self.set_on_its_way(&members);
        let server = bare.map(|id| self.shadow(id, at));
        let is_shown_before = |bytes| self.row_of(lifted).is_some_and(|row| encodes_as(row, bytes));
        let shown = if top.seen().is_some_and(|top| is_shown_before(top.bytes())) {
            self.show_again(RowId(lifted));
            lifted
        } else {
            self.show_top(key, at)
        };
        key.set_place(Place::Shadowed { shown, server });
        shown
    }

    /// Shows the topmost version of a key in whose place another was seen.
    fn cover_again(
        &mut self,
        key: &mut Key<R>,
        shown: u32,
        server: Option<Shadowed<R>>,
        at: Stamp,
    ) -> Option<Pair> {
        let members = server.as_ref().map_or(&[][..], |server| &server.members);
        self.set_on_its_way(members);
        let wanted = key.stack().top().map(|top| top.seen().map(Packed::bytes));
        let is_server = match (&wanted, &server) {
            (None, _) | (Some(None), None) => true,
            (Some(Some(bytes)), Some(server)) => *bytes == server.row.bytes(),
            _ => false,
        };
        let is_shown = match (&wanted, self.row_of(shown)) {
            (Some(Some(bytes)), Some(row)) => encodes_as(row, bytes),
            (Some(None), None) => true,
            _ => false,
        };
        if is_shown && !is_server {
            key.set_place(Place::Shadowed { shown, server });
            return None;
        }
        if shown != NO_ROW {
            self.hide(RowId(shown), at);
            self.staging.died.push(shown);
        }
        let new = if is_server {
            server.map_or(NO_ROW, |mut server| {
                raw_id(server.row.take().and_then(|row| self.show(row, &server.members, at)))
            })
        } else {
            let new = self.show_top(key, at);
            key.set_place(Place::Shadowed { shown: new, server });
            new
        };
        Some(Pair { old: shown, new })
    }

    fn show_top(&mut self, key: &mut Key<R>, at: Stamp) -> u32 {
        let top = key.stack_mut().top_mut().and_then(|top| top.take());
        raw_id(top.and_then(|row| self.show(row, &[(LOCAL, 1)], at)))
    }

    /// Puts a row into a slot, from the version `at` on; none if there is no room.
    pub(super) fn show(&mut self, row: R, members: &[(SetId, u32)], at: Stamp) -> Option<RowId> {
        let keyed = self.is_keyed();
        let hash = identity_hash(&row, keyed, self.indexes.hasher());
        let id = self.put(row, 1).ok()?;
        self.index_row(hash, id);
        self.membership.set_members(id, members);
        self.storage.make_visible(id, at);
        Some(id)
    }

    /// Hides a live row from the version `at` on. Who does it lists it among those that died.
    pub(super) fn hide(&mut self, id: RowId, at: Stamp) {
        self.storage.delete(id, at);
        self.membership.release(id);
    }

    /// Undoes [`hide`](Self::hide) of a mutation's row.
    pub(super) fn show_again(&mut self, id: RowId) {
        self.storage.undo_delete(id);
        self.membership.set_members(id, &[(LOCAL, 1)]);
    }

    /// Takes a row of the server's out of its slot.
    fn shadow(&mut self, id: RowId, at: Stamp) -> Shadowed<R> {
        let mut bytes = Writer::new();
        if let Some(row) = self.row_of(id.0) {
            row.encode(&mut bytes);
        }
        let members = self.membership.members(id).into();
        self.hide(id, at);
        self.staging.died.push(id.0);
        Shadowed { row: Packed::new(bytes.as_slice()), members }
    }

    /// Returns `true` if readers notice.
    fn is_seen(&self, Pair { old, new }: Pair) -> bool {
        match (self.row_of(old), self.row_of(new)) {
            (Some(old), Some(new)) => !encode_alike(old, new),
            (None, None) => false,
            _ => true,
        }
    }

    pub(super) fn row_of(&self, id: u32) -> Option<&R> {
        self.storage.row(row_id(id)?)
    }

    /// The turns of those who wrote a row, if readers see what they wrote in place of the server's row.
    pub(super) fn shown_writers(&self, row: &R) -> Option<Vec<Turn>> {
        let layer = self.layer.as_ref()?;
        let mut bytes = Writer::new();
        row.encode(&mut bytes);
        let hash = identity_hash(row, self.is_keyed(), self.indexes.hasher());
        let key = layer.key(layer.find_encoded(hash, bytes.as_slice())?)?;
        match key.place() {
            Place::Shadowed { shown, .. } | Place::Lifted { shown, .. } if *shown != NO_ROW => {
                Some(key.stack().turns().collect())
            }
            _ => None,
        }
    }
}

fn row_id(id: u32) -> Option<RowId> {
    (id != NO_ROW).then_some(RowId(id))
}

fn raw_id(id: Option<RowId>) -> u32 {
    id.map_or(NO_ROW, |id| id.0)
}
