//! Moving rows between a table's slots and the layer: showing what mutations wrote in place of the server's rows.

use foldhash::HashMap;

use super::ids::KeyId;
use super::layer::key::{Key, Place, Shadowed};
use super::layer::row_identity::{encode_alike, identity_hash};
use super::layer::stack::Packed;
use super::layer::{Ground, Layer};
use crate::bsatn::Writer;
use crate::cache::index::identity::encodes_as;
use crate::cache::membership::sets::SetId;
use crate::cache::storage::pair::Pair;
use crate::cache::storage::row_id::{NO_ROW, RowId};
use crate::cache::storage::stamp::Stamp;
use crate::cache::table::rows::Rows;
use crate::cache::table::write_set::WriteSet;
use crate::schema::Row;

/// Holds the rows that mutations wrote. No query set has this number: they are counted up from 0.
pub(in crate::cache) const LOCAL: SetId = SetId(u32::MAX);

/// Moves rows into slots and out of them, with one version.
///
/// While a row is on its way, code of its type runs, which may panic: the sets that hold it are named meanwhile.
pub(super) struct RowSwap<'a, R> {
    pub(super) rows: &'a mut Rows<R>,
    pub(super) in_transit: &'a mut Vec<SetId>,
    pub(super) at: Stamp,
}

/// Finds what the change under way made of the server's rows of keys that were not there yet when it was looked for.
pub(super) fn find_changes<R: Row>(layer: &mut Layer<R>, rows: &Rows<R>, pairs: &[Pair]) {
    let is_bare = |key: &Key<R>| matches!(key.place(), Place::Bare) && key.change().is_none();
    let listed = layer.listed().iter().copied();
    let bare: Vec<_> = listed.filter(|id| layer.key(*id).is_some_and(is_bare)).collect();
    if bare.is_empty() || pairs.is_empty() {
        return;
    }
    let is_keyed = rows.is_keyed();
    let row = |pair: &Pair| row_of(rows, pair.old).or_else(|| row_of(rows, pair.new));
    let mut by_hash: HashMap<u64, Vec<usize>> = HashMap::default();
    for (at, pair) in pairs.iter().enumerate() {
        let Some(row) = row(pair) else { continue };
        let hash = identity_hash(row, is_keyed, rows.indexes().hasher());
        by_hash.entry(hash).or_default().push(at);
    }
    for id in bare {
        let Some(key) = layer.key_mut(id) else { continue };
        let Some(is) = key.identity(is_keyed) else { continue };
        let same_hash = by_hash.get(&key.hash()).into_iter().flatten();
        let mut found = same_hash.map(|&at| (at, pairs[at]));
        let found = found.find(|(_, pair)| row(pair).is_some_and(&is));
        drop(is);
        found.into_iter().for_each(|change| key.set_change(change));
    }
}

/// Lifting.
impl<R: Row> RowSwap<'_, R> {
    /// The rows have arrived: a set that is dropped later must not be named by a panic that comes later still.
    pub(super) fn arrived(&mut self) {
        self.in_transit.clear();
    }

    /// Names the sets that hold the row which is moved next.
    fn set_in_transit(&mut self, members: &[(SetId, u32)]) {
        self.in_transit.clear();
        self.in_transit.extend(members.iter().map(|member| member.0));
    }

    /// Puts the server's row of a key back into a slot, and hides what readers see in its place; whether there was any.
    pub(super) fn lift(&mut self, layer: &mut Layer<R>, id: KeyId) -> bool {
        let Some(key) = layer.key_mut(id) else { return false };
        let (shown, server) = match key.take_place() {
            Place::Shadowed { shown, server } => (shown, server),
            other => {
                key.set_place(other);
                return false;
            }
        };
        if shown != NO_ROW {
            self.rows.delete(RowId(shown), self.at);
        }
        let members = server.as_ref().map_or(&[][..], |server| &server.members);
        self.set_in_transit(members);
        let came_back = server.as_ref().and_then(|server| {
            // It was decoded from this, or encoded to it.
            let row = R::decode_row(server.row.bytes()).ok()?;
            self.put(row, &server.members)
        });
        key.set_place(Place::Lifted { shown, server, came_back });
        layer.list(id);
        true
    }

    /// Undoes [`lift`](Self::lift). The slot that is not used any more, if there is one.
    pub(super) fn unlift(&mut self, key: &mut Key<R>) -> Option<u32> {
        let (shown, server, came_back) = match key.take_place() {
            Place::Lifted { shown, server, came_back } => (shown, server, came_back),
            other => {
                key.set_place(other);
                return None;
            }
        };
        if let Some(id) = came_back {
            // No view has seen it.
            self.rows.delete(id, Stamp::ALWAYS);
        }
        if shown != NO_ROW {
            self.show_again(RowId(shown));
        }
        key.set_place(Place::Shadowed { shown, server });
        came_back.map(|id| id.0)
    }
}

/// Showing.
impl<R: Row> RowSwap<'_, R> {
    /// Shows the topmost version of a key, or the server's row where there is none or they are the same. What was seen
    /// before and is seen after, unless nothing was done. Rows that are not seen any more are added to the deleted ones of
    /// `writes`.
    pub(super) fn show(
        &mut self,
        layer: &mut Layer<R>,
        id: KeyId,
        writes: &mut WriteSet<R>,
    ) -> Option<Pair> {
        let key = layer.key(id)?;
        let change = key.change().map(|(_, pair)| pair);
        // The slot of the server's row, as the change leaves it: by its pair, if it changed the row; where it was put back,
        // if it only looked at it; else where it always was.
        let bare = match (change, key.place()) {
            (Some(pair), _) => row_id(pair.new),
            (None, Place::Lifted { came_back, .. }) => *came_back,
            (None, Place::Shadowed { .. }) => None,
            (None, Place::Bare) => layer.bare_row(key, &Ground::of_rows(self.rows, self.at)),
        };
        let key = layer.key_mut(id)?;
        match key.take_place() {
            Place::Bare => {
                let old = change.map_or_else(|| raw_id(bare), |pair| pair.old);
                let new = self.cover(key, bare, NO_ROW, writes);
                (change.is_some() || old != new).then_some(Pair { old, new })
            }
            Place::Lifted { shown, .. } => {
                // Hidden by the lift, and reported only if something else is seen in its place.
                let new = self.cover(key, bare, shown, writes);
                if shown != NO_ROW && new != shown {
                    writes.add_deleted(shown);
                }
                Some(Pair { old: shown, new })
            }
            Place::Shadowed { shown, server } => self.cover_again(key, shown, server, writes),
        }
    }

    /// Shows the topmost version of a key whose server's row, if there is one, is in a slot. `lifted` is what was seen
    /// in its place and is hidden now. What is seen.
    fn cover(
        &mut self,
        key: &mut Key<R>,
        bare: Option<RowId>,
        lifted: u32,
        writes: &mut WriteSet<R>,
    ) -> u32 {
        let Some(top) = key.stack().top() else { return raw_id(bare) };
        let server = bare.and_then(|id| self.row_of(id.0));
        let is_same = match (top.seen(), server) {
            (Some(top), Some(server)) => encodes_as(server, top.bytes()),
            (None, None) => true,
            _ => false,
        };
        // The server's row is what was expected: it stays in its slot, and the key is bare.
        if is_same {
            return raw_id(bare);
        }
        let members = bare.map_or(&[][..], |id| self.rows.membership().members(id)).to_vec();
        self.set_in_transit(&members);
        let server = bare.map(|id| self.shadow(id, writes));
        let is_shown_before = |bytes| self.row_of(lifted).is_some_and(|row| encodes_as(row, bytes));
        // A row that readers saw before the lift is shown again as it is, so that they notice nothing.
        let shown = if top.seen().is_some_and(|top| is_shown_before(top.bytes())) {
            self.show_again(RowId(lifted));
            lifted
        } else {
            self.show_top(key)
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
        writes: &mut WriteSet<R>,
    ) -> Option<Pair> {
        let members = server.as_ref().map_or(&[][..], |server| &server.members);
        self.set_in_transit(members);
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
        // Most changes leave it at that: other keys of the same table were concerned.
        if is_shown && !is_server {
            key.set_place(Place::Shadowed { shown, server });
            return None;
        }
        if shown != NO_ROW {
            self.rows.delete(RowId(shown), self.at);
            writes.add_deleted(shown);
        }
        // Back to the server's row where no version is left, or the topmost is equal to it: nothing is shadowed any more.
        let new = if is_server {
            server.map_or(NO_ROW, |mut server| {
                raw_id(server.row.take().and_then(|row| self.put(row, &server.members)))
            })
        } else {
            let new = self.show_top(key);
            key.set_place(Place::Shadowed { shown: new, server });
            new
        };
        Some(Pair { old: shown, new })
    }

    fn show_top(&mut self, key: &mut Key<R>) -> u32 {
        let top = key.stack_mut().top_mut().and_then(|top| top.take());
        raw_id(top.and_then(|row| self.put(row, &[(LOCAL, 1)])))
    }

    /// Puts a row into a slot and lets it be seen; none if there is no room.
    fn put(&mut self, row: R, members: &[(SetId, u32)]) -> Option<RowId> {
        let hash = identity_hash(&row, self.rows.is_keyed(), self.rows.indexes().hasher());
        self.rows.insert_visible(row, hash, members, self.at)
    }

    /// Lets a mutation's row be seen again that was hidden.
    fn show_again(&mut self, id: RowId) {
        self.rows.undo_delete(id, &[(LOCAL, 1)]);
    }

    /// Takes a row of the server's out of its slot.
    fn shadow(&mut self, id: RowId, writes: &mut WriteSet<R>) -> Shadowed<R> {
        let mut bytes = Writer::new();
        if let Some(row) = self.row_of(id.0) {
            row.encode(&mut bytes);
        }
        let members = self.rows.membership().members(id).into();
        self.rows.delete(id, self.at);
        writes.add_deleted(id.0);
        Shadowed { row: Packed::new(bytes.as_slice()), members }
    }

    /// Returns `true` if readers notice.
    pub(super) fn is_seen(&self, Pair { old, new }: Pair) -> bool {
        match (self.row_of(old), self.row_of(new)) {
            (Some(old), Some(new)) => !encode_alike(old, new),
            (None, None) => false,
            _ => true,
        }
    }

    fn row_of(&self, id: u32) -> Option<&R> {
        row_of(self.rows, id)
    }
}

/// The row in a slot, seen or not; none for [`NO_ROW`].
pub(super) fn row_of<R: Row>(rows: &Rows<R>, id: u32) -> Option<&R> {
    rows.storage().row(row_id(id)?)
}

fn row_id(id: u32) -> Option<RowId> {
    (id != NO_ROW).then_some(RowId(id))
}

fn raw_id(id: Option<RowId>) -> u32 {
    id.map_or(NO_ROW, |id| id.0)
}
