//! Whatever a server says, the cache is what a model of a few maps is.
//!
//! A database of rows is made up, with query sets that match some of them, some several times. Its transactions become
//! messages as a server sends them, or broken ones; the cache and the model get the same.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use lightlike_core::cache::{
    Cache, CacheConfig, CacheReader, Change, Part, SetId, Step, TableId, Transaction, View,
};
use lightlike_core::schema::{ClientIndex, Table};
use lightlike_core::wire::RowList;
use proptest::collection::vec;
use proptest::prelude::*;

use super::model::{Bytes, Happened, Impossible, Model};
use super::support::*;

/// A query: rows of a table whose bytes add up to one of some numbers.
#[derive(Debug, Clone)]
struct Query {
    table: &'static str,
    modulus: u32,
    rests: u32,
}

impl Query {
    fn matches(&self, row: &[u8]) -> bool {
        let sum: u32 = row.iter().map(|&byte| u32::from(byte)).sum();
        sum % self.modulus < self.rests
    }
}

#[derive(Debug, Clone)]
enum Op {
    /// Rows are put (by key) or removed, and the server tells all sets.
    Transaction(Vec<RowOp>),
    Subscribe(Vec<Query>),
    Unsubscribe(usize),
    /// The server sends all sets anew, and the old ones are dropped in the same change.
    Resync,
    /// A transaction of which the message is damaged: a part is lost, or doubled, or a row in it is.
    Broken(Vec<RowOp>, Damage),
    /// A transaction that is given up after some steps, then sent again.
    Aborted(Vec<RowOp>, usize),
    Ticks(Vec<u64>),
    HoldView,
    DropView(usize),
    Reclaim(usize),
    /// A first mention, of the first, second or third table.
    Register(usize),
}

#[derive(Debug, Clone)]
enum RowOp {
    PutPlayer(u64, u32),
    RemovePlayer(u64),
    PutMessage(u32),
    RemoveMessage(u32),
}

#[derive(Debug, Clone)]
enum Damage {
    LosePart(usize),
    DoublePart(usize),
    ChangeRow { part: usize, row: usize, byte: usize, to: u8 },
    CutRow { part: usize, row: usize, len: usize },
}

fn row_ops() -> impl Strategy<Value = Vec<RowOp>> {
    let op = prop_oneof![
        4 => (0..24_u64, 0..4_u32).prop_map(|(id, score)| RowOp::PutPlayer(id, score)),
        2 => (0..24_u64).prop_map(RowOp::RemovePlayer),
        2 => (0..12_u32).prop_map(RowOp::PutMessage),
        1 => (0..12_u32).prop_map(RowOp::RemoveMessage),
    ];
    vec(op, 0..12)
}

fn queries() -> impl Strategy<Value = Vec<Query>> {
    let table = prop_oneof![3 => Just("player"), 1 => Just("message")];
    let query = (table, 1..4_u32, 1..3_u32).prop_map(|(table, modulus, rests)| Query {
        table,
        modulus,
        rests,
    });
    vec(query, 1..4)
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        any::<usize>().prop_map(Damage::LosePart),
        any::<usize>().prop_map(Damage::DoublePart),
        (any::<usize>(), any::<usize>(), any::<usize>(), 0..8_u8)
            .prop_map(|(part, row, byte, to)| Damage::ChangeRow { part, row, byte, to }),
        (any::<usize>(), any::<usize>(), any::<usize>())
            .prop_map(|(part, row, len)| Damage::CutRow { part, row, len }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => row_ops().prop_map(Op::Transaction),
        3 => queries().prop_map(Op::Subscribe),
        1 => any::<usize>().prop_map(Op::Unsubscribe),
        1 => Just(Op::Resync),
        2 => (row_ops(), damage()).prop_map(|(ops, damage)| Op::Broken(ops, damage)),
        1 => (row_ops(), 0..40_usize).prop_map(|(ops, steps)| Op::Aborted(ops, steps)),
        1 => vec(0..4_u64, 0..5).prop_map(Op::Ticks),
        2 => Just(Op::HoldView),
        2 => any::<usize>().prop_map(Op::DropView),
        2 => (1..40_usize).prop_map(Op::Reclaim),
        1 => (0..4_usize).prop_map(Op::Register),
    ]
}

/// The database, by table and key.
type Database = BTreeMap<&'static str, BTreeMap<Bytes, Bytes>>;

/// `P` is the table of players.
struct World<P> {
    cache: Cache,
    reader: CacheReader,
    model: Model,
    database: Database,
    sets: Vec<(SetId, Vec<Query>)>,
    next_set: u32,
    /// Held views, with what they saw.
    views: Vec<(View, BTreeMap<&'static str, BTreeSet<Bytes>>)>,
    step_rows: usize,
    players: PhantomData<P>,
}

const TABLES: [&str; 3] = ["player", "message", "tick"];

impl<P: Players> World<P> {
    fn new(step_rows: usize, first_version: u64) -> Self {
        let mut config = CacheConfig::default();
        config.first_version = first_version;
        let cache = Cache::new(config);
        let reader = cache.reader();
        Self {
            cache,
            reader,
            model: Model::default(),
            database: Database::new(),
            sets: Vec::new(),
            next_set: 1,
            views: Vec::new(),
            step_rows,
            players: PhantomData,
        }
    }

    fn run(&mut self, op: &Op) {
        match op {
            Op::Transaction(ops) => {
                let change = self.transact(ops);
                self.apply(change);
            }
            Op::Subscribe(queries) => {
                let set = self.new_set();
                let empty = Database::new();
                let parts = parts_of(set, queries, &empty, &self.database);
                self.sets.push((set, queries.clone()));
                self.apply(Change::of(parts));
            }
            Op::Unsubscribe(which) if !self.sets.is_empty() => {
                let (set, _) = self.sets.swap_remove(which % self.sets.len());
                self.apply(Change::of(vec![Part::DropSet { set }]));
            }
            Op::Resync => self.resync(),
            Op::Broken(ops, damage) => {
                // Rows of unknown types have no keys, and anything is one: less can be wrong.
                (0..3).for_each(|which| self.register(which));
                let mut change = self.transact(ops);
                damaged(&mut change, damage);
                self.apply(change);
                // Whether or not anybody noticed, the sets may differ from the database by now.
                self.resync();
            }
            Op::Aborted(ops, steps) => {
                let change = self.transact(ops);
                self.cache.begin(change.clone());
                for _ in 0..*steps {
                    if !matches!(self.cache.step(1), Step::More) {
                        // It went through: what it did is looked at when all is resynced.
                        self.model.apply(&change).unwrap();
                        return;
                    }
                }
                self.cache.abort();
                self.check();
                self.apply(change);
            }
            Op::Ticks(ids) => {
                let ticks: Vec<_> = ids.iter().map(|&id| Tick { id }).collect();
                self.apply(Change::of(vec![events::<Tick>(SetId(1), &ticks)]));
            }
            Op::HoldView => {
                let seen = TABLES.map(|table| (table, self.model.rows(table)));
                self.views.push((self.reader.read(), seen.into()));
            }
            Op::DropView(which) if !self.views.is_empty() => {
                self.views.swap_remove(which % self.views.len());
            }
            Op::Reclaim(rows) => {
                self.cache.reclaim(*rows);
            }
            Op::Register(which) => self.register(*which),
            Op::Unsubscribe(_) | Op::DropView(_) => (),
        }
        self.check();
    }

    fn register(&mut self, which: usize) {
        let registered = match which {
            0 => self.cache.register::<P>(),
            1 => self.cache.register::<Message>(),
            2 if P::DEF.indexes.is_empty() => return,
            2 => self.cache.add_index::<P, _>(BY_NAME),
            _ => self.cache.register::<Tick>(),
        };
        assert!(registered.unwrap().failed.is_empty());
    }

    fn new_set(&mut self) -> SetId {
        self.next_set += 1;
        SetId(self.next_set)
    }

    /// Changes the database; what the server says about it.
    fn transact(&mut self, ops: &[RowOp]) -> Change {
        let before = self.database.clone();
        for op in ops {
            let (table, key, row) = match op {
                RowOp::PutPlayer(id, score) => {
                    ("player", id.to_le_bytes().to_vec(), Some(bytes(&player(*id, *score))))
                }
                RowOp::RemovePlayer(id) => ("player", id.to_le_bytes().to_vec(), None),
                RowOp::PutMessage(sender) => {
                    let row = bytes(&message(*sender, "hi"));
                    ("message", row.clone(), Some(row))
                }
                RowOp::RemoveMessage(sender) => ("message", bytes(&message(*sender, "hi")), None),
            };
            let rows = self.database.entry(table).or_default();
            match row {
                Some(row) => rows.insert(key, row),
                None => rows.remove(&key),
            };
        }
        let sets = self.sets.iter();
        let parts =
            sets.flat_map(|(set, queries)| parts_of(*set, queries, &before, &self.database));
        Change::of(parts.collect())
    }

    fn resync(&mut self) {
        let old = core::mem::take(&mut self.sets);
        let mut parts = Vec::new();
        for (old, queries) in old {
            let set = self.new_set();
            parts.extend(parts_of(set, &queries, &Database::new(), &self.database));
            parts.push(Part::DropSet { set: old });
            self.sets.push((set, queries));
        }
        self.apply(Change::of(parts));
        for table in ["player", "message"] {
            let rows = self.database.get(table).into_iter().flat_map(BTreeMap::values);
            let queries: Vec<_> = self.sets.iter().flat_map(|(_, queries)| queries).collect();
            let matches = |row: &&Bytes| {
                queries.iter().any(|query| query.table == table && query.matches(row))
            };
            let expected: BTreeSet<_> = rows.filter(matches).cloned().collect();
            assert_eq!(self.model.rows(table), expected, "the model itself is wrong");
        }
    }

    /// Applies a change to the cache and to the model.
    fn apply(&mut self, change: Change) {
        let expected = self.model.apply(&change);
        match (try_apply_by(&mut self.cache, self.step_rows, change.parts), expected) {
            (Ok(transaction), Ok((happened, failed))) => {
                let sets = transaction.failed_sets().iter().map(|failure| failure.set);
                assert_eq!(sets.collect::<BTreeSet<_>>(), failed);
                self.check_transaction(&transaction, happened);
            }
            (Err(_), Err(Impossible)) => (),
            (got, expected) => panic!("{got:?} instead of {expected:?}"),
        }
        self.check();
    }

    fn check_transaction(&self, tx: &Transaction, mut happened: Happened) {
        for diff in tx.tables() {
            let changes = match diff.name() {
                "player" => encoded::<P>(tx),
                "message" => encoded::<Message>(tx),
                _ => encoded::<Tick>(tx),
            };
            // A table without a type has nothing to show.
            let (Some(mut changes), expected) = (changes, happened.remove(diff.name())) else {
                continue;
            };
            let mut expected = expected.expect("a table that changed");
            changes.sort();
            expected.sort();
            assert_eq!(changes, expected);
        }
        let registered = |table: &String| tx.after().table::<P>().is_some() && table == "player";
        assert!(!happened.keys().any(registered), "{happened:?} went unnoticed");
    }

    /// The cache is what the model is, and held views see what they saw.
    fn check(&self) {
        let view = self.reader.read();
        for table in TABLES {
            assert_eq!(seen_rows(&view, table), self.model.rows(table), "{table}");
        }
        for (view, seen) in &self.views {
            for (table, rows) in seen {
                assert_eq!(&seen_rows(view, table), rows, "{table} of a held view");
            }
            check_indexes::<P>(view);
        }
        check_indexes::<P>(&view);
    }

    /// Checks that nothing dead is left when nothing is held.
    fn check_nothing_leaks(mut self) {
        self.views.clear();
        let mut rounds = 0;
        while self.cache.reclaim(50) {
            rounds += 1;
            assert!(rounds < 1000, "reclaiming does not end");
        }
        for table in 0.. {
            let Some(usage) = self.cache.usage(TableId(table)) else { break };
            assert_eq!((usage.occupied, usage.retired), (usage.live, 0), "{usage:?}");
        }
        self.check();
    }
}

/// Parts that the server sends to a set when the database changes.
fn parts_of(set: SetId, queries: &[Query], before: &Database, after: &Database) -> Vec<Part> {
    let mut parts = Vec::new();
    for query in queries {
        let rows = |database: &Database| -> BTreeSet<Bytes> {
            let rows = database.get(query.table).into_iter().flat_map(BTreeMap::values);
            rows.filter(|row| query.matches(row)).cloned().collect()
        };
        let (before, after) = (rows(before), rows(after));
        let table = || query.table.into();
        let came = RowList::from_rows(after.difference(&before));
        let left = RowList::from_rows(before.difference(&after));
        if !came.is_empty() {
            parts.push(Part::Inserts { set, table: table(), rows: came });
        }
        if !left.is_empty() {
            parts.push(Part::Deletes { set, table: table(), rows: left });
        }
    }
    parts
}

fn damaged(change: &mut Change, damage: &Damage) {
    let count = change.parts.len();
    if count == 0 {
        return;
    }
    match damage {
        Damage::LosePart(part) => drop(change.parts.remove(part % count)),
        Damage::DoublePart(part) => change.parts.push(change.parts[part % count].clone()),
        Damage::ChangeRow { part, row, byte, to } => {
            edit_row(&mut change.parts[part % count], *row, |row| {
                let at = byte % row.len();
                row[at] = *to;
            });
        }
        Damage::CutRow { part, row, len } => {
            edit_row(&mut change.parts[part % count], *row, |row| row.truncate(len % row.len()));
        }
    }
}

fn edit_row(part: &mut Part, row: usize, edit: impl Fn(&mut Bytes)) {
    let (Part::Inserts { rows, .. } | Part::Deletes { rows, .. }) = part else { return };
    let mut all: Vec<_> = rows.iter().map(<[u8]>::to_vec).collect();
    let at = row % all.len();
    edit(&mut all[at]);
    *rows = RowList::from_rows(all);
}

fn encoded<T: Table<Row: Clone>>(tx: &Transaction) -> Option<Vec<Seen<Bytes>>> {
    tx.after().table::<T>()?;
    let seen = changes::<T>(tx).into_iter().map(|seen| match seen {
        Seen::Insert(row) => Seen::Insert(bytes(&row)),
        Seen::Update(old, new) => Seen::Update(bytes(&old), bytes(&new)),
        Seen::Delete(row) => Seen::Delete(bytes(&row)),
        Seen::Event(row) => Seen::Event(bytes(&row)),
    });
    Some(seen.collect())
}

fn seen_rows(view: &View, table: &str) -> BTreeSet<Bytes> {
    let Some(untyped) = view.untyped(table) else { return BTreeSet::new() };
    let rows = untyped.rows();
    let count = rows.len();
    assert_eq!(untyped.len(), count);
    let rows: BTreeSet<_> = rows.into_iter().collect();
    assert_eq!(rows.len(), count, "a row is there twice");
    rows
}

const BY_NAME: ClientIndex<Player, String> = ClientIndex::on(Player::NAME);

/// Looking up is scanning.
fn check_indexes<P: Players>(view: &View) {
    let Some(table) = view.table::<P>() else { return };
    let mut scanned: Vec<_> = table.iter().collect();
    assert_eq!(table.len(), scanned.len());
    scanned.sort_by_key(|row| (row.score, row.id));
    let ranged: Vec<_> = table.range(Player::SCORE_ID, ..).collect();
    assert_eq!(ranged, scanned);
    let by_name: Vec<_> = table.range(BY_NAME, ..).map(|row| &row.name).collect();
    assert!(by_name.is_sorted() && by_name.len() == scanned.len());
    let by_score: Vec<_> = table.range(Player::SCORE, 1..3).map(|row| row.score).collect();
    let expected = scanned.iter().map(|row| row.score).filter(|score| (1..3).contains(score));
    assert_eq!(by_score, expected.collect::<Vec<_>>());
    for id in 0..24 {
        let row = scanned.iter().copied().find(|row| row.id == id);
        assert_eq!(table.find(Player::ID, &id), row);
        if let Some(row) = row {
            let found = table.find(Player::NAME, &row.name).expect("its name is indexed");
            assert_eq!(found.name, row.name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// With further indexes and without, the cache equals the model, its events turn one state into the next, index lookups equal scans, held views stay
    /// as they are, a message that cannot follow changes nothing, and nothing leaks.
    #[test]
    fn the_cache_is_what_the_server_said(
        ops in vec(op(), 0..60),
        step_rows in 1..30_usize,
        first_version in prop_oneof![Just(0), Just((1 << 31) - 20)],
    ) {
        let mut world = World::<Player>::new(step_rows, first_version);
        ops.iter().for_each(|op| world.run(op));
        world.check_nothing_leaks();
        let mut world = World::<PlainPlayer>::new(step_rows, first_version);
        ops.iter().for_each(|op| world.run(op));
        world.check_nothing_leaks();
    }
}
