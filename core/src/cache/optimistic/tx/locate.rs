//! Lookups of the rows that a mutation reads and writes.

use core::any::{Any, TypeId};

use super::writes::{Below, TableWrites, row_in_slot};
use super::{Base, LocalTx, Mode};
use crate::bsatn::{Encode as _, Writer};
use crate::cache::TableId;
use crate::cache::optimistic::footprint::{Extent, Reads};
use crate::cache::optimistic::ids::Turn;
use crate::cache::optimistic::layer::Layer;
use crate::cache::optimistic::layer::row_identity::{identity_hash, same_row};
use crate::cache::optimistic::mutation::MutationError;
use crate::cache::registration::Registration;
use crate::schema::{Row, Table, TableKind};

impl LocalTx {
    /// The table as readers see it.
    pub(in crate::cache::optimistic) fn base<T: Table>(&self) -> Option<Base<'_, T>> {
        let marker = TypeId::of::<T>();
        let table = self.view.epoch.tables.catalog.by_type.get(marker).map(TableId);
        let base = table.zip(self.view.table::<T>()).map(|(table, view)| Base { table, view });
        if base.is_none() {
            match self.refused.iter().find(|refused| refused.0 == marker) {
                Some((_, error)) => self.fail_with(error.clone().into()),
                None => self.wanted.borrow_mut().push(Registration::of::<T>()),
            }
        }
        base
    }

    pub(in crate::cache::optimistic) fn writes<R: Row>(
        &self,
        table: TableId,
    ) -> Option<&TableWrites<R>> {
        let writes: &dyn Any = &**self.writes.get(&table)?;
        writes.downcast_ref()
    }

    fn writes_mut<T: Table>(&mut self, table: TableId) -> Option<&mut TableWrites<T::Row>> {
        let order = &mut self.order;
        let writes = self.writes.entry(table).or_insert_with(|| {
            order.push(table);
            Box::new(TableWrites::<T::Row>::new(T::DEF.primary_key.is_some()))
        });
        let writes: &mut dyn Any = &mut **writes;
        writes.downcast_mut()
    }

    /// Other mutations' writes to a table, and the turn that looks at them; none if that is what readers see.
    pub(in crate::cache::optimistic) fn layer<R: Row>(
        &self,
        table: TableId,
    ) -> Option<(&Layer<R>, Turn)> {
        let layers = self.layers.as_ref()?;
        let layer: &dyn Any = &**layers.by_table.get(&table)?;
        Some((layer.downcast_ref()?, layers.turn))
    }

    pub(in crate::cache::optimistic) fn note(&self, table: TableId, note: impl FnOnce(&mut Reads)) {
        note(self.reads.borrow_mut().entry(table).or_default());
    }

    /// Finds the row that is identified as `is` says. It counts as read, to this extent, unless the mutation itself
    /// has written it.
    pub(in crate::cache::optimistic) fn locate<T: Table>(
        &self,
        base: &Base<'_, T>,
        hash: u64,
        extent: Option<Extent>,
        is: impl Fn(&T::Row) -> bool,
    ) -> Place {
        let writes = self.writes::<T::Row>(base.table);
        if let Some((writes, at)) =
            writes.and_then(|writes| Some((writes, writes.find(hash, &is)?)))
        {
            let is_there = writes.row(at).is_some();
            let below = Below::Nothing;
            return Place { table: base.table, hash, write: Some(at), below, is_there };
        }
        if let Some(extent) = extent {
            self.note(base.table, |reads| reads.row(hash, extent));
        }
        let below = self.below(base, hash, is);
        let is_there = below != Below::Nothing;
        Place { table: base.table, hash, write: None, below, is_there }
    }

    fn below<T: Table>(
        &self,
        base: &Base<'_, T>,
        hash: u64,
        is: impl Fn(&T::Row) -> bool,
    ) -> Below {
        if let Some((layer, turn)) = self.layer::<T::Row>(base.table)
            && let Some(key) = layer.find(hash, &is)
            && let Some(row) = layer.below(key, turn)
        {
            return row.map_or(Below::Nothing, |_| Below::Layer(key));
        }
        row_in_slot(&base.view, hash, is).map_or(Below::Nothing, Below::Slot)
    }

    pub(in crate::cache::optimistic) fn locate_row<T: Table>(
        &self,
        base: &Base<'_, T>,
        row: &T::Row,
        extent: Option<Extent>,
    ) -> Place {
        let keyed = T::DEF.primary_key.is_some();
        let hash = identity_hash(row, keyed, base.view.snapshot.indexes.hasher());
        self.locate(base, hash, extent, |other| same_row(row, other, keyed))
    }

    /// The row at a place.
    pub(in crate::cache::optimistic) fn row_at<'t, T: Table>(
        &'t self,
        base: &Base<'t, T>,
        place: &Place,
    ) -> Option<&'t T::Row> {
        match (place.write, place.below) {
            (Some(at), _) => self.writes::<T::Row>(place.table)?.row(at),
            (None, Below::Nothing) => None,
            (None, Below::Slot(id)) => base.view.snapshot.chunks.row(id),
            (None, Below::Layer(key)) => {
                let (layer, turn) = self.layer::<T::Row>(place.table)?;
                layer.below(key, turn)??.row()
            }
        }
    }

    pub(in crate::cache::optimistic) fn write<T: Table>(&mut self, row: T::Row, mode: Mode) {
        let name = T::DEF.name;
        if T::DEF.kind == TableKind::Event {
            return self.fail_with(MutationError::EventTable { table: name });
        }
        let Some(base) = self.base::<T>() else { return };
        let is_keyed = T::DEF.primary_key.is_some();
        let extent = match mode {
            // A table without a key is a set of rows: it makes no difference whether one is there already.
            Mode::Insert if !is_keyed => None,
            Mode::Insert | Mode::Update => Some(Extent::Presence),
            Mode::Upsert => None,
        };
        let place = self.locate_row::<T>(&base, &row, extent);
        match (mode, place.is_there) {
            (Mode::Insert, true) if is_keyed => {
                return self.fail_with(MutationError::KeyTaken { table: name });
            }
            (Mode::Update, false) => {
                return self.fail_with(MutationError::NoSuchRow { table: name });
            }
            _ => (),
        }
        if let Some(writes) = self.writes_mut::<T>(place.table) {
            writes.put(place.write, place.below, row, place.hash);
        }
    }

    /// Deletes the row at a place; whether there was one.
    pub(in crate::cache::optimistic) fn delete_at<T: Table>(&mut self, place: &Place) -> bool {
        let mut bytes = Writer::new();
        let base = self.base::<T>();
        let Some(row) = base.and_then(|base| self.row_at(&base, place)) else { return false };
        row.encode(&mut bytes);
        if let Some(writes) = self.writes_mut::<T>(place.table) {
            writes.delete(place.write, place.below, bytes.as_slice(), place.hash);
        }
        true
    }
}

/// Place of a row, or of one that is not there: its write, if there is one, else where it was before.
pub(in crate::cache::optimistic) struct Place {
    table: TableId,
    hash: u64,
    write: Option<usize>,
    below: Below,
    is_there: bool,
}
