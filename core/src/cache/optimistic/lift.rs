//! Putting the server's rows back into slots for the time of a change, where readers see others, and finding what it made of them.

use std::collections::BTreeSet;

use super::footprint::Turn;
use super::layer::{Ground, Key, KeyId, Layer, Place};
use crate::cache::index::identity::{ByBytes, ByKey, Identity};
use crate::cache::membership::sets::SetId;
use crate::cache::storage::slots::{NO_ROW, RowId};
use crate::cache::storage::stamp::Stamp;
use crate::cache::table::store::TableStore;
use crate::schema::Row;
use crate::wire::RowList;

/// Changes of the server's.
impl<R: Row> TableStore<R> {
    /// Returns `true` if mutations read or wrote rows of a list, or may have. Finds the keys whose server's rows the list is about
    /// and that are not in slots.
    pub(in crate::cache) fn look(
        &self,
        rows: &RowList,
        from: usize,
        max: usize,
        shadowed: &mut dyn FnMut(KeyId),
    ) -> bool {
        let Some(layer) = self.layer.as_ref().filter(|_| !self.is_event() && max > 0) else {
            return false;
        };
        let rows = rows.iter_from(from).take(max);
        let is_met = if self.is_keyed() {
            self.look_at::<ByKey>(layer, rows, shadowed)
        } else {
            self.look_at::<ByBytes>(layer, rows, shadowed)
        };
        is_met || layer.watchers().is_wide()
    }

    fn look_at<'b, I: Identity<R>>(
        &self,
        layer: &Layer<R>,
        rows: impl Iterator<Item = &'b [u8]>,
        shadowed: &mut dyn FnMut(KeyId),
    ) -> bool {
        let mut is_met = false;
        for bytes in rows {
            // A row that does not decode is found again when it is staged.
            let Ok(probe) = I::probe(bytes) else { continue };
            let hash = I::hash(&probe, self.indexes.hasher());
            is_met |= layer.watchers().has_row(hash);
            for id in layer.of_hash(hash) {
                is_met = true;
                shadowed(id);
            }
        }
        is_met
    }

    /// Puts the server's rows of keys back into slots, and takes away what readers see in their place, for the version
    /// `at`: for nobody to see. Whether there was any.
    pub(in crate::cache) fn lift(&mut self, keys: &[KeyId], at: Stamp) -> bool {
        let lifted = self.with_layer(|store, layer| {
            let lifted = keys.iter().filter(|&&id| store.lift_one(layer, id, at));
            lifted.count() > 0
        });
        lifted.unwrap_or(false)
    }

    /// As [`lift`](Self::lift), for the rows that some of these sets hold.
    pub(in crate::cache) fn lift_sets(&mut self, sets: &[SetId], at: Stamp) -> bool {
        let Some(layer) = &self.layer else { return false };
        let held = |key: &Key<R>| match key.place() {
            Place::Shadowed { server: Some(server), .. } => {
                server.members.iter().any(|held| sets.contains(&held.0))
            }
            _ => false,
        };
        let keys: Vec<_> = layer.keys().filter(|(_, key)| held(key)).map(|(id, _)| id).collect();
        self.lift(&keys, at)
    }

    fn lift_one(&mut self, layer: &mut Layer<R>, id: KeyId, at: Stamp) -> bool {
        let Some(key) = layer.key_mut(id) else { return false };
        let (shown, server) = match key.take_place() {
            Place::Shadowed { shown, server } => (shown, server),
            other => {
                key.set_place(other);
                return false;
            }
        };
        if shown != NO_ROW {
            self.hide(RowId(shown), at);
        }
        let members = server.as_ref().map_or(&[][..], |server| &server.members);
        self.set_on_its_way(members);
        let came_back = server.as_ref().and_then(|server| {
            // It was decoded from this, or encoded to it.
            let row = R::decode_row(server.row.bytes()).ok()?;
            self.show(row, &server.members, at)
        });
        key.set_place(Place::Lifted { shown, server, came_back });
        layer.list(id);
        true
    }

    /// Undoes what the change under way did to the layer and by [`lift`](Self::lift), after whatever was done since was
    /// undone.
    pub(in crate::cache) fn unlift(&mut self) {
        self.with_layer(|store, layer| {
            let mut waste = Vec::new();
            for id in layer.listed().to_vec() {
                let Some(key) = layer.key_mut(id) else { continue };
                let place = match key.take_place() {
                    Place::Lifted { shown, server, came_back } => {
                        store.unlift_one(shown, came_back, &mut waste);
                        Place::Shadowed { shown, server }
                    }
                    other => other,
                };
                key.set_place(place);
            }
            layer.undo();
            store.storage.retire_later(0, waste);
        });
    }

    fn unlift_one(&mut self, shown: u32, came_back: Option<RowId>, waste: &mut Vec<u32>) {
        if let Some(id) = came_back {
            self.storage.delete(id, Stamp::ALWAYS);
            self.membership.release(id);
            waste.push(id.0);
        }
        if shown != NO_ROW {
            self.show_again(RowId(shown));
        }
    }

    /// Finds the mutations for whom it makes a difference what the change under way did to the server's rows, by its
    /// pairs from `from` on, and `max` at most. How many it looked at.
    pub(in crate::cache) fn observe(
        &mut self,
        from: usize,
        max: usize,
        found: &mut BTreeSet<Turn>,
    ) -> usize {
        let looked_at = self.with_layer(|store, layer| {
            let pairs = store.staging.pairs.iter().enumerate().skip(from).take(max);
            let each = pairs.map(|(at, &pair)| {
                let rows = [store.row_of(pair.old), store.row_of(pair.new)];
                layer.observe((at, pair), rows, found);
            });
            each.count()
        });
        looked_at.unwrap_or(0)
    }

    /// Takes what a mutation wrote away, and finds those for whom that makes a difference.
    pub(in crate::cache) fn withdraw(
        &mut self,
        keys: &[KeyId],
        turn: Turn,
        at: Stamp,
        found: &mut BTreeSet<Turn>,
    ) {
        self.with_layer(|store, layer| {
            let ground = Ground { chunks: store.storage.chunks(), indexes: &store.indexes, at };
            keys.iter().for_each(|&key| layer.withdraw(key, turn, &ground, found));
        });
    }
}
