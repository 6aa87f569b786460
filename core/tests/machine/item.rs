//! A row with a key, as the derive would make it: the table `t` for those who mention it.

use lightlike_core::bsatn::{Decode, DecodeError, Encode, Reader, Writer};
use lightlike_core::schema::{
    Column, ColumnDef, FieldDef, HasKey, IndexVisitor, Kind, Plain, Primary, ProductDef, Row,
    RowDef, Sats, SatsType, Table, TableDef, TableKind, TypeRef,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Item {
    pub(crate) id: u32,
    pub(crate) value: u32,
}

#[allow(dead_code, reason = "not every test that shares this uses it")]
pub(crate) fn item(id: u32, value: u32) -> Item {
    Item { id, value }
}

impl Item {
    pub(crate) const ID: Column<Self, u32, Kind<Primary, Plain>> =
        Column::new(0, "id", |row| &row.id);

    #[allow(dead_code, reason = "not every test that shares this uses it")]
    pub(crate) const VALUE: Column<Self, u32, Kind<Plain, Plain>> =
        Column::new(1, "value", |row| &row.value);

    pub(crate) fn bytes(self) -> [u8; 8] {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&self.id.to_le_bytes());
        bytes[4..].copy_from_slice(&self.value.to_le_bytes());
        bytes
    }
}

impl Encode for Item {
    fn encode(&self, out: &mut Writer) {
        out.bytes(&self.bytes());
    }

    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        reader.take_if_equal(&self.bytes())
    }
}

impl<'a> Decode<'a> for Item {
    const SIZE: Option<usize> = Some(8);

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { id: u32::decode(reader)?, value: u32::decode(reader)? })
    }
}

impl Sats for Item {
    const TYPE: SatsType = SatsType::Product(ProductDef {
        name: Some("Item"),
        fields: &[
            FieldDef { name: Some("id"), ty: TypeRef::of::<u32>() },
            FieldDef { name: Some("value"), ty: TypeRef::of::<u32>() },
        ],
    });
}

impl Row for Item {
    const DEF: RowDef = RowDef {
        lenient: false,
        name: "Item",
        columns: &[
            ColumnDef { name: "id", ty: TypeRef::of::<u32>() },
            ColumnDef { name: "value", ty: TypeRef::of::<u32>() },
        ],
    };

    type Key = u32;

    fn key(&self) -> &u32 {
        &self.id
    }

    fn decode_key(reader: &mut Reader<'_>) -> Result<u32, DecodeError> {
        u32::decode(reader)
    }

    fn visit_indexes(_: &mut impl IndexVisitor<Self>) {}
}

impl Table for Item {
    type Row = Self;

    const DEF: TableDef = TableDef {
        name: "t",
        kind: TableKind::Table,
        row: <Self as Row>::DEF,
        primary_key: Some(0),
        unique: &[0],
        indexes: &[],
    };
}
impl HasKey for Item {}
