//! Overlay of a table: what pending mutations wrote over its rows.
//!
//! It owns the [`Layer`], and moves rows between that and the table's slots, which it is lent. The server's rows that a
//! change is about come back into slots for the time of the change ([`lift`](Overlay::lift)); then what mutations wrote
//! is shown in their place again ([`show`](Overlay::show)).

use std::collections::BTreeSet;

use super::ids::{KeyId, Turn};
use super::layer::any::AnyLayer;
use super::layer::key::{Key, Place};
use super::layer::row_identity::identity_hash;
use super::layer::{Ground, Layer};
use super::new_ids::{self, Handed};
use super::shadow::{RowSwap, find_changes, row_of};
use super::temp_id::NewIds;
use crate::bsatn::Writer;
use crate::cache::index::identity::{ByBytes, ByKey, Identity};
use crate::cache::membership::sets::SetId;
use crate::cache::storage::pair::Pair;
use crate::cache::storage::row_id::{NO_ROW, RowId};
use crate::cache::storage::stamp::Stamp;
use crate::cache::table::rows::Rows;
use crate::cache::table::write_set::WriteSet;
use crate::schema::Row;

/// Writes of pending mutations to one table, if any has read or written it.
pub(in crate::cache) struct Overlay<R> {
    layer: Option<Box<Layer<R>>>,
    /// The sets that hold a row in transit between the layer and a slot, while code of its type runs: a table
    /// that starts over in that moment must not forget them.
    in_transit: Vec<SetId>,
}

impl<R> Default for Overlay<R> {
    fn default() -> Self {
        Self { layer: None, in_transit: Vec::new() }
    }
}

/// The layer.
impl<R: Row> Overlay<R> {
    /// The layer, made if there is none.
    pub(in crate::cache) fn layer_mut(&mut self, rows: &Rows<R>) -> &mut Layer<R> {
        let new = || Layer::new(rows.is_keyed(), rows.indexes().hasher().clone());
        self.layer.get_or_insert_with(|| Box::new(new()))
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

    /// Returns `true` if mutations have read or written anything.
    pub(in crate::cache) fn is_watched(&self) -> bool {
        self.layer.as_ref().is_some_and(|layer| layer.is_watched())
    }

    /// Counts the server's rows in whose place readers see others, by the sets that hold them.
    pub(in crate::cache) fn held(&self, count: &mut dyn FnMut(SetId, usize)) {
        if let Some(layer) = &self.layer {
            layer.held(count);
        }
    }

    /// Names the sets that hold a row in transit between the layer and a slot.
    pub(in crate::cache) fn for_each_in_transit(&self, each: &mut dyn FnMut(SetId)) {
        self.in_transit.iter().for_each(|set| each(*set));
        if let Some(layer) = &self.layer {
            layer.held_by_lifted(each);
        }
    }

    /// Shows the server's rows that a set holds and in whose place readers see others.
    pub(in crate::cache) fn shadowed_of(&self, set: SetId, each: &mut dyn FnMut(&[u8], u32)) {
        if let Some(layer) = &self.layer {
            layer.shadowed_of(set, each);
        }
    }

    /// A row of this hash was moved to another slot.
    pub(in crate::cache) fn moved(&mut self, hash: u64, old: RowId, new: RowId) {
        if let Some(layer) = self.layer.as_mut().filter(|layer| layer.is_watched()) {
            layer.moved(hash, old, new);
        }
    }

    /// The turns of those who wrote a row, if readers see what they wrote in place of the server's row.
    pub(super) fn shown_writers(&self, rows: &Rows<R>, row: &R) -> Option<Vec<Turn>> {
        let layer = self.layer.as_ref()?;
        let mut bytes = Writer::new();
        row.encode(&mut bytes);
        let hash = identity_hash(row, rows.is_keyed(), rows.indexes().hasher());
        let key = layer.key(layer.find_encoded(hash, bytes.as_slice())?)?;
        match key.place() {
            Place::Shadowed { shown, .. } | Place::Lifted { shown, .. } if *shown != NO_ROW => {
                Some(key.stack().turns().collect())
            }
            _ => None,
        }
    }
}

/// Changes of the server's.
impl<R: Row> Overlay<R> {
    /// Returns `true` if mutations read or wrote rows of a list, or may have. Finds the keys whose server's rows the list is
    /// about and that are not in slots.
    pub(in crate::cache) fn look<'b>(
        &self,
        rows: &Rows<R>,
        list: impl Iterator<Item = &'b [u8]>,
        shadowed: &mut dyn FnMut(KeyId),
    ) -> bool {
        let Some(layer) = &self.layer else { return false };
        let is_met = if rows.is_keyed() {
            look_at::<R, ByKey>(layer, rows, list, shadowed)
        } else {
            look_at::<R, ByBytes>(layer, rows, list, shadowed)
        };
        is_met || layer.watchers().is_wide()
    }

    /// The keys of the server's rows that some of these sets hold and in whose place readers see others.
    pub(in crate::cache) fn shadowed_in(&self, sets: &[SetId]) -> Vec<KeyId> {
        let held = |key: &Key<R>| match key.place() {
            Place::Shadowed { server: Some(server), .. } => {
                server.members.iter().any(|held| sets.contains(&held.0))
            }
            _ => false,
        };
        let keys = self.layer.iter().flat_map(|layer| layer.keys());
        keys.filter(|(_, key)| held(key)).map(|(id, _)| id).collect()
    }

    /// Puts the server's rows of keys back into slots, and takes away what readers see in their place, for the version
    /// `at`, which no reader has. Returns `true` if there was any.
    pub(in crate::cache) fn lift(&mut self, rows: &mut Rows<R>, keys: &[KeyId], at: Stamp) -> bool {
        let Self { layer: Some(layer), in_transit } = self else { return false };
        let mut swap = RowSwap { rows, in_transit, at };
        let lifted = keys.iter().filter(|&&id| swap.lift(layer, id)).count();
        swap.arrived();
        lifted > 0
    }

    /// Undoes what the change under way did to the layer and by [`lift`](Self::lift), after whatever was done since was
    /// undone.
    pub(in crate::cache) fn unlift(&mut self, rows: &mut Rows<R>) {
        let Self { layer: Some(layer), in_transit } = self else { return };
        let mut swap = RowSwap { rows, in_transit, at: Stamp::ALWAYS };
        let mut unused = Vec::new();
        for id in layer.listed().to_vec() {
            if let Some(key) = layer.key_mut(id) {
                unused.extend(swap.unlift(key));
            }
        }
        layer.undo();
        swap.arrived();
        rows.retire_later(0, unused);
    }

    /// Finds the mutations for whom it makes a difference what the change under way did to the server's rows, by the pairs of
    /// its write set that start at the place `from`. How many it looked at.
    pub(in crate::cache) fn observe(
        &mut self,
        rows: &Rows<R>,
        from: usize,
        pairs: &[Pair],
        found: &mut BTreeSet<Turn>,
    ) -> usize {
        let Some(layer) = &mut self.layer else { return 0 };
        for (at, &pair) in (from..).zip(pairs) {
            let changed = [row_of(rows, pair.old), row_of(rows, pair.new)];
            layer.observe((at, pair), changed, found);
        }
        self.in_transit.clear();
        pairs.len()
    }

    /// Takes what a mutation wrote away, and finds those for whom that makes a difference.
    pub(in crate::cache) fn withdraw(
        &mut self,
        rows: &Rows<R>,
        keys: &[KeyId],
        turn: Turn,
        at: Stamp,
        found: &mut BTreeSet<Turn>,
    ) {
        let Some(layer) = &mut self.layer else { return };
        let ground = Ground::of_rows(rows, at);
        keys.iter().for_each(|&key| layer.withdraw(key, turn, &ground, found));
        self.in_transit.clear();
    }

    /// Shows what mutations wrote, where the change under way has to do with it, and brings what it did and that to one
    /// list of changes: from what was seen before to what is seen after. Whether any row has moved.
    pub(in crate::cache) fn show(
        &mut self,
        rows: &mut Rows<R>,
        writes: &mut WriteSet<R>,
        at: Stamp,
    ) -> bool {
        let Self { layer: Some(layer), in_transit } = self else { return false };
        find_changes(layer, rows, writes.pairs());
        let mut is_claimed = vec![false; writes.pairs().len()];
        let mut swap = RowSwap { rows, in_transit, at };
        let mut pairs = Vec::new();
        for id in layer.listed().to_vec() {
            if let Some((place, _)) = layer.key(id).and_then(Key::change) {
                is_claimed[place] = true;
            }
            pairs.extend(swap.show(layer, id, writes));
        }
        layer.commit();
        let moved = !pairs.is_empty();
        pairs.retain(|&pair| swap.is_seen(pair));
        writes.replace_committed(is_claimed, pairs);
        swap.arrived();
        moved
    }

    /// Finds the server's ids for those that a mutation of this turn gave to rows of these keys.
    pub(in crate::cache) fn find_new_ids(
        &self,
        rows: &Rows<R>,
        pairs: &[Pair],
        (keys, turn): (&[KeyId], Turn),
        handed: &Handed,
        found: &mut NewIds,
    ) {
        if let Some(layer) = &self.layer {
            let temporary = new_ids::temporary_rows(layer, keys, turn, handed);
            new_ids::find(temporary, new_ids::came(rows, pairs), handed, found);
        }
    }
}

fn look_at<'b, R: Row, I: Identity<R>>(
    layer: &Layer<R>,
    rows: &Rows<R>,
    list: impl Iterator<Item = &'b [u8]>,
    shadowed: &mut dyn FnMut(KeyId),
) -> bool {
    let mut is_met = false;
    for bytes in list {
        // A row that does not decode is found again when it is staged.
        let Ok(probe) = I::probe(bytes) else { continue };
        let hash = I::hash(&probe, rows.indexes().hasher());
        is_met |= layer.watchers().has_row(hash);
        for id in layer.of_hash(hash) {
            is_met = true;
            shadowed(id);
        }
    }
    is_met
}
