//! Rows, tables and shorthands for the tests of the cache.

use core::cmp::Ordering;

use lightlike_core::bsatn::{self, Decode, DecodeError, Encode, Reader, Writer};
use lightlike_core::cache::{
    Cache, CacheConfig, Change, OutOfSync, Part, RowChange, SetId, Step, TableDiff, Transaction,
};
use lightlike_core::schema::{
    Column, ColumnDef, FieldDef, HasIndexes, HasKey, HasUniques, IndexDef, IndexVisitor, Indexed,
    Kind, MultiIndex, Plain, Primary, ProductDef, Row, RowDef, Sats, SatsType, Table, TableDef,
    TableKind, TypeRef, Unique,
};
use lightlike_core::wire::RowList;

pub(crate) const A: SetId = SetId(1);
pub(crate) const B: SetId = SetId(2);

/// Stands in for the derive of a struct: encoding, decoding, type and columns.
macro_rules! row {
    (struct $name:ident { $($field:ident: $ty:ty = $index:literal),* }) => {
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) struct $name { $(pub(crate) $field: $ty),* }

        impl Encode for $name {
            fn encode(&self, out: &mut Writer) {
                $(self.$field.encode(out);)*
            }

            fn matches(&self, reader: &mut Reader<'_>) -> bool {
                $(self.$field.matches(reader))&&*
            }
        }

        impl<'a> Decode<'a> for $name {
            const SIZE: Option<usize> = None;

            fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
                Ok(Self { $($field: Decode::decode(reader)?),* })
            }
        }

        impl Sats for $name {
            const TYPE: SatsType = SatsType::Product(ProductDef {
                name: Some(stringify!($name)),
                fields: &[$(FieldDef { name: Some(stringify!($field)), ty: TypeRef::of::<$ty>() }),*],
            });
        }

        impl $name {
            const ROW: RowDef = RowDef {
                lenient: false,
                name: stringify!($name),
                columns: &[$(ColumnDef { name: stringify!($field), ty: TypeRef::of::<$ty>() }),*],
            };
        }
    };
}

row!(
    struct Player { id: u64 = 0, name: String = 1, score: u32 = 2, online: bool = 3 }
);
row!(
    struct Message { sender: u32 = 0, text: String = 1 }
);
row!(
    struct Tick { id: u64 = 0 }
);

impl Player {
    pub(crate) const ID: Column<Self, u64, Kind<Primary, Plain>> =
        Column::new(0, "id", |row| &row.id);
    pub(crate) const NAME: Column<Self, String, Kind<Unique, Plain>> =
        Column::new(1, "name", |row| &row.name);
    pub(crate) const SCORE: Column<Self, u32, Kind<Plain, Indexed>> =
        Column::new(2, "score", |row| &row.score);
    pub(crate) const ONLINE: Column<Self, bool, Kind<Plain, Plain>> =
        Column::new(3, "online", |row| &row.online);
    pub(crate) const SCORE_ID: MultiIndex<Self, (u32, u64)> =
        MultiIndex::new(&[2, 0], |row| (&row.score, &row.id));
}

impl Row for Player {
    const DEF: RowDef = Self::ROW;

    type Key = u64;

    fn key(&self) -> &u64 {
        &self.id
    }

    fn decode_key(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
        u64::decode(reader)
    }

    fn visit_indexes(visitor: &mut impl IndexVisitor<Self>) {
        visitor.unique(1, |row| &row.name);
        visitor.ordered(&[2], |a, b| a.score.cmp(&b.score));
        visitor.ordered(&[2, 0], |a, b| -> Ordering { (a.score, a.id).cmp(&(b.score, b.id)) });
    }
}

impl Table for Player {
    type Row = Self;

    const DEF: TableDef = TableDef {
        name: "player",
        kind: TableKind::Table,
        row: Self::ROW,
        primary_key: Some(0),
        unique: &[0, 1],
        indexes: &[IndexDef { columns: &[2] }, IndexDef { columns: &[2, 0] }],
    };
}
impl HasKey for Player {}
impl HasUniques for Player {}
impl HasIndexes for Player {}

/// Tables of players of this name.
pub(crate) trait Players: Table<Row = Player> + HasKey + HasUniques + HasIndexes {}
impl Players for Player {}

/// The table of players without other indexes than that of the key: its updates are compacted.
pub(crate) struct PlainPlayer;

impl Table for PlainPlayer {
    type Row = Player;

    const DEF: TableDef = TableDef { unique: &[0], indexes: &[], ..<Player as Table>::DEF };
}
impl HasKey for PlainPlayer {}
impl HasUniques for PlainPlayer {}
impl HasIndexes for PlainPlayer {}
impl Players for PlainPlayer {}

/// A second table of players, with their key and without their other indexes.
pub(crate) struct Banned;

impl Table for Banned {
    type Row = Player;

    const DEF: TableDef =
        TableDef { name: "banned", unique: &[0], indexes: &[], ..<Player as Table>::DEF };
}
impl HasKey for Banned {}

impl Row for Message {
    const DEF: RowDef = Self::ROW;

    type Key = ();

    fn key(&self) -> &() {
        &()
    }

    fn decode_key(_: &mut Reader<'_>) -> Result<(), DecodeError> {
        Ok(())
    }

    fn visit_indexes(_: &mut impl IndexVisitor<Self>) {}
}

impl Table for Message {
    type Row = Self;

    const DEF: TableDef = TableDef {
        name: "message",
        kind: TableKind::Table,
        row: Self::ROW,
        primary_key: None,
        unique: &[],
        indexes: &[],
    };
}

impl Row for Tick {
    const DEF: RowDef = Self::ROW;

    type Key = ();

    fn key(&self) -> &() {
        &()
    }

    fn decode_key(_: &mut Reader<'_>) -> Result<(), DecodeError> {
        Ok(())
    }

    fn visit_indexes(_: &mut impl IndexVisitor<Self>) {}
}

impl Table for Tick {
    type Row = Self;

    const DEF: TableDef = TableDef {
        name: "tick",
        kind: TableKind::Event,
        row: Self::ROW,
        primary_key: None,
        unique: &[],
        indexes: &[],
    };
}

pub(crate) fn player(id: u64, score: u32) -> Player {
    Player { id, name: format!("player {id}"), score, online: true }
}

pub(crate) fn message(sender: u32, text: &str) -> Message {
    Message { sender, text: text.into() }
}

pub(crate) fn bytes(row: &impl Encode) -> Vec<u8> {
    bsatn::to_vec(row).unwrap()
}

pub(crate) fn list<R: Encode>(rows: &[R]) -> RowList {
    RowList::from_rows(rows.iter().map(bytes))
}

pub(crate) fn inserts<T: Table<Row: Clone>>(set: SetId, rows: &[T::Row]) -> Part {
    Part::Inserts { set, table: T::DEF.name.into(), rows: list(rows) }
}

pub(crate) fn deletes<T: Table<Row: Clone>>(set: SetId, rows: &[T::Row]) -> Part {
    Part::Deletes { set, table: T::DEF.name.into(), rows: list(rows) }
}

pub(crate) fn events<T: Table<Row: Clone>>(set: SetId, rows: &[T::Row]) -> Part {
    events_of::<T>(set, 0, rows)
}

/// Events of one query without a join, which a message brought.
pub(crate) fn events_of<T: Table<Row: Clone>>(set: SetId, message: u64, rows: &[T::Row]) -> Part {
    Part::Events { set, table: T::DEF.name.into(), rows: list(rows), message, distinct: true }
}

/// Events of a query that may return one several times.
pub(crate) fn repeating<T: Table<Row: Clone>>(set: SetId, message: u64, rows: &[T::Row]) -> Part {
    Part::Events { set, table: T::DEF.name.into(), rows: list(rows), message, distinct: false }
}

/// A cache that knows the types of all tables here.
pub(crate) fn cache() -> Cache {
    cache_with(CacheConfig::default())
}

/// A cache that knows the types of all tables here.
pub(crate) fn cache_with(config: CacheConfig) -> Cache {
    let mut cache = Cache::new(config);
    cache.register::<Player>().unwrap();
    cache.register::<Message>().unwrap();
    cache.register::<Tick>().unwrap();
    cache
}

/// Applies a change in steps of `rows`.
pub(crate) fn try_apply_by(
    cache: &mut Cache,
    rows: usize,
    parts: impl Into<Vec<Part>>,
) -> Result<Transaction, OutOfSync> {
    cache.begin(Change::of(parts.into()));
    loop {
        match cache.step(rows) {
            Step::More => assert!(!cache.is_waiting_for_views(), "views are held"),
            Step::Committed(transaction) => return Ok(transaction),
            Step::OutOfSync(error) => return Err(error),
        }
    }
}

pub(crate) fn try_apply(
    cache: &mut Cache,
    parts: impl Into<Vec<Part>>,
) -> Result<Transaction, OutOfSync> {
    try_apply_by(cache, usize::MAX, parts)
}

pub(crate) fn apply(cache: &mut Cache, parts: impl Into<Vec<Part>>) -> Transaction {
    try_apply(cache, parts).unwrap()
}

/// Change of a row, owned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Seen<R> {
    Insert(R),
    Update(R, R),
    Delete(R),
    Event(R),
}

pub(crate) fn changes_of<T: Table<Row: Clone>>(
    diff: &TableDiff,
    tx: &Transaction,
) -> Vec<Seen<T::Row>> {
    let changes = diff.changes::<T>(tx).expect("the table's type");
    changes
        .map(|change| match change {
            RowChange::Insert(row) => Seen::Insert(row.clone()),
            RowChange::Update { old, new } => Seen::Update(old.clone(), new.clone()),
            RowChange::Delete(row) => Seen::Delete(row.clone()),
            RowChange::Event(row) => Seen::Event(row.clone()),
        })
        .collect()
}

/// Changes of a transaction in the table `T`.
pub(crate) fn changes<T: Table<Row: Clone>>(tx: &Transaction) -> Vec<Seen<T::Row>> {
    let diff = tx.tables().iter().find(|diff| diff.name() == T::DEF.name);
    diff.map_or_else(Vec::new, |diff| changes_of::<T>(diff, tx))
}

/// The rows of `T` that a new view sees, sorted.
pub(crate) fn rows<T: Table<Row: Clone + Ord>>(cache: &Cache) -> Vec<T::Row> {
    rows_in::<T>(&cache.reader().read())
}

pub(crate) fn rows_in<T: Table<Row: Clone + Ord>>(
    view: &lightlike_core::cache::View,
) -> Vec<T::Row> {
    let table = view.table::<T>().expect("a registered table");
    let mut rows: Vec<_> = table.iter().cloned().collect();
    assert_eq!(table.len(), rows.len());
    rows.sort();
    rows
}
