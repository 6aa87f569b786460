//! Whatever a server says and mutations do, what is seen is the server's rows with the mutations run over them; and it
//! makes no difference whether only those run again that have to do with a change, or all.

mod histories;
mod model;
mod regressions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lightlike_core::cache::{
    Cache, CacheConfig, Change, LocalTx, MutationId, Part, RowStatus, SetId, Step, TableId,
    Transaction, View,
};
use proptest::collection::vec;
use proptest::prelude::*;

use self::histories::*;
use self::model::*;
use super::support::*;

#[derive(Clone)]
struct Pending {
    id: MutationId,
    writes: Vec<Write>,
    /// How often it ran in `cache`.
    runs: Arc<AtomicUsize>,
}

struct World {
    cache: Cache,
    /// Another cache that hears the same, in which every change runs all mutations again.
    all: Cache,
    /// The server's rows, all of them.
    server: Rows,
    /// Its players before the last transaction.
    before: BTreeMap<u64, Player>,
    /// A set has the players whose id is a multiple of its number, and all messages.
    sets: Vec<(SetId, u64)>,
    next_set: u32,
    pending: Vec<Pending>,
    next_mutation: u64,
    /// Rows as the events describe them.
    notified: Rows,
    views: Vec<(View, Rows)>,
    step_rows: usize,
}

impl World {
    fn new(step_rows: usize) -> Self {
        Self {
            cache: cache(),
            all: cache_that_reruns_all(),
            server: Rows::default(),
            before: BTreeMap::new(),
            sets: Vec::new(),
            next_set: 1,
            pending: Vec::new(),
            next_mutation: 1,
            notified: Rows::default(),
            views: Vec::new(),
            step_rows,
        }
    }

    fn run(&mut self, op: &Op) {
        let whole = matches!(
            op,
            Op::Transact { .. } | Op::Subscribe(_) | Op::Unsubscribe(_) | Op::Resync(_)
        );
        let below = whole.then(|| self.below());
        self.do_op(op);
        if let Some(below) = below {
            self.check_runs(&below);
        }
    }

    /// What each mutation that is pending finds. From now on its runs are counted.
    fn below(&self) -> BTreeMap<MutationId, Rows> {
        let below = self.pending.iter().enumerate().map(|(at, pending)| {
            pending.runs.store(0, Ordering::Relaxed);
            (pending.id, self.expected_before(at))
        });
        below.collect()
    }

    /// One change was made since: none ran more than once. Nor did one run that finds what it found before, unless one
    /// before it ran: a transaction may have reported a row that this one then made as it was.
    fn check_runs(&self, before: &BTreeMap<MutationId, Rows>) {
        let mut any_ran = false;
        for (at, pending) in self.pending.iter().enumerate() {
            let runs = pending.runs.load(Ordering::Relaxed);
            assert!(runs <= 1, "{:?} ran {runs} times", pending.id);
            let same = before.get(&pending.id) == Some(&self.expected_before(at));
            assert!(any_ran || runs == 0 || !same, "{:?} ran for nothing", pending.id);
            any_ran |= runs > 0;
        }
    }

    fn do_op(&mut self, op: &Op) {
        match op {
            Op::Mutate(writes) => self.mutate(writes),
            Op::Transact { rows, says, ends } => {
                let mut parts = self.transact(rows);
                parts.extend(self.say(says));
                let change = self.ending(parts, ends);
                self.apply(change);
            }
            Op::Subscribe(modulus) => {
                let set = self.new_set();
                let parts = self.all_of(set, *modulus);
                self.sets.push((set, *modulus));
                self.apply(Change::of(parts));
            }
            Op::Unsubscribe(which) if !self.sets.is_empty() => {
                let (set, _) = self.sets.swap_remove(which % self.sets.len());
                self.apply(Change::of(vec![Part::DropSet { set }]));
            }
            Op::Resync(ends) => {
                for (set, _) in self.sets.clone() {
                    self.cache.mark_stale(set);
                    self.all.mark_stale(set);
                }
                self.check();
                let mut parts = Vec::new();
                for (old, modulus) in std::mem::take(&mut self.sets) {
                    let set = self.new_set();
                    parts.extend(self.all_of(set, modulus));
                    parts.push(Part::DropSet { set: old });
                    self.sets.push((set, modulus));
                }
                let change = self.ending(parts, ends);
                self.apply(change);
            }
            Op::Interrupted { rows, steps, writes } => {
                let parts = self.transact(rows);
                self.begin(Change::of(parts));
                let done = (0..*steps).any(|_| self.step(1));
                if done {
                    self.mutate(writes);
                } else {
                    // What is under way is not to be seen yet.
                    let before = self.server_before();
                    let server = std::mem::replace(&mut self.server, before);
                    self.mutate(writes);
                    self.server = server;
                    while !self.step(self.step_rows) {}
                }
            }
            Op::Broken(id) => {
                self.begin(Change::of(vec![deletes::<Player>(SetId(0), &[player(*id, 9)])]));
                for cache in [&mut self.cache, &mut self.all] {
                    let out_of_sync = loop {
                        match cache.step(self.step_rows) {
                            Step::More => (),
                            Step::Committed(_) => break false,
                            Step::OutOfSync(_) => break true,
                        }
                    };
                    assert!(out_of_sync);
                }
            }
            Op::Aborted { rows, steps, ends } => {
                let parts = self.transact(rows);
                let pending = self.pending.clone();
                let change = self.ending(parts, ends);
                self.begin(change.clone());
                let after = std::mem::replace(&mut self.pending, pending);
                if (0..*steps).any(|_| self.step(1)) {
                    self.pending = after;
                } else {
                    self.cache.abort();
                    self.all.abort();
                    let before = self.server_before();
                    let server = std::mem::replace(&mut self.server, before);
                    self.check();
                    (self.server, self.pending) = (server, after);
                    self.apply(change);
                }
            }
            Op::HoldView => {
                let view = self.cache.reader().read();
                self.views.push((view, self.expected()));
            }
            Op::DropView(which) if !self.views.is_empty() => {
                self.views.swap_remove(which % self.views.len());
            }
            Op::Reclaim(rows) => {
                self.cache.reclaim(*rows);
                self.all.reclaim(*rows);
            }
            Op::Unsubscribe(_) | Op::DropView(_) => (),
        }
        self.check();
    }

    fn new_set(&mut self) -> SetId {
        self.next_set += 1;
        SetId(self.next_set)
    }

    fn mutate(&mut self, writes: &[Write]) {
        let id = MutationId(self.next_mutation);
        self.next_mutation += 1;
        let runs = Arc::new(AtomicUsize::new(0));
        let (run, counter) = (mutation(writes.to_vec()), Arc::clone(&runs));
        let counted = move |tx: &mut LocalTx| {
            counter.fetch_add(1, Ordering::Relaxed);
            run(tx);
        };
        let mutated = self.cache.mutate(id, Box::new(counted));
        let of_all = self.all.mutate(id, Box::new(mutation(writes.to_vec())));
        assert_same(&mutated.transaction, &of_all.transaction);
        assert_eq!(mutated.error, of_all.error);
        self.notified.follow(&mutated.transaction);
        self.pending.push(Pending { id, writes: writes.to_vec(), runs });
        let mut trial = self.expected_before(self.pending.len() - 1);
        assert_eq!(trial.run(id, writes), mutated.error.is_none());
        self.check();
    }

    /// Changes players on the server; what it says of it. Remembers what was there for
    /// [`server_before`](Self::server_before).
    fn transact(&mut self, rows: &[(u64, Option<u32>)]) -> Vec<Part> {
        let before = self.server.players.clone();
        for (id, score) in rows {
            match score {
                Some(score) => drop(self.server.players.insert(*id, player(*id, *score))),
                None => drop(self.server.players.remove(id)),
            }
        }
        self.before = before;
        let sets = self.sets.iter();
        sets.flat_map(|&(set, modulus)| {
            let of = |rows: &BTreeMap<u64, Player>| -> BTreeSet<Player> {
                rows.values().filter(|row| row.id % modulus == 0).cloned().collect()
            };
            let (before, after) = (of(&self.before), of(&self.server.players));
            let came: Vec<_> = after.difference(&before).cloned().collect();
            let left: Vec<_> = before.difference(&after).cloned().collect();
            [inserts::<Player>(set, &came), deletes::<Player>(set, &left)]
        })
        .collect()
    }

    fn server_before(&self) -> Rows {
        Rows { players: self.before.clone(), ..self.server.clone() }
    }

    fn say(&mut self, says: &[(u32, bool)]) -> Vec<Part> {
        let before = self.server.messages.clone();
        for &(sender, there) in says {
            if there {
                self.server.messages.insert(message(sender, "hi"));
            } else {
                self.server.messages.remove(&message(sender, "hi"));
            }
        }
        let came: Vec<_> = self.server.messages.difference(&before).cloned().collect();
        let left: Vec<_> = before.difference(&self.server.messages).cloned().collect();
        let sets = self.sets.iter();
        sets.flat_map(|&(set, _)| [inserts::<Message>(set, &came), deletes::<Message>(set, &left)])
            .collect()
    }

    fn all_of(&self, set: SetId, modulus: u64) -> Vec<Part> {
        let players = self.server.players.values().filter(|row| row.id % modulus == 0);
        let messages: Vec<_> = self.server.messages.iter().cloned().collect();
        vec![
            inserts::<Player>(set, &players.cloned().collect::<Vec<_>>()),
            inserts::<Message>(set, &messages),
        ]
    }

    /// A change with which some mutations end.
    fn ending(&mut self, parts: Vec<Part>, ends: &[usize]) -> Change {
        let mut change = Change::of(parts);
        for end in ends {
            if !self.pending.is_empty() {
                let ended = self.pending.remove(end % self.pending.len());
                change.ends.push(ended.id);
            }
        }
        change
    }

    fn apply(&mut self, change: Change) {
        self.begin(change);
        while !self.step(self.step_rows) {}
    }

    fn begin(&mut self, change: Change) {
        self.all.begin(change.clone());
        self.cache.begin(change);
    }

    /// Takes a step, and returns `true` if the change is through.
    fn step(&mut self, rows: usize) -> bool {
        match self.cache.step(rows) {
            Step::More => false,
            Step::Committed(transaction) => {
                loop {
                    match self.all.step(rows) {
                        Step::More => (),
                        Step::Committed(of_all) => break assert_same(&transaction, &of_all),
                        Step::OutOfSync(error) => panic!("{error}"),
                    }
                }
                self.notified.follow(&transaction);
                true
            }
            Step::OutOfSync(error) => panic!("{error}"),
        }
    }

    /// Rows that readers should see when the first `count` mutations are pending.
    fn expected_before(&self, count: usize) -> Rows {
        let mut rows = Rows::default();
        for (_, modulus) in &self.sets {
            let players = self.server.players.iter().filter(|(id, _)| *id % modulus == 0);
            rows.players.extend(players.map(|(&id, row)| (id, row.clone())));
            rows.messages.extend(self.server.messages.iter().cloned());
        }
        for pending in &self.pending[..count] {
            let mut tried = rows.clone();
            if tried.run(pending.id, &pending.writes) {
                rows = tried;
            }
        }
        rows
    }

    fn expected(&self) -> Rows {
        self.expected_before(self.pending.len())
    }

    fn check(&self) {
        let view = self.cache.reader().read();
        let expected = self.expected();
        assert_eq!(Rows::of(&view), expected);
        assert_eq!(self.notified, expected, "rows by transactions");
        let table = view.table::<Player>().unwrap();
        for (id, row) in &expected.players {
            assert_eq!(table.find(Player::ID, id), Some(row));
            let status = self.cache.row_status::<Player>(row).expect("a row that is there");
            let confirmed = self.expected_before(0).players.get(id) == Some(row);
            assert!(confirmed || matches!(status, RowStatus::Pending(_)), "{row:?} is {status:?}");
            if !self.cache.is_applying() {
                assert_eq!(self.all.row_status::<Player>(row), Some(status));
            }
        }
        for row in &expected.messages {
            assert_eq!(self.all.row_status::<Message>(row), self.cache.row_status::<Message>(row));
        }
        for Pending { id, .. } in &self.pending {
            assert_eq!(self.all.mutation_error(*id), self.cache.mutation_error(*id));
        }
        let mut sorted: Vec<_> = expected.players.values().collect();
        sorted.sort_by_key(|row| (row.score, row.id));
        assert_eq!(table.range(Player::SCORE_ID, ..).collect::<Vec<_>>(), sorted);
        for (view, rows) in &self.views {
            assert_eq!(&Rows::of(view), rows, "a held view changed");
        }
    }

    /// Checks that the rows are the server's when every mutation is answered, and that nothing dead is left.
    fn check_end(mut self) {
        let ends = self.pending.drain(..).map(|pending| pending.id).collect();
        self.apply(Change { parts: Vec::new(), ends });
        self.check();
        self.views.clear();
        while self.cache.reclaim(50) {}
        for table in 0..2 {
            let usage = self.cache.usage(TableId(table)).unwrap();
            assert_eq!((usage.occupied, usage.retired), (usage.live, 0), "{usage:?}");
        }
    }
}

fn cache_that_reruns_all() -> Cache {
    let mut config = CacheConfig::default();
    config.reruns_all_mutations = true;
    cache_with(config)
}

/// The same changes, in whatever order.
fn assert_same(one: &Transaction, other: &Transaction) {
    let players = |tx| {
        let mut changes = changes::<Player>(tx);
        changes.sort();
        changes
    };
    let messages = |tx| {
        let mut changes = changes::<Message>(tx);
        changes.sort();
        changes
    };
    assert_eq!(players(one), players(other));
    assert_eq!(messages(one), messages(other));
}

/// Does these operations one after the other, then ends all mutations.
fn run_history(ops: &[Op], step_rows: usize) {
    let mut world = World::new(step_rows);
    for op in ops {
        world.run(op);
    }
    world.check_end();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// What is seen is the model's rows, the events add up to it, views that are held stay as they are, and when all
    /// mutations are answered no trace of them is left. Running all of them at every change gives the same, event by
    /// event; none runs twice in a change, nor for nothing.
    #[test]
    fn rows_equal_model_in_random_histories(
        ops in vec(op(IDS), 0..50),
        step_rows in 1..20_usize,
    ) {
        run_history(&ops, step_rows);
    }

    /// As before, where nearly all mutations write the same rows.
    #[test]
    fn rows_equal_model_with_deep_stacks(
        ops in vec(op(2), 30..90),
        step_rows in 1..20_usize,
    ) {
        run_history(&ops, step_rows);
    }
}
