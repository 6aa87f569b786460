//! Row types whose code panics: at every call of it that a story makes, one after the other.

use core::cell::Cell;
use core::cmp::Ordering;
use core::hash::{Hash, Hasher};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use lightlike_core::bsatn::{Decode, DecodeError, Encode, Reader, Writer};
use lightlike_core::cache::{
    Cache, CacheConfig, Change, LocalTx, Mutation, MutationError, MutationId, Part, RegisterError,
    RowChange, RowMismatch, SetFailure, SetId, Step, Transaction,
};
use lightlike_core::schema::{
    ClientIndex, Column, ColumnDef, FieldDef, HasIndexes, HasKey, HasUniques, IndexDef,
    IndexVisitor, Indexed, Kind, Plain, ProductDef, Row, RowDef, Sats, SatsType, Table, TableDef,
    TableKind, TypeRef,
};
use lightlike_core::wire::{QueryRows, TableRows};

use super::support::{self, A, B, Message, apply, deletes, events, inserts, list, message};

const C: SetId = SetId(3);

std::thread_local! {
    /// The number of calls of the rows' code before one panics.
    static FUSE: Cell<Option<u32>> = const { Cell::new(None) };
    /// True while the code runs inside of the cache.
    static IS_LIVE: Cell<bool> = const { Cell::new(false) };
}

/// Called wherever code of the rows runs.
fn burn(what: &str) {
    if !IS_LIVE.get() {
        return;
    }
    match FUSE.get() {
        Some(0) => {
            FUSE.set(None);
            panic!("{what} on purpose");
        }
        Some(left) => FUSE.set(Some(left - 1)),
        None => (),
    }
}

/// Lets the fuse burn while `act` runs, and no hook show what it does.
fn live<T>(act: impl FnOnce() -> T) -> T {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let shown = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !IS_LIVE.get() {
                shown(panic);
            }
        }));
    });
    IS_LIVE.set(true);
    let result = catch_unwind(AssertUnwindSafe(act));
    IS_LIVE.set(false);
    result.expect("no panic leaves the cache")
}

/// A value all of whose code may panic.
#[derive(Debug)]
struct Touchy(u64);

impl Clone for Touchy {
    fn clone(&self) -> Self {
        burn("clone");
        Self(self.0)
    }
}

impl PartialEq for Touchy {
    fn eq(&self, other: &Self) -> bool {
        burn("eq");
        self.0 == other.0
    }
}
impl Eq for Touchy {}

impl PartialOrd for Touchy {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Touchy {
    fn cmp(&self, other: &Self) -> Ordering {
        burn("cmp");
        self.0.cmp(&other.0)
    }
}

impl Hash for Touchy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        burn("hash");
        self.0.hash(state);
    }
}

impl Drop for Touchy {
    fn drop(&mut self) {
        burn("drop");
    }
}

impl Encode for Touchy {
    fn encode(&self, out: &mut Writer) {
        burn("encode");
        self.0.encode(out);
    }

    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        burn("matches");
        self.0.matches(reader)
    }
}

impl<'a> Decode<'a> for Touchy {
    const SIZE: Option<usize> = None;

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        burn("decode");
        u64::decode(reader).map(Self)
    }
}

impl Sats for Touchy {
    const TYPE: SatsType = u64::TYPE;
}

/// A row of such values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Fused {
    id: Touchy,
    group: Touchy,
}

impl Encode for Fused {
    fn encode(&self, out: &mut Writer) {
        self.id.encode(out);
        self.group.encode(out);
    }

    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        self.id.matches(reader) && self.group.matches(reader)
    }
}

impl<'a> Decode<'a> for Fused {
    const SIZE: Option<usize> = None;

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { id: Touchy::decode(reader)?, group: Touchy::decode(reader)? })
    }
}

impl Sats for Fused {
    const TYPE: SatsType = SatsType::Product(ProductDef {
        name: Some("Fused"),
        fields: &[
            FieldDef { name: Some("id"), ty: TypeRef::of::<Touchy>() },
            FieldDef { name: Some("group"), ty: TypeRef::of::<Touchy>() },
        ],
    });
}

impl Row for Fused {
    const DEF: RowDef = RowDef {
        lenient: false,
        name: "Fused",
        columns: &[
            ColumnDef { name: "id", ty: TypeRef::of::<Touchy>() },
            ColumnDef { name: "group", ty: TypeRef::of::<Touchy>() },
        ],
    };

    type Key = Touchy;

    fn key(&self) -> &Touchy {
        &self.id
    }

    fn decode_key(reader: &mut Reader<'_>) -> Result<Touchy, DecodeError> {
        Touchy::decode(reader)
    }

    fn visit_indexes(visitor: &mut impl IndexVisitor<Self>) {
        visitor.unique(1, |row| &row.group);
        visitor.ordered(&[1], |a, b| a.group.cmp(&b.group));
    }
}

const GROUP: Column<Fused, Touchy, Kind<Plain, Indexed>> =
    Column::new(1, "group", |row| &row.group);
const GROUP_UNINDEXED: Column<Fused, Touchy, Kind<Plain, Plain>> =
    Column::new(1, "group", |row| &row.group);

const DEF: TableDef = TableDef {
    name: "fused",
    kind: TableKind::Table,
    row: <Fused as Row>::DEF,
    primary_key: Some(0),
    unique: &[0, 1],
    indexes: &[IndexDef { columns: &[1] }],
};

impl Table for Fused {
    type Row = Self;

    const DEF: TableDef = DEF;
}
impl HasKey for Fused {}
impl HasUniques for Fused {}
impl HasIndexes for Fused {}

/// The same with a key and nothing else: its updates are compacted.
struct Keyed;

impl Table for Keyed {
    type Row = Fused;

    const DEF: TableDef = TableDef { unique: &[0], indexes: &[], ..DEF };
}

/// The same without a key.
struct Keyless;

impl Table for Keyless {
    type Row = Fused;

    const DEF: TableDef = TableDef { primary_key: None, unique: &[], indexes: &[], ..DEF };
}

/// The same as an event table.
struct Events;

impl Table for Events {
    type Row = Fused;

    const DEF: TableDef =
        TableDef { kind: TableKind::Event, primary_key: None, unique: &[], indexes: &[], ..DEF };
}

fn fused(id: u64, group: u64) -> Fused {
    Fused { id: Touchy(id), group: Touchy(group) }
}

type Plainly = (u64, u64);

fn rows_of(ids: core::ops::Range<u64>, salt: u64) -> Vec<Fused> {
    ids.map(|id| fused(id, (id * 7919 + salt) % 10_000)).collect()
}

/// A cache beside what it ought to have, by set.
struct Story {
    cache: Cache,
    sets: BTreeMap<SetId, Held>,
    /// The rows as a reader knows them from transactions alone.
    notified: Vec<Plainly>,
    failures: Vec<SetFailure>,
    panics: usize,
    step_rows: usize,
}

#[derive(Default, Clone)]
struct Held {
    fused: Vec<Plainly>,
    messages: Vec<Message>,
}

impl Story {
    fn new<T: Table<Row = Fused>>(step_rows: usize) -> Self {
        let mut cache = Cache::new(CacheConfig::default());
        cache.register::<T>().unwrap();
        cache.register::<Message>().unwrap();
        let (sets, notified, failures) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { cache, sets, notified, failures, panics: 0, step_rows }
    }

    /// Makes a change in which a set has these rows from then on.
    fn have<T: Table<Row = Fused>>(&mut self, set: SetId, rows: &[Fused], messages: &[Message]) {
        let before = self.sets.get(&set).cloned().unwrap_or_default();
        let plain: Vec<_> = rows.iter().map(|row| (row.id.0, row.group.0)).collect();
        let is_old = |row: &&Fused| !before.fused.contains(&(row.id.0, row.group.0));
        let came: Vec<_> =
            rows.iter().filter(is_old).map(|row| fused(row.id.0, row.group.0)).collect();
        let left = before.fused.iter().filter(|row| !plain.contains(row));
        let left: Vec<_> = left.map(|&(id, group)| fused(id, group)).collect();
        let new: Vec<_> =
            messages.iter().filter(|row| !before.messages.contains(row)).cloned().collect();
        let old: Vec<_> =
            before.messages.iter().filter(|row| !messages.contains(row)).cloned().collect();
        let parts = vec![
            inserts::<Message>(set, &new),
            inserts::<T>(set, &came),
            deletes::<Message>(set, &old),
            deletes::<T>(set, &left),
        ];
        if !self.failures.iter().any(|failure| failure.set == set) {
            self.sets.insert(set, Held { fused: plain, messages: messages.to_vec() });
        }
        self.change::<T>(parts);
    }

    fn end<T: Table<Row = Fused>>(&mut self, set: SetId) {
        self.sets.remove(&set);
        self.change::<T>(vec![Part::DropSet { set }]);
    }

    fn change<T: Table<Row = Fused>>(&mut self, parts: Vec<Part>) {
        let rows = self.step_rows;
        self.cache.begin(Change::of(parts));
        self.finish::<T>(rows);
        self.step_until_quiet::<T>();
    }

    fn finish<T: Table<Row = Fused>>(&mut self, rows: usize) {
        loop {
            match live(|| self.cache.step(rows)) {
                Step::More => (),
                Step::Committed(tx) => return self.committed::<T>(&tx),
                Step::OutOfSync(error) => panic!("{error}"),
            }
        }
    }

    /// Steps until panics beside a change are reported with the next.
    fn step_until_quiet<T: Table<Row = Fused>>(&mut self) {
        while self.cache.has_resets() {
            self.cache.begin(Change::default());
            self.finish::<T>(usize::MAX);
        }
        let panics = self.cache.take_panics();
        for panic in &panics {
            assert_eq!((panic.what, panic.table), ("row type", Some("fused")));
            assert!(panic.message.ends_with("on purpose"), "{panic}");
        }
        self.panics += panics.len();
    }

    fn committed<T: Table<Row = Fused>>(&mut self, tx: &Transaction) {
        for diff in tx.tables().iter().filter(|diff| diff.name() == "fused") {
            for change in diff.changes::<T>(tx).expect("its type") {
                let (gone, came) = match change {
                    RowChange::Insert(row) => (None, Some(row)),
                    RowChange::Update { old, new } => (Some(old), Some(new)),
                    RowChange::Delete(row) => (Some(row), None),
                    RowChange::Event(_) => (None, None),
                };
                if let Some(gone) = gone {
                    let at = self.notified.iter().position(|row| *row == (gone.id.0, gone.group.0));
                    self.notified.swap_remove(at.expect("its insert was reported"));
                }
                self.notified.extend(came.map(|row| (row.id.0, row.group.0)));
            }
        }
        for failure in tx.failed_sets() {
            assert_eq!((&*failure.table_name, failure.row_type), ("fused", "Fused"));
            assert!(matches!(failure.reason, RowMismatch::Panicked { .. }), "{failure}");
            assert!(failure.to_string().contains("panicked"), "{failure}");
            self.sets.remove(&failure.set);
            self.failures.push(failure.clone());
        }
    }

    /// Sees to it that there is what every set that lives has, and nothing else.
    fn check<T: Table<Row = Fused>>(&self) {
        let mut expected: Vec<_> =
            self.sets.values().flat_map(|held| held.fused.iter().copied()).collect();
        expected.sort_unstable();
        expected.dedup();
        let view = self.cache.reader().read();
        let table = view.table::<T>().expect("it is registered");
        let mut seen: Vec<_> = table.iter().map(|row| (row.id.0, row.group.0)).collect();
        seen.sort_unstable();
        assert_eq!((seen.len(), &seen), (table.len(), &expected), "{:?}", self.failures);
        let mut notified = self.notified.clone();
        notified.sort_unstable();
        assert_eq!(notified, expected, "rows by transactions");
        let mut messages: Vec<_> =
            self.sets.values().flat_map(|held| held.messages.iter().cloned()).collect();
        messages.sort();
        messages.dedup();
        assert_eq!(support::rows::<Message>(&self.cache), messages);
    }
}

/// Lets each call of the rows' code in a story panic, one after the other, and says how many there are.
fn at_every_call(story: impl Fn() -> usize) -> u32 {
    for call in 0.. {
        FUSE.set(Some(call));
        let panics = story();
        if FUSE.take().is_some() {
            assert_eq!(panics, 0);
            return call;
        }
        assert!(panics >= 1, "the panic of call {call} is reported");
    }
    unreachable!("a story ends")
}

/// Rows come, change, overlap and leave, with and without readers, and memory is given back.
fn life<T: Table<Row = Fused>>(step_rows: usize) -> usize {
    let mut story = Story::new::<T>(step_rows);
    story.have::<T>(A, &rows_of(0..12, 0), &[message(1, "of A")]);
    story.have::<T>(B, &rows_of(6..18, 0), &[message(2, "of B")]);
    story.check::<T>();
    let view = story.cache.reader().read();
    let seen = view.table::<T>().unwrap().len();
    if T::DEF.primary_key.is_some() {
        // The set that shares a row hears of its update too.
        story.end::<T>(B);
        story.have::<T>(A, &rows_of(3..15, 5), &[message(3, "of A")]);
    } else {
        story.have::<T>(A, &rows_of(3..15, 5), &[message(3, "of A")]);
        story.end::<T>(B);
    }
    assert_eq!(view.table::<T>().unwrap().iter().count(), seen, "a view keeps what it has");
    drop(view);
    while live(|| story.cache.reclaim(5)) {}
    story.step_until_quiet::<T>();
    story.check::<T>();
    story.have::<T>(A, &rows_of(9..12, 5), &[]);
    while live(|| story.cache.reclaim(usize::MAX)) {}
    story.step_until_quiet::<T>();
    story.check::<T>();
    // Whoever asks again gets a table that works.
    FUSE.set(FUSE.get().map(|_| u32::MAX));
    let panicked = story.panics;
    story.have::<T>(C, &rows_of(20..40, 3), &[message(4, "of C")]);
    story.check::<T>();
    assert_eq!(story.panics, panicked);
    if panicked == 0 {
        assert!(story.failures.is_empty());
    }
    panicked
}

fn with_end(story: impl Fn() -> usize) -> u32 {
    for call in 0.. {
        FUSE.set(Some(call));
        let panics = story();
        let is_through = FUSE.take().is_some_and(|left| left > 0) && panics == 0;
        if is_through {
            return call;
        }
    }
    unreachable!("a story ends")
}

#[test]
fn table_starts_over_wherever_its_rows_panic() {
    for step_rows in [4, usize::MAX] {
        let calls = with_end(|| life::<Fused>(step_rows));
        assert!(calls > 500, "{calls} calls of the rows' code");
        let calls = with_end(|| life::<Keyed>(step_rows));
        assert!(calls > 200, "{calls} calls of the rows' code");
        let calls = with_end(|| life::<Keyless>(step_rows));
        assert!(calls > 200, "{calls} calls of the rows' code");
    }
}

#[test]
fn events_that_panic_fail_their_set_alone() {
    let calls = at_every_call(|| {
        let mut story = Story::new::<Events>(usize::MAX);
        story.have::<Events>(B, &[], &[message(2, "of B")]);
        let parts = vec![
            events::<Events>(A, &rows_of(0..3, 0)),
            events::<Events>(B, &[]),
            inserts::<Message>(A, &[message(1, "of A")]),
        ];
        story.sets.insert(A, Held { messages: vec![message(1, "of A")], ..Held::default() });
        story.change::<Events>(parts);
        story.check::<Events>();
        assert_eq!(story.panics, story.failures.len().min(story.panics));
        story.panics
    });
    assert!(calls >= 6, "{calls} calls of the rows' code");
}

#[test]
fn first_mention_that_panics_fails_raw_sets() {
    let calls = at_every_call(|| {
        let mut cache = Cache::default();
        apply(
            &mut cache,
            [inserts::<Fused>(A, &rows_of(0..5, 0)), inserts::<Message>(A, &[message(1, "of A")])],
        );
        apply(&mut cache, [inserts::<Message>(B, &[message(2, "of B")])]);
        let registered = live(|| cache.register::<Fused>()).unwrap();
        let panics = cache.take_panics().len();
        assert_eq!(registered.failed.len(), panics);
        let failed = !registered.failed.is_empty();
        cache.end_failed(registered.failed);
        assert_eq!(cache.has_resets(), failed);
        cache.begin(Change::default());
        while let Step::More = live(|| cache.step(1)) {}
        cache.register::<Message>().unwrap();
        let (mut messages, view) = (vec![message(2, "of B")], cache.reader().read());
        if !failed {
            messages.insert(0, message(1, "of A"));
        }
        assert_eq!(support::rows::<Message>(&cache), messages);
        assert_eq!(view.table::<Fused>().unwrap().len(), if failed { 0 } else { 5 });
        panics
    });
    assert!(calls > 30, "{calls} calls of the rows' code");
}

#[test]
fn index_whose_order_panics_is_refused() {
    for call in 0..3 {
        let mut story = Story::new::<Keyed>(usize::MAX);
        story.have::<Keyed>(A, &rows_of(0..9, 0), &[]);
        FUSE.set(Some(call));
        let refused = live(|| story.cache.add_index::<Keyed, _>(ClientIndex::on(GROUP_UNINDEXED)));
        let error = refused.unwrap_err();
        assert!(matches!(&error, RegisterError::Panicked { table: "fused", .. }), "{error}");
        assert!(error.to_string().contains("cmp on purpose"), "{error}");
        story.check::<Keyed>();
        assert!(
            live(|| story.cache.add_index::<Keyed, _>(ClientIndex::on(GROUP_UNINDEXED))).is_ok()
        );
        // From now on its order is that of the row type.
        FUSE.set(Some(40));
        story.have::<Keyed>(A, &rows_of(0..30, 0), &[]);
        assert_eq!((FUSE.take(), story.failures.len()), (None, 1));
        story.have::<Keyed>(C, &rows_of(0..30, 1), &[]);
        story.check::<Keyed>();
        let view = story.cache.reader().read();
        let table = view.table::<Keyed>().unwrap();
        assert!(
            table.has_index(&ClientIndex::on(GROUP_UNINDEXED)),
            "it starts over with its indexes"
        );
    }
}

#[test]
fn comparison_that_panics_ends_the_set() {
    let calls = at_every_call(|| {
        let mut story = Story::new::<Fused>(usize::MAX);
        IS_LIVE.set(false);
        let fuse = FUSE.take();
        story.have::<Fused>(A, &rows_of(0..3, 0), &[message(1, "of A")]);
        FUSE.set(fuse);
        let rows = TableRows { table: "fused".into(), rows: list(&rows_of(0..3, 0)) };
        let rows = QueryRows { tables: vec![rows] };
        drop(live(|| story.cache.compare(A, &rows)));
        story.step_until_quiet::<Fused>();
        story.check::<Fused>();
        assert_eq!(story.panics, story.failures.len());
        story.panics
    });
    assert!(calls >= 6, "{calls} calls of the rows' code");
}

#[test]
fn every_row_may_panic_when_it_is_dropped() {
    std::thread_local! { static ALWAYS: Cell<bool> = const { Cell::new(false) } }

    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
    struct Grenade(u64);

    impl Drop for Grenade {
        fn drop(&mut self) {
            assert!(!ALWAYS.get(), "dropped");
        }
    }
    impl Encode for Grenade {
        fn encode(&self, out: &mut Writer) {
            self.0.encode(out);
        }

        fn matches(&self, reader: &mut Reader<'_>) -> bool {
            self.0.matches(reader)
        }
    }
    impl<'a> Decode<'a> for Grenade {
        const SIZE: Option<usize> = None;

        fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
            u64::decode(reader).map(Self)
        }
    }
    impl Sats for Grenade {
        const TYPE: SatsType = u64::TYPE;
    }
    impl Row for Grenade {
        const DEF: RowDef = RowDef {
            lenient: false,
            name: "Grenade",
            columns: &[ColumnDef { name: "id", ty: TypeRef::of::<u64>() }],
        };

        type Key = u64;

        fn key(&self) -> &u64 {
            &self.0
        }

        fn decode_key(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
            u64::decode(reader)
        }

        fn visit_indexes(_: &mut impl IndexVisitor<Self>) {}
    }
    impl Table for Grenade {
        type Row = Self;

        const DEF: TableDef = TableDef {
            name: "grenade",
            kind: TableKind::Table,
            row: <Self as Row>::DEF,
            primary_key: Some(0),
            unique: &[0],
            indexes: &[],
        };
    }

    let mut cache = Cache::default();
    cache.register::<Grenade>().unwrap();
    let rows: Vec<_> = (0..3000).map(Grenade).collect();
    apply(&mut cache, [inserts::<Grenade>(A, &rows), inserts::<Message>(A, &[message(1, "of A")])]);
    apply(&mut cache, [inserts::<Message>(B, &[message(2, "of B")])]);
    ALWAYS.set(true);
    let (view, held) = (cache.reader().read(), cache.reader().read());
    let change = [deletes::<Grenade>(A, &rows[..2000])];
    drop(apply(&mut cache, change));
    drop(view);
    assert_eq!(held.table::<Grenade>().unwrap().len(), 3000);
    drop(held);
    let mut failed = Vec::new();
    for _ in 0..1000 {
        let more = cache.reclaim(500);
        if cache.has_resets() {
            cache.begin(Change::default());
            let Step::Committed(tx) = cache.step(usize::MAX) else { panic!("it is committed") };
            failed.extend(tx.failed_sets().to_vec());
        } else if !more {
            break;
        }
    }
    let panics = cache.take_panics();
    assert!(!panics.is_empty() && panics.iter().all(|panic| panic.table == Some("grenade")));
    assert_eq!(failed.iter().map(|failure| failure.set).collect::<Vec<_>>(), [A]);
    cache.register::<Message>().unwrap();
    assert_eq!(support::rows::<Message>(&cache), [message(2, "of B")]);
    drop(cache);
    ALWAYS.set(false);
}

/// Writes one row.
struct Writes(u64);

impl Mutation for Writes {
    fn run(&self, tx: &mut LocalTx) {
        tx.upsert(fused(self.0, 1));
        tx.insert(message(self.0 as u32, "expected"));
    }
}

#[test]
fn mutation_whose_rows_panic_ends_by_its_call() {
    let calls = with_end(|| {
        let mut story = Story::new::<Fused>(usize::MAX);
        story.have::<Fused>(A, &rows_of(0..4, 0), &[message(1, "of A")]);
        let mutated = live(|| story.cache.mutate(MutationId(1), Box::new(Writes(2))));
        story.committed::<Fused>(&mutated.transaction);
        let panicked = matches!(&mutated.error, Some(MutationError::Panicked(_)));
        story.step_until_quiet::<Fused>();
        // The server changes a row that it wrote: it runs again.
        story.have::<Fused>(A, &[fused(2, 9)], &[message(1, "of A")]);
        let ends = Change { parts: Vec::new(), ends: vec![MutationId(1)] };
        story.cache.begin(ends);
        story.finish::<Fused>(usize::MAX);
        story.step_until_quiet::<Fused>();
        assert!(!story.cache.has_mutation(MutationId(1)));
        story.check::<Fused>();
        story.panics.max(usize::from(panicked))
    });
    assert!(calls > 100, "{calls} calls of the rows' code");
}

#[test]
fn captures_of_a_mutation_may_panic_when_dropped() {
    struct Captured;

    impl Drop for Captured {
        fn drop(&mut self) {
            panic!("captured");
        }
    }

    let mut story = Story::new::<Fused>(usize::MAX);
    let captured = Captured;
    let mutation = move |tx: &mut LocalTx| {
        let _ = &captured;
        tx.insert(message(1, "expected"));
    };
    let mutated = story.cache.mutate(MutationId(1), Box::new(mutation));
    assert_eq!(mutated.error, None);
    story.cache.begin(Change { parts: Vec::new(), ends: vec![MutationId(1)] });
    let Step::Committed(tx) = story.cache.step(usize::MAX) else { panic!("it is committed") };
    assert_eq!(tx.tables().len(), 1);
    let panics = story.cache.take_panics();
    assert_eq!((panics.len(), panics[0].what, &*panics[0].message), (1, "mutator", "captured"));
    story.check::<Fused>();
}

#[test]
fn panicking_reader_leaves_cache_intact() {
    let mut story = Story::new::<Fused>(usize::MAX);
    story.have::<Fused>(A, &rows_of(0..50, 0), &[]);
    let view = story.cache.reader().read();
    FUSE.set(Some(3));
    IS_LIVE.set(true);
    let read = catch_unwind(AssertUnwindSafe(|| {
        view.table::<Fused>().unwrap().range(GROUP, Touchy(0)..).count()
    }));
    IS_LIVE.set(false);
    assert!(read.is_err() && FUSE.take().is_none());
    story.have::<Fused>(A, &rows_of(10..60, 1), &[]);
    story.check::<Fused>();
    assert!(story.failures.is_empty());
}
