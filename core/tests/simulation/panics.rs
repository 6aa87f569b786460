//! Rows of the table `t` whose code panics now and then: wherever the machine runs it.

use core::cell::Cell;

use lightlike_core::bsatn::{Decode, DecodeError, Encode, Reader, Writer};
use lightlike_core::cache::{LocalTx, Mutation};
use lightlike_core::conn::Connection;
use lightlike_core::schema::{
    ClientIndex, Column, ColumnDef, FieldDef, HasKey, IndexDef, IndexVisitor, Kind, Plain, Primary,
    ProductDef, Row, RowDef, Sats, SatsType, Table, TableDef, TableKind, TypeRef,
};

use crate::Random;
use crate::rows::Rows;
use crate::server::Act;

std::thread_local! {
    /// The number of calls of the rows' code before one panics, if one does.
    static FUSE: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Called wherever code of the rows runs.
fn burn() {
    let left = FUSE.take();
    match left {
        Some(0) => std::panic::panic_any("on purpose"),
        _ => FUSE.set(left.map(|left| left - 1)),
    }
}

/// A row, indexed by its value.
#[derive(Debug)]
pub(crate) struct Shaky {
    id: u32,
    value: u32,
}

impl Drop for Shaky {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            burn();
        }
    }
}

impl Shaky {
    const ID: Column<Self, u32, Kind<Primary, Plain>> = Column::new(0, "id", |row| &row.id);
    const VALUE: Column<Self, u32, Kind<Plain, Plain>> = Column::new(1, "value", |row| {
        burn();
        &row.value
    });
}

impl Encode for Shaky {
    fn encode(&self, out: &mut Writer) {
        burn();
        self.id.encode(out);
        self.value.encode(out);
    }

    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        burn();
        self.id.matches(reader) && self.value.matches(reader)
    }
}

impl<'a> Decode<'a> for Shaky {
    const SIZE: Option<usize> = Some(8);

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        burn();
        let (id, value) = (u32::decode(reader)?, u32::decode(reader)?);
        Ok(Self { id, value })
    }
}

impl Sats for Shaky {
    const TYPE: SatsType = SatsType::Product(ProductDef {
        name: Some("Shaky"),
        fields: &[
            FieldDef { name: Some("id"), ty: TypeRef::of::<u32>() },
            FieldDef { name: Some("value"), ty: TypeRef::of::<u32>() },
        ],
    });
}

impl Row for Shaky {
    const DEF: RowDef = RowDef {
        lenient: false,
        name: "Shaky",
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
        burn();
        u32::decode(reader)
    }

    fn visit_indexes(visitor: &mut impl IndexVisitor<Self>) {
        visitor.ordered(&[1], |a, b| {
            burn();
            a.value.cmp(&b.value)
        });
    }
}

impl Table for Shaky {
    type Row = Self;

    const DEF: TableDef = TableDef {
        name: "t",
        kind: TableKind::Table,
        row: <Self as Row>::DEF,
        primary_key: Some(0),
        unique: &[0],
        indexes: &[IndexDef { columns: &[1] }],
    };
}
impl HasKey for Shaky {}

impl Rows for Shaky {
    const FAILS: bool = true;

    fn pair(&self) -> (u32, u32) {
        (self.id, self.value)
    }

    fn mutation(act: Act) -> Box<dyn Mutation> {
        // What it captures is dropped with it.
        let captured = Self { id: 0, value: 0 };
        Box::new(move |tx: &mut LocalTx| {
            burn();
            let _captured = &captured;
            match act {
                Act::Put(id, value) => tx.upsert(Self { id, value }),
                Act::Remove(id) => {
                    tx.delete_by(Self::ID, &id);
                }
                Act::Slide(id, value) => {
                    if tx.find(Self::ID, &id).is_some() {
                        tx.update(Self { id, value });
                    }
                }
                Act::Increment(id) => {
                    let Some(value) = tx.find(Self::ID, &id).map(|row| row.value) else { return };
                    tx.update(Self { id, value: value + 1 });
                }
                Act::Add(_) | Act::Refuse => (),
            }
        })
    }

    fn index(connection: &mut Connection) {
        // It may be refused, for the panic; then nothing is changed.
        drop(connection.add_index::<Self, u32>(ClientIndex::on(Self::VALUE)));
    }

    fn may_fail(random: &mut Random) {
        FUSE.set(random.chance(40).then(|| random.below(60)));
    }

    fn calm() {
        FUSE.set(None);
    }
}
