//! Rows of tables that nobody mentioned yet: their encodings, as they came.

use super::store::TableStore;
use crate::bsatn::{Decode, DecodeError, Encode, Reader, Writer};
use crate::cache::membership::sets::{ListId, SetId};
use crate::cache::storage::slots::{RowId, SlotState};
use crate::cache::storage::stamp::Stamp;
use crate::schema::{IndexVisitor, Row, RowDef, Sats, SatsType, TypeRef};

/// A row of an unknown type.
pub(in crate::cache) struct RawRow(Box<[u8]>);

impl RawRow {
    pub(in crate::cache) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Encode for RawRow {
    fn encode(&self, out: &mut Writer) {
        out.bytes(&self.0);
    }

    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        reader.take_if_equal(&self.0)
    }
}

impl<'a> Decode<'a> for RawRow {
    const SIZE: Option<usize> = None;

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let len = reader.rest().len();
        Ok(Self(reader.bytes(len, "row")?.into()))
    }
}

impl Sats for RawRow {
    const TYPE: SatsType = SatsType::Array(TypeRef::of::<u8>());
}

impl Row for RawRow {
    const DEF: RowDef = RowDef { name: "raw row", columns: &[], lenient: false };

    type Key = ();

    fn key(&self) -> &() {
        &()
    }

    fn decode_key(_: &mut Reader<'_>) -> Result<(), DecodeError> {
        Ok(())
    }

    fn visit_indexes(_: &mut impl IndexVisitor<Self>) {}
}

/// A raw row on its way to a typed table.
pub(in crate::cache) struct Moving<'a> {
    pub(in crate::cache) bytes: &'a [u8],
    pub(in crate::cache) list: ListId,
    pub(in crate::cache) created: Stamp,
}

impl TableStore<RawRow> {
    /// The rows that new views see.
    pub(in crate::cache) fn live_rows(&self) -> impl Iterator<Item = Moving<'_>> {
        self.storage.used_slots().filter_map(|id| {
            let slot = self.storage.slot(id).filter(|slot| slot.state() == SlotState::Live)?;
            Some(Moving {
                bytes: slot.row()?.bytes(),
                list: self.membership.holders(id),
                created: slot.created(),
            })
        })
    }

    /// Returns `true` if none but `outdated` sets hold the row.
    pub(in crate::cache) fn is_outdated(&self, row: &Moving<'_>, outdated: &[SetId]) -> bool {
        // Every row is looked at, nearly always with nothing to look for.
        !outdated.is_empty()
            && self.membership.members_of(row.list).iter().all(|(set, _)| outdated.contains(set))
    }

    /// The rows that left and that some view may see, by the version with which they did.
    pub(in crate::cache) fn deleted_rows_of<'a>(
        &'a self,
        ids: &'a [u32],
    ) -> impl Iterator<Item = (Moving<'a>, Stamp)> {
        ids.iter().filter_map(|&id| {
            let id = RowId(id);
            let slot = self.storage.slot(id)?;
            let row =
                Moving { bytes: slot.row()?.bytes(), list: ListId::EMPTY, created: slot.created() };
            Some((row, slot.deleted()))
        })
    }
}
