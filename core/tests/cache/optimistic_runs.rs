//! How often mutations run, where thousands of them write one row.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lightlike_core::cache::{Cache, Change, LocalTx, MutationId, Part, Step};

use super::support::*;

const CALLS: u32 = 2000;

/// One player, whose score mutations change, and the server's idea of it.
struct Slider {
    cache: Cache,
    server: Player,
    runs: Arc<AtomicUsize>,
}

impl Slider {
    /// With calls that are pending, of which each does `change` to the row with its own number.
    fn moved(change: impl Fn(&mut LocalTx, u32) + Send + Copy + 'static) -> Self {
        let (mut cache, server) = (cache(), player(1, 0));
        apply(&mut cache, [inserts::<Player>(A, core::slice::from_ref(&server))]);
        let runs = Arc::new(AtomicUsize::new(0));
        for call in 1..=CALLS {
            let counter = Arc::clone(&runs);
            let mutation = move |tx: &mut LocalTx| {
                counter.fetch_add(1, Ordering::Relaxed);
                change(tx, call);
            };
            cache.mutate(MutationId(call.into()), Box::new(mutation));
        }
        let slider = Self { cache, server, runs };
        assert_eq!(slider.take_runs(), CALLS as usize, "one run to make a call");
        slider
    }

    fn take_runs(&self) -> usize {
        self.runs.swap(0, Ordering::Relaxed)
    }

    fn shown(&self) -> Player {
        rows::<Player>(&self.cache).remove(0)
    }

    /// The server's row becomes another, in the transaction that answers a call, or in another client's.
    fn becomes(&mut self, row: Player, ends: Option<u32>) {
        let before = core::mem::replace(&mut self.server, row);
        let parts = vec![
            inserts::<Player>(A, core::slice::from_ref(&self.server)),
            deletes::<Player>(A, &[before]),
        ];
        self.apply(parts, ends);
    }

    fn refuse(&mut self, call: u32) {
        self.apply(Vec::new(), Some(call));
    }

    fn apply(&mut self, parts: Vec<Part>, ends: Option<u32>) {
        let ends = ends.into_iter().map(|call| MutationId(call.into())).collect();
        self.cache.begin(Change { parts, ends });
        assert!(matches!(self.cache.step(usize::MAX), Step::Committed(_)));
    }
}

/// Sets the score, whatever the row was.
fn overwrite(tx: &mut LocalTx, call: u32) {
    tx.upsert(player(1, call));
}

/// Sets the score, and leaves the rest of the row as it is.
fn modify(tx: &mut LocalTx, call: u32) {
    if let Some(row) = tx.find(Player::ID, &1) {
        let row = Player { score: call, ..row.clone() };
        tx.update(row);
    }
}

/// Adds one to the score.
fn increment(tx: &mut LocalTx, _: u32) {
    if let Some(row) = tx.find(Player::ID, &1) {
        let row = Player { score: row.score + 1, ..row.clone() };
        tx.update(row);
    }
}

#[test]
fn confirmed_in_order_runs_nothing() {
    for change in [overwrite, modify, increment] {
        let mut slider = Slider::moved(change);
        for call in 1..=CALLS {
            slider.becomes(player(1, call), Some(call));
            assert_eq!(slider.shown(), player(1, CALLS));
        }
        assert_eq!(slider.take_runs(), 0);
        assert_eq!(slider.cache.mutations().count(), 0);
    }
}

#[test]
fn refused_in_order_runs_the_next_reader() {
    // An `update` reads whether there is a row, and an `upsert` nothing.
    for (change, runs) in [(overwrite as fn(&mut LocalTx, u32), 0), (modify, CALLS - 1)] {
        let mut slider = Slider::moved(change);
        for call in 1..=CALLS {
            slider.refuse(call);
        }
        assert_eq!(slider.take_runs(), runs as usize);
        assert_eq!(slider.shown(), player(1, 0));
    }
}

#[test]
fn refused_in_reverse_runs_nothing() {
    for change in [overwrite, modify, increment] {
        let mut slider = Slider::moved(change);
        for call in (1..=CALLS).rev() {
            slider.refuse(call);
            assert_eq!(slider.shown().score, call - 1);
        }
        assert_eq!(slider.take_runs(), 0);
    }
}

#[test]
fn every_other_refused_runs_at_most_once_a_call() {
    let mut slider = Slider::moved(modify);
    for call in 1..=CALLS {
        match call % 2 {
            0 => slider.becomes(player(1, call), Some(call)),
            _ => slider.refuse(call),
        }
    }
    // The one after each refused call reads another row beneath, and comes to the same.
    assert_eq!(slider.take_runs() as u32, CALLS / 2);
    assert_eq!(slider.shown(), player(1, CALLS));
}

#[test]
fn refused_increments_run_once_a_refusal() {
    // Each refusal makes another score of every one after it: what is shown is right at every moment.
    let mut slider = Slider::moved(increment);
    for refused in 1..=10 {
        slider.refuse(refused);
        assert_eq!(slider.shown().score, CALLS - refused);
        assert_eq!(slider.take_runs() as u32, CALLS - refused);
    }
    // In one change, once.
    let ends = (11..=CALLS - 5).map(|call| MutationId(call.into())).collect();
    slider.cache.begin(Change { parts: Vec::new(), ends });
    assert!(matches!(slider.cache.step(usize::MAX), Step::Committed(_)));
    assert_eq!(slider.take_runs(), 5);
    assert_eq!(slider.shown().score, 5);
}

#[test]
fn foreign_change_runs_each_reader_once() {
    let renamed = |name: &str, score| Player { name: name.to_owned(), ..player(1, score) };
    let mut slider = Slider::moved(overwrite);
    slider.becomes(renamed("ada", 0), None);
    assert_eq!((slider.take_runs(), slider.shown()), (0, player(1, CALLS)));

    let mut slider = Slider::moved(modify);
    slider.becomes(renamed("ada", 0), None);
    assert_eq!(slider.take_runs() as u32, CALLS, "each has the name in its row");
    assert_eq!(slider.shown(), renamed("ada", CALLS));
    // What all of them overwrite disturbs the first alone.
    slider.becomes(renamed("ada", 99), None);
    assert_eq!(slider.take_runs(), 1);
    slider.becomes(renamed("bob", 1), Some(1));
    assert_eq!(slider.take_runs() as u32, CALLS - 1);
    assert_eq!(slider.shown(), renamed("bob", CALLS));
}

#[test]
fn replayed_queue_runs_each_once() {
    let mut slider = Slider::moved(modify);
    // The rows are asked for again after a connection was lost, and are as they were.
    slider.cache.mark_stale(A);
    let server = [slider.server.clone()];
    slider.apply(vec![inserts::<Player>(B, &server), Part::DropSet { set: A }], None);
    assert_eq!(slider.take_runs(), 0);
    for call in 1..=CALLS {
        let (row, before) = (player(1, call), player(1, call - 1));
        let parts = vec![inserts::<Player>(B, &[row]), deletes::<Player>(B, &[before])];
        slider.apply(parts, Some(call));
    }
    assert_eq!(slider.take_runs(), 0);
}

#[test]
fn reruns_are_stepped_by_budget() {
    let mut slider = Slider::moved(modify);
    let row = Player { name: "ada".to_owned(), ..player(1, 0) };
    let parts = vec![
        inserts::<Player>(A, core::slice::from_ref(&row)),
        deletes::<Player>(A, &[player(1, 0)]),
    ];
    slider.cache.begin(Change::of(parts));
    let mut steps = 0;
    while let Step::More = slider.cache.step(40) {
        steps += 1;
        assert!(slider.take_runs() <= 10, "too many in one step");
        assert_eq!(slider.shown(), player(1, CALLS), "seen before it is through");
    }
    assert!(steps >= CALLS / 10);
    assert_eq!(slider.shown(), Player { score: CALLS, ..row });
}

#[test]
fn new_call_between_steps_undoes_reruns() {
    let mut slider = Slider::moved(modify);
    let row = Player { name: "ada".to_owned(), ..player(1, 0) };
    let parts = vec![
        inserts::<Player>(A, core::slice::from_ref(&row)),
        deletes::<Player>(A, &[player(1, 0)]),
    ];
    slider.cache.begin(Change::of(parts));
    for _ in 0..20 {
        assert!(matches!(slider.cache.step(40), Step::More));
    }
    let mutated = slider.cache.mutate(MutationId(0), Box::new(|tx: &mut LocalTx| modify(tx, 7)));
    assert_eq!(
        changes::<Player>(&mutated.transaction),
        [Seen::Update(player(1, CALLS), player(1, 7))]
    );
    slider.take_runs();
    while let Step::More = slider.cache.step(40) {}
    assert_eq!(slider.take_runs() as u32, CALLS);
    assert_eq!(slider.shown(), Player { score: 7, ..row });
}
