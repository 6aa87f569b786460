//! Moving the rows of a raw table to the typed one that takes its place.

use std::sync::Arc;

use super::TableStore;
use super::diagnose::diagnose;
use super::raw::RawRow;
use super::rows::Rows;
use crate::bsatn::Writer;
use crate::cache::error::{RowMismatch, SetFailure};
use crate::cache::index::identity::{ByBytes, ByKey, Identity};
use crate::cache::membership::sets::{Member, SetId};
use crate::cache::storage::row_id::RowId;
use crate::cache::storage::slot::SlotState;
use crate::cache::storage::stamp::Stamp;
use crate::guard::FencedRows;
use crate::schema::Row;

/// A raw row on its way to a typed table.
struct Moving<'a> {
    bytes: &'a [u8],
    members: &'a [Member],
    created: Stamp,
}

/// The rows that new views see, except those that only `outdated` sets hold.
fn live_rows<'a>(raw: &'a Rows<RawRow>, outdated: &'a [SetId]) -> impl Iterator<Item = Moving<'a>> {
    let is_outdated = |members: &[Member]| {
        // Every row is looked at, nearly always with nothing to look for.
        !outdated.is_empty() && members.iter().all(|(set, _)| outdated.contains(set))
    };
    raw.storage().used_slots().filter_map(move |id| {
        let slot = raw.storage().slot(id).filter(|slot| slot.state() == SlotState::Live)?;
        let members = raw.membership().members(id);
        let row = Moving { bytes: slot.row()?.bytes(), members, created: slot.created() };
        (!is_outdated(members)).then_some(row)
    })
}

impl<R: Row> TableStore<R> {
    /// Takes over the rows of a raw table, except those that only `outdated` sets hold. The sets that failed over them.
    pub(super) fn adopt_rows(
        &mut self,
        raw: &TableStore<RawRow>,
        version: u64,
        outdated: &[SetId],
    ) -> Vec<SetFailure> {
        if self.is_event() {
            return Vec::new();
        }
        let raw = &raw.rows;
        let mut failed: Vec<SetFailure> = Vec::new();
        let (mut rows, mut came) = (FencedRows::with_capacity(raw.storage().len()), Vec::new());
        for moving in live_rows(raw, outdated) {
            match R::decode_row(moving.bytes) {
                Ok(row) => {
                    rows.push(row);
                    came.push(moving);
                }
                Err(error) => {
                    let reason = diagnose(&R::DEF, moving.bytes, error);
                    self.fail_holders(moving.members, &reason, &mut failed);
                }
            }
        }
        self.rows.reserve(rows.len());
        // Each row leaves its fence alone.
        rows.reverse();
        came.reverse();
        while let (Some(row), Some(moving)) = (rows.pop(), came.pop()) {
            if self.rows.is_keyed() && holds_key(&self.rows, &row) {
                let reason = RowMismatch::TwoRowsOfOneKey { column: self.key_column() };
                self.fail_holders(moving.members, &reason, &mut failed);
            } else if let Some(id) = insert(&mut self.rows, row, moving.bytes.len()) {
                self.rows.adopt_live(id, moving.created, moving.members);
            }
        }
        // Rows that only older views see do not say any more which sets held them.
        if outdated.is_empty() {
            for (version, ids) in raw.storage().deleted_rows() {
                adopt_deleted(&mut self.rows, raw, version, ids);
            }
        }
        for set in failed.iter().map(|failure| failure.set).chain(outdated.iter().copied()) {
            self.rows.forget_set(set);
        }
        // Older views of the typed table have as many rows as they had of the raw one, but for rows that failed.
        self.rows.adopt_counts(raw.storage().counts(), version);
        failed
    }

    fn key_column(&self) -> &'static str {
        let column = self.def.and_then(|def| def.primary_key);
        let column = column.and_then(|key| R::DEF.columns.get(usize::from(key)));
        column.map_or("", |column| column.name)
    }

    fn fail_holders(&self, members: &[Member], reason: &RowMismatch, failed: &mut Vec<SetFailure>) {
        for &(set, _) in members {
            if failed.iter().all(|failure| failure.set != set) {
                failed.push(SetFailure {
                    set,
                    table: self.id,
                    table_name: Arc::clone(&self.name),
                    row_type: R::DEF.name,
                    reason: reason.clone(),
                });
            }
        }
    }
}

fn adopt_deleted<R: Row>(rows: &mut Rows<R>, raw: &Rows<RawRow>, version: u64, deleted: &[u32]) {
    let mut ids = Vec::new();
    for slot in deleted.iter().filter_map(|&id| raw.storage().slot(RowId(id))) {
        let Some(bytes) = slot.row().map(RawRow::bytes) else { continue };
        let Ok(row) = R::decode_row(bytes) else { continue };
        let Some(id) = insert(rows, row, bytes.len()) else { continue };
        rows.adopt_deleted(id, slot.created(), slot.deleted());
        ids.push(id.0);
    }
    rows.retire_later(version, ids);
}

/// Puts a row into a slot and into all indexes; none if there is no room for it.
fn insert<R: Row>(rows: &mut Rows<R>, row: R, size: usize) -> Option<RowId> {
    let hasher = rows.indexes().hasher();
    let hash = if rows.is_keyed() {
        ByKey::hash_row(&row, hasher, &mut Writer::new())
    } else {
        ByBytes::hash_row(&row, hasher, &mut Writer::new())
    };
    rows.insert(row, size, hash)
}

fn holds_key<R: Row>(rows: &Rows<R>, row: &R) -> bool {
    let hash = ByKey::hash_row(row, rows.indexes().hasher(), &mut Writer::new());
    rows.find_live(hash, |held| held.key() == row.key()).is_some()
}
