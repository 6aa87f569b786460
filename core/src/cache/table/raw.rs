//! Rows of tables that the program does not mention: their encodings, as they came.

use crate::bsatn::{Decode, DecodeError, Encode, Reader, Writer};
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
