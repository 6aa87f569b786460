//! Speed of applying and reading rows like those of a game: a `u64` key, an identity, five numbers and a name.
//!
//! Run with `cargo bench -p lightlike-core --bench cache`. Times are CPU time of this thread, the least of some runs;
//! each answer is checked. Memory is what the process takes from the system.

#![expect(clippy::print_stdout, reason = "it is what a benchmark is for")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails should stop")]

use core::hash::BuildHasher;
use core::hint::black_box;

use lightlike_core::bsatn::{self, Decode, DecodeError, Encode, Reader, Writer};
use lightlike_core::cache::{Cache, Change, Part, RowChange, SetId, Step, Transaction};
use lightlike_core::schema::{
    Column, ColumnDef, HasKey, IndexVisitor, Kind, Plain, Primary, ProductDef, Row, RowDef, Sats,
    SatsType, Table, TableDef, TableKind,
};
use lightlike_core::types::Identity;
use lightlike_core::wire::RowList;

const ROWS: u64 = 1_000_000;
const FINDS: u64 = 1_000_000;
const HELD: u64 = 100_000;
const UPDATED: u64 = 10_000;
/// As many rows as a machine applies between two looks at its socket.
const STEP_ROWS: usize = 1024;

fn main() {
    // `cargo test` runs benchmarks too, with this argument missing: then they are not worth their time.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    // Names of cases choose among them.
    let chosen: Vec<_> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let cases: [(&str, fn()); 6] = [
        ("floor", floor),
        ("apply", first_lists),
        ("keyed", keyed),
        ("keyless", keyless),
        ("updates", updates),
        ("events", events),
    ];
    for (name, run) in cases {
        if chosen.is_empty() || chosen.iter().any(|other| other == name) {
            run();
        }
    }
}

/// The same as the first line of `keyed`, some times over.
fn first_lists() {
    let frame = list((0..ROWS).map(Entity::numbered));
    let mut best = f64::MAX;
    for _ in 0..5 {
        let mut cache = Cache::default();
        cache.register::<Entity>().unwrap();
        let (tx, cpu) = timed(|| apply(&mut cache, vec![insert("entity", &frame)]));
        assert_eq!(tx.tables()[0].len(), ROWS as usize);
        best = best.min(cpu);
    }
    row("apply 1,000,000 new keyed rows, warm", best * 1e3, "ms");
}

fn keyed() {
    let frame = list((0..ROWS).map(Entity::numbered));
    let before = resident();
    let mut cache = Cache::default();
    cache.register::<Entity>().unwrap();
    let (tx, cpu) = timed(|| apply(&mut cache, vec![insert("entity", &frame)]));
    assert_eq!(tx.tables()[0].len(), ROWS as usize);
    drop(tx);
    row("apply 1,000,000 new keyed rows", cpu * 1e3, "ms");
    row("  memory", (resident() - before) / ROWS as f64, "B/row");
    let (_, cpu) = timed(|| reclaim(&mut cache));
    row("  reclaim after it", cpu * 1e3, "ms");
    lookups(&cache);
    let (tx, cpu) = timed(|| {
        let rows = frame.clone();
        let part = Part::Inserts { set: SetId(2), table: "entity".into(), rows };
        apply(&mut cache, vec![part, Part::DropSet { set: SetId(1) }])
    });
    assert!(tx.is_empty());
    drop(tx);
    row("resync of 1,000,000 rows, all the same", cpu * 1e3, "ms");
    let (tx, cpu) = timed(|| apply(&mut cache, vec![Part::DropSet { set: SetId(2) }]));
    assert_eq!(tx.tables()[0].len(), ROWS as usize);
    drop(tx);
    row("drop a set of 1,000,000 rows", cpu * 1e3, "ms");
    let (_, cpu) = timed(|| reclaim(&mut cache));
    row("  reclaim after it", cpu * 1e3, "ms");
    let left = resident() - before;
    row("  memory left", left / 1e6, "MB");
}

fn lookups(cache: &Cache) {
    let reader = cache.reader();
    let (ids, expected) = ids();
    let view = reader.read();
    let table = view.table::<Entity>().unwrap();
    let find = |id: &u64| i64::from(table.find(Entity::ID, id).unwrap().hp);
    let best = least(1, || assert_eq!(ids.iter().map(find).sum::<i64>(), expected));
    row("find, table held", best * 1e9 / FINDS as f64, "ns");
    let find =
        |id: &u64| i64::from(view.table::<Entity>().unwrap().find(Entity::ID, id).unwrap().hp);
    let best = least(1, || assert_eq!(ids.iter().map(find).sum::<i64>(), expected));
    row("find, view held", best * 1e9 / FINDS as f64, "ns");
    let find = |id: &u64| {
        let view = reader.read();
        i64::from(view.table::<Entity>().unwrap().find(Entity::ID, id).unwrap().hp)
    };
    let best = least(1, || assert_eq!(ids.iter().map(find).sum::<i64>(), expected));
    row("find, read() for each", best * 1e9 / FINDS as f64, "ns");
    let best = least(1, || {
        black_box((0..FINDS).fold(0, |sum, _| sum + reader.read().version()));
    });
    row("read()", best * 1e9 / FINDS as f64, "ns");
    let total: i64 = (0..ROWS).map(|id| i64::from(Entity::numbered(id).hp)).sum();
    let best =
        least(16, || assert_eq!(table.iter().map(|row| i64::from(row.hp)).sum::<i64>(), total));
    row("iterate by fold, a row", best * 1e9 / ROWS as f64, "ns");
    let best = least(16, || {
        let mut sum = 0;
        for row in &mut table.iter() {
            sum += i64::from(row.hp);
        }
        assert_eq!(sum, total);
    });
    row("iterate by step, a row", best * 1e9 / ROWS as f64, "ns");
}

/// Measures looking up and iterating without a cache: rows in a `Vec`, their places in a hash table.
fn floor() {
    let rows: Vec<_> = (0..ROWS).map(Entity::numbered).collect();
    let hasher = foldhash::fast::RandomState::default();
    let hash = |id: u64| hasher.hash_one(id);
    let mut index = hashbrown::HashTable::with_capacity(rows.len());
    for (place, row) in (0_u32..).zip(&rows) {
        index.insert_unique(hash(row.id), place, |&place| hash(rows[place as usize].id));
    }
    let (ids, expected) = ids();
    let find = |&id: &u64| {
        let place = index.find(hash(id), |&place| rows[place as usize].id == id);
        i64::from(rows[*place.unwrap() as usize].hp)
    };
    let best = least(1, || assert_eq!(ids.iter().map(find).sum::<i64>(), expected));
    row("floor: find in a bare hash index", best * 1e9 / FINDS as f64, "ns");
    let total: i64 = (0..ROWS).map(|id| i64::from(Entity::numbered(id).hp)).sum();
    let best =
        least(16, || assert_eq!(rows.iter().map(|row| i64::from(row.hp)).sum::<i64>(), total));
    row("floor: iterate a bare Vec, a row", best * 1e9 / ROWS as f64, "ns");
    let frame = list(rows.into_iter());
    let (decoded, cpu) = timed(|| {
        let decode = |bytes| bsatn::from_slice::<Entity>(bytes).unwrap();
        frame.iter().map(decode).collect::<Vec<_>>()
    });
    assert_eq!(decoded.len(), ROWS as usize);
    row("floor: decode 1,000,000 rows into a Vec", cpu * 1e3, "ms");
}

/// Keys to look up, and what the rows' `hp` come to.
fn ids() -> (Vec<u64>, i64) {
    let mut random = 0x1234_5678_9abc_def1_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % ROWS
    };
    let ids: Vec<u64> = (0..FINDS).map(|_| next()).collect();
    let expected = ids.iter().map(|&id| i64::from(Entity::numbered(id).hp)).sum();
    (ids, expected)
}

fn keyless() {
    const MESSAGES: u64 = 500_000;
    let frame = list((0..MESSAGES).map(Message::numbered));
    let before = resident();
    let mut cache = Cache::default();
    cache.register::<Message>().unwrap();
    let (tx, cpu) = timed(|| apply(&mut cache, vec![insert("message", &frame)]));
    assert_eq!(tx.tables()[0].len(), MESSAGES as usize);
    drop(tx);
    row("apply 500,000 new rows without a key", cpu * 1e3, "ms");
    row("  memory", (resident() - before) / MESSAGES as f64, "B/row");
}

fn updates() {
    let mut cache = Cache::default();
    cache.register::<Entity>().unwrap();
    let first = list((0..HELD).map(Entity::numbered));
    drop(apply(&mut cache, vec![insert("entity", &first)]));
    let moved = |round: u64| {
        list((0..UPDATED).map(move |id| Entity { x: round as f32, ..Entity::numbered(id) }))
    };
    let mut old = list((0..UPDATED).map(Entity::numbered));
    // Too short for the clock one by one.
    const ROUNDS: u64 = 30;
    let (mut applying, mut reclaiming) = (0.0, 0.0);
    for round in 1..=ROUNDS {
        let new = moved(round);
        let (_, cpu) = timed(|| {
            let tx = apply(&mut cache, vec![insert("entity", &new), delete("entity", &old)]);
            let diff = &tx.tables()[0];
            let changes = diff.changes::<Entity>(&tx).unwrap();
            let updates = changes.filter(|change| matches!(change, RowChange::Update { .. }));
            assert_eq!(updates.count(), UPDATED as usize);
        });
        let (_, reclaim) = timed(|| reclaim(&mut cache));
        applying += cpu;
        reclaiming += reclaim;
        old = new;
    }
    row("update 10,000 of 100,000, a row", applying * 1e9 / (ROUNDS * UPDATED) as f64, "ns");
    row("  reclaim after it, a row", reclaiming * 1e9 / (ROUNDS * UPDATED) as f64, "ns");
}

fn events() {
    let mut cache = Cache::default();
    cache.register::<Tick>().unwrap();
    let rows = RowList::from_rows((0..10_000_u64).map(|id| bsatn::to_vec(&id).unwrap()));
    let mut once = || {
        let part = Part::Events {
            set: SetId(1),
            table: "tick".into(),
            rows: rows.clone(),
            message: 0,
            distinct: true,
        };
        let tx = apply(&mut cache, vec![part]);
        let sum =
            tx.tables()[0].changes::<Tick>(&tx).unwrap().fold(0, |sum, change| match change {
                RowChange::Event(tick) => sum + tick.0,
                _ => sum,
            });
        assert_eq!(sum, 10_000 * 9_999 / 2);
    };
    let best = least(1000, &mut once);
    row("10,000 events, a row", best * 1e9 / 10_000.0, "ns");
}

fn list<R: Encode>(rows: impl Iterator<Item = R>) -> RowList {
    RowList::from_rows(rows.map(|row| bsatn::to_vec(&row).unwrap()))
}

fn insert(table: &'static str, rows: &RowList) -> Part {
    Part::Inserts { set: SetId(1), table: table.into(), rows: rows.clone() }
}

fn delete(table: &'static str, rows: &RowList) -> Part {
    Part::Deletes { set: SetId(1), table: table.into(), rows: rows.clone() }
}

fn apply(cache: &mut Cache, parts: Vec<Part>) -> Transaction {
    cache.begin(Change::of(parts));
    loop {
        match cache.step(STEP_ROWS) {
            Step::More => (),
            Step::Committed(transaction) => return transaction,
            Step::OutOfSync(error) => panic!("{error}"),
        }
    }
}

fn reclaim(cache: &mut Cache) {
    while cache.reclaim(STEP_ROWS) {}
}

fn row(what: &str, value: f64, unit: &str) {
    println!("{what:<42} {value:>9.1} {unit}");
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = cpu();
    let done = work();
    (done, cpu() - start)
}

/// The least of some runs, in seconds. The clock of CPU time is coarse, so a run is `times` times the work.
fn least(times: usize, mut work: impl FnMut()) -> f64 {
    let run = |_| timed(|| (0..times).for_each(|_| work())).1 / times as f64;
    (0..8).map(run).fold(f64::MAX, f64::min)
}

/// CPU time of this thread in seconds.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// Resident memory of this process, in bytes.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}

#[derive(Debug, Clone, PartialEq)]
struct Entity {
    id: u64,
    owner: Identity,
    x: f32,
    y: f32,
    z: f32,
    hp: i32,
    name: String,
}

impl Entity {
    const ID: Column<Self, u64, Kind<Primary, Plain>> = Column::new(0, "id", |row| &row.id);

    fn numbered(id: u64) -> Self {
        let mixed = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let coordinate = |bits: u64| (bits & 0xff_ffff) as f32 / 4096.0;
        Self {
            id,
            owner: Identity::from_be_bytes([7; 32]),
            x: coordinate(mixed),
            y: coordinate(mixed >> 24),
            z: coordinate(mixed >> 40),
            hp: (mixed >> 48) as i32 % 1000,
            name: format!("name{:08}", id % 100_000_000),
        }
    }
}

impl Encode for Entity {
    fn encode(&self, out: &mut Writer) {
        self.id.encode(out);
        self.owner.encode(out);
        self.x.encode(out);
        self.y.encode(out);
        self.z.encode(out);
        self.hp.encode(out);
        self.name.encode(out);
    }

    #[inline]
    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        self.id.matches(reader)
            && self.owner.matches(reader)
            && self.x.matches(reader)
            && self.y.matches(reader)
            && self.z.matches(reader)
            && self.hp.matches(reader)
            && self.name.matches(reader)
    }
}

impl<'a> Decode<'a> for Entity {
    const SIZE: Option<usize> = None;

    #[inline]
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        // As the derive does it: the fields of constant size are checked once.
        let mut fixed = reader.fixed(56, "Entity")?;
        Ok(Self {
            id: Decode::decode(&mut fixed)?,
            owner: Decode::decode(&mut fixed)?,
            x: Decode::decode(&mut fixed)?,
            y: Decode::decode(&mut fixed)?,
            z: Decode::decode(&mut fixed)?,
            hp: Decode::decode(&mut fixed)?,
            name: Decode::decode(reader)?,
        })
    }
}

impl Sats for Entity {
    const TYPE: SatsType = SatsType::Product(ProductDef { name: Some("Entity"), fields: &[] });
}

impl Row for Entity {
    const DEF: RowDef = RowDef { name: "Entity", columns: NO_COLUMNS, lenient: false };

    type Key = u64;

    fn key(&self) -> &u64 {
        &self.id
    }

    fn decode_key(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
        u64::decode(reader)
    }

    fn visit_indexes(_: &mut impl IndexVisitor<Self>) {}
}

/// Names are for errors, of which there are none.
const NO_COLUMNS: &[ColumnDef] = &[];

impl Table for Entity {
    type Row = Self;

    const DEF: TableDef = TableDef {
        name: "entity",
        kind: TableKind::Table,
        row: <Self as Row>::DEF,
        primary_key: Some(0),
        unique: &[0],
        indexes: &[],
    };
}
impl HasKey for Entity {}

/// A row that only its whole content identifies.
#[derive(Debug)]
struct Message {
    sender: Identity,
    sent: i64,
    text: String,
}

impl Message {
    fn numbered(id: u64) -> Self {
        let text = format!("{id:09} a text of some forty letters");
        Self { sender: Identity::from_be_bytes([7; 32]), sent: id as i64, text }
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Writer) {
        self.sender.encode(out);
        self.sent.encode(out);
        self.text.encode(out);
    }

    #[inline]
    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        self.sender.matches(reader) && self.sent.matches(reader) && self.text.matches(reader)
    }
}

impl<'a> Decode<'a> for Message {
    const SIZE: Option<usize> = None;

    #[inline]
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut fixed = reader.fixed(40, "Message")?;
        let (sender, sent) = (Decode::decode(&mut fixed)?, Decode::decode(&mut fixed)?);
        Ok(Self { sender, sent, text: Decode::decode(reader)? })
    }
}

/// A row of an event table.
#[derive(Debug)]
struct Tick(u64);

impl Encode for Tick {
    fn encode(&self, out: &mut Writer) {
        self.0.encode(out);
    }
}

impl<'a> Decode<'a> for Tick {
    const SIZE: Option<usize> = Some(8);

    #[inline]
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Decode::decode(reader).map(Self)
    }
}

macro_rules! keyless {
    ($row:ident, $name:literal, $kind:ident) => {
        impl Sats for $row {
            const TYPE: SatsType = SatsType::Product(ProductDef { name: Some($name), fields: &[] });
        }

        impl Row for $row {
            const DEF: RowDef = RowDef { name: $name, columns: NO_COLUMNS, lenient: false };

            type Key = ();

            fn key(&self) -> &() {
                &()
            }

            fn decode_key(_: &mut Reader<'_>) -> Result<(), DecodeError> {
                Ok(())
            }

            fn visit_indexes(_: &mut impl IndexVisitor<Self>) {}
        }

        impl Table for $row {
            type Row = Self;

            const DEF: TableDef = TableDef {
                name: $name,
                kind: TableKind::$kind,
                row: <Self as Row>::DEF,
                primary_key: None,
                unique: &[],
                indexes: &[],
            };
        }
    };
}

keyless!(Message, "message", Table);
keyless!(Tick, "tick", Event);
