//! Cost of dead rows, and its duration.

use std::collections::BTreeMap;

use lightlike_core::cache::{Cache, CacheConfig, Change, Part, Step, TableId, Usage, View};
use proptest::collection::vec;
use proptest::prelude::*;

use super::support::*;

fn usage(cache: &Cache) -> Usage {
    cache.usage(TableId(0)).unwrap()
}

fn reclaim_all(cache: &mut Cache) {
    for _ in 0..10_000 {
        if !cache.reclaim(500) {
            return;
        }
    }
    panic!("reclaiming does not end");
}

#[test]
fn slots_of_rows_that_left_are_used_again() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<Player>(A, &[player(0, 0)])]);
    for score in 1..10_000 {
        apply(
            &mut cache,
            [
                inserts::<Player>(A, &[player(0, score)]),
                deletes::<Player>(A, &[player(0, score - 1)]),
            ],
        );
        cache.reclaim(10);
    }
    assert_eq!(
        usage(&cache),
        Usage { live: 1, occupied: 1, retired: 0, slots: 8, garbage_bytes: 0 }
    );
}

#[test]
fn deleting_most_rows_returns_memory() {
    let mut cache = cache();
    let players: Vec<_> = (0..50_000).map(|id| player(id, id as u32)).collect();
    apply(&mut cache, [inserts::<Player>(A, &players)]);
    assert!(usage(&cache).slots >= 50_000);
    let (kept, gone): (Vec<_>, Vec<_>) = players.into_iter().partition(|row| row.id % 100 == 0);
    apply(&mut cache, [deletes::<Player>(A, &gone)]);
    reclaim_all(&mut cache);
    let after = usage(&cache);
    assert_eq!((after.live, after.occupied, after.retired), (500, 500, 0));
    assert!(after.slots <= 3 * 1024, "{} slots for 500 rows", after.slots);
    assert_eq!(rows::<Player>(&cache), kept);
    let view = cache.reader().read();
    let table = view.table::<Player>().unwrap();
    assert_eq!(table.find(Player::ID, &4200), Some(&player(4200, 4200)));
    assert_eq!(table.find(Player::NAME, "player 4200"), Some(&player(4200, 4200)));
    assert_eq!(table.range(Player::SCORE, 4000..4500).count(), 5);
    // Rows that moved are held by whom they were held by.
    let tx = apply(&mut cache, [deletes::<Player>(A, &kept)]);
    assert_eq!(changes::<Player>(&tx).len(), 500);
}

#[test]
fn an_emptied_table_keeps_one_chunk() {
    let mut cache = cache();
    let players: Vec<_> = (0..20_000).map(|id| player(id, 0)).collect();
    apply(&mut cache, [inserts::<Player>(A, &players)]);
    apply(&mut cache, [Part::DropSet { set: A }]);
    reclaim_all(&mut cache);
    let after = usage(&cache);
    assert_eq!((after.occupied, after.retired), (0, 0));
    assert!(after.slots <= 1024, "{} slots for no rows", after.slots);
}

#[test]
fn rows_stay_while_a_transaction_is_not_delivered() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 0)])]);
    let tx = apply(&mut cache, [deletes::<Player>(A, &[player(1, 0)])]);
    reclaim_all(&mut cache);
    assert_eq!(changes::<Player>(&tx), [Seen::Delete(player(1, 0))]);
    assert_eq!(usage(&cache).occupied, 1);
    drop(tx);
    reclaim_all(&mut cache);
    assert_eq!(usage(&cache).occupied, 0);
}

#[test]
fn a_failed_or_aborted_change_leaves_nothing_behind() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 0)])]);
    for _ in 0..50 {
        let parts = [
            inserts::<Player>(A, &[player(1, 1), player(2, 0), player(3, 0)]),
            deletes::<Player>(A, &[player(9, 0)]),
        ];
        try_apply(&mut cache, parts).unwrap_err();
        let parts = vec![inserts::<Player>(A, &[player(4, 0), player(5, 0)])];
        cache.begin(Change::of(parts));
        assert!(matches!(cache.step(1), Step::More));
        cache.abort();
        reclaim_all(&mut cache);
    }
    assert_eq!(
        usage(&cache),
        Usage { live: 1, occupied: 1, retired: 0, slots: 8, garbage_bytes: 0 }
    );
}

#[test]
fn overlapping_views_do_not_retain_memory() {
    let mut cache = cache();
    let reader = cache.reader();
    let rows_held = 3000;
    let mut current: Vec<_> = (0..rows_held).map(|id| player(id, 0)).collect();
    apply(&mut cache, [inserts::<Player>(A, &current)]);
    let mut view = reader.read();
    for round in 1..60 {
        let next: Vec<_> = current.iter().map(|row| player(row.id, round)).collect();
        apply(&mut cache, [inserts::<Player>(A, &next), deletes::<Player>(A, &current)]);
        current = next;
        // Never a moment without a view, and never one that is old.
        let newer = reader.read();
        assert_eq!(rows_in::<Player>(&view).len(), rows_held as usize);
        view = newer;
        cache.reclaim(20_000);
    }
    let held = usage(&cache);
    assert!(held.slots < 5 * rows_held as usize, "{held:?}");
    assert!(rows_in::<Player>(&view) == current, "another state");
    drop(view);
    reclaim_all(&mut cache);
    assert_eq!(usage(&cache).retired, 0);
}

#[test]
fn applying_waits_for_views_at_the_limit() {
    let mut config = CacheConfig::default();
    config.max_dead_rows = 10;
    let mut cache = Cache::new(config);
    cache.register::<Player>().unwrap();
    let reader = cache.reader();
    apply(&mut cache, [inserts::<Player>(A, &[player(0, 0)])]);
    let view = reader.read();
    for score in 1..=10 {
        let parts = [
            inserts::<Player>(A, &[player(0, score)]),
            deletes::<Player>(A, &[player(0, score - 1)]),
        ];
        apply(&mut cache, parts);
    }
    cache.begin(Change::of(vec![inserts::<Player>(A, &[player(1, 0)])]));
    for _ in 0..5 {
        assert!(matches!(cache.step(100), Step::More));
        assert!(cache.is_waiting_for_views());
    }
    assert_eq!(rows_in::<Player>(&view), [player(0, 0)]);
    drop(view);
    let Step::Committed(_) = cache.step(100) else { panic!("still waiting") };
    assert!(!cache.is_waiting_for_views());
    assert_eq!(rows::<Player>(&cache).len(), 2);
}

/// A row of a text that takes this many bytes, distinguished by its first ones.
fn large(sender: u32, round: u32, bytes: usize) -> Message {
    message(sender, &format!("{round:08}{}", "x".repeat(bytes - 8)))
}

/// A cache of messages, and its table.
fn messages(max_dead_bytes: usize) -> (Cache, TableId) {
    let mut config = CacheConfig::default();
    config.max_dead_bytes = max_dead_bytes;
    let mut cache = Cache::new(config);
    let table = cache.register::<Message>().unwrap().table;
    (cache, table)
}

/// Replaces a row, unless that has to wait for views.
fn try_replace(cache: &mut Cache, old: &Message, new: &Message) -> bool {
    let parts = [
        inserts::<Message>(A, std::slice::from_ref(new)),
        deletes::<Message>(A, std::slice::from_ref(old)),
    ];
    cache.begin(Change::of(parts.into()));
    let done = matches!(cache.step(1000), Step::Committed(_));
    assert_eq!(done, !cache.is_waiting_for_views());
    done
}

#[test]
fn applying_waits_for_views_by_bytes() {
    const LIMIT: usize = 4 << 20;
    for bytes in [16, 1_000, 200_000] {
        let (mut cache, table) = messages(LIMIT);
        // Many small rows beside them, so that means would be wrong.
        let small: Vec<_> = (1..1000).map(|sender| message(sender, "")).collect();
        let mut last = large(0, 0, bytes);
        apply(&mut cache, [inserts::<Message>(A, &small), inserts::<Message>(A, &[last.clone()])]);
        let view = cache.reader().read();
        let dead = (1..).find(|&round| {
            let next = large(0, round, bytes);
            let done = try_replace(&mut cache, &last, &next);
            last = next;
            !done
        });
        let garbage = cache.usage(table).unwrap().garbage_bytes;
        let text = dead.unwrap() as usize * bytes;
        assert!((LIMIT..LIMIT + 2 * bytes.max(100)).contains(&garbage), "{garbage} bytes");
        assert!(text <= LIMIT + 2 * bytes && text >= LIMIT / 10, "{text} bytes of text");
        drop(view);
        let is_made = (0..100).any(|_| matches!(cache.step(100), Step::Committed(_)));
        assert!(is_made, "still waiting");
        reclaim_all(&mut cache);
        assert_eq!(cache.usage(table).unwrap().garbage_bytes, 0);
    }
}

#[test]
fn memory_comes_back_in_steps_of_bounded_bytes() {
    const BYTES: usize = 200_000;
    let (mut cache, table) = messages(usize::MAX);
    let mut last = large(0, 0, BYTES);
    apply(&mut cache, [inserts::<Message>(A, &[last.clone()])]);
    let view = cache.reader().read();
    for round in 1..=100 {
        let next = large(0, round, BYTES);
        assert!(try_replace(&mut cache, &last, &next));
        last = next;
    }
    drop(view);
    let garbage = |cache: &Cache| cache.usage(table).unwrap().garbage_bytes;
    let mut before = garbage(&cache);
    assert!(before >= 100 * BYTES);
    // A budget of a hundred small rows is less than three of these, or a chunk of eight at once.
    while cache.reclaim(100) {
        let after = garbage(&cache);
        assert!(before - after <= 8 * (BYTES + 100), "{} bytes in one step", before - after);
        before = after;
    }
    assert_eq!(garbage(&cache), 0);
}

#[test]
fn large_rows_under_overlapping_views_are_freed() {
    const BYTES: usize = 256 << 10;
    const ROWS: u32 = 8;
    let (mut cache, table) = messages(usize::MAX);
    let reader = cache.reader();
    let row = |sender, round| large(sender, round, BYTES);
    let first: Vec<_> = (0..ROWS).map(|sender| row(sender, 0)).collect();
    apply(&mut cache, [inserts::<Message>(A, &first)]);
    let mut view = reader.read();
    let mut most = 0;
    for round in 1..60 {
        for sender in 0..ROWS {
            assert!(try_replace(&mut cache, &row(sender, round - 1), &row(sender, round)));
            // Never a moment without a view, and never one that is old.
            let newer = reader.read();
            view = newer;
            cache.reclaim(1000);
        }
        most = most.max(cache.usage(table).unwrap().garbage_bytes);
    }
    let live = ROWS as usize * BYTES;
    assert!(most < 6 * live, "{most} bytes for {live} bytes of rows");
    assert_eq!(view.table::<Message>().unwrap().len(), ROWS as usize);
}

#[test]
fn heavy_retired_rows_among_light_ones_are_freed() {
    const BYTES: usize = 1 << 20;
    let (mut cache, table) = messages(usize::MAX);
    let reader = cache.reader();
    let small: Vec<_> = (1..5000).map(|sender| message(sender, "")).collect();
    let mut last = large(0, 0, BYTES);
    apply(&mut cache, [inserts::<Message>(A, &small), inserts::<Message>(A, &[last.clone()])]);
    let mut view = reader.read();
    let mut most = 0;
    for round in 1..200 {
        let next = large(0, round, BYTES);
        assert!(try_replace(&mut cache, &last, &next));
        last = next;
        let newer = reader.read();
        view = newer;
        cache.reclaim(1000);
        most = most.max(cache.usage(table).unwrap().garbage_bytes);
    }
    assert!(most < 64 << 20, "{most} bytes");
    assert_eq!(view.table::<Message>().unwrap().len(), 5000);
}

#[test]
fn successive_rows_reuse_one_slot() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<Message>(A, &[message(0, "")])]);
    for sender in 1..20_000 {
        let parts = [
            inserts::<Message>(A, &[message(sender, "")]),
            deletes::<Message>(A, &[message(sender - 1, "")]),
        ];
        apply(&mut cache, parts);
        cache.reclaim(10);
    }
    let table = cache.register::<Message>().unwrap().table;
    assert_eq!(cache.usage(table).unwrap().slots, 8);
}

/// Changes of thousands of rows at once.
#[derive(Debug, Clone)]
enum Bulk {
    /// Gives rows of these ids, one in so many, a new score.
    Put {
        from: u64,
        count: u64,
        every: u64,
    },
    Delete {
        from: u64,
        count: u64,
        every: u64,
    },
    Hold,
    LetGo,
    Reclaim(usize),
}

fn bulk() -> impl Strategy<Value = Bulk> {
    let range = || (0..8000_u64, 1..8000_u64, 1..20_u64);
    prop_oneof![
        2 => range().prop_map(|(from, count, every)| Bulk::Put { from, count, every }),
        3 => range().prop_map(|(from, count, _)| Bulk::Delete { from, count, every: 1 }),
        2 => range().prop_map(|(from, count, every)| Bulk::Delete { from, count, every }),
        2 => Just(Bulk::Hold),
        1 => Just(Bulk::LetGo),
        4 => (1..20_000_usize).prop_map(Bulk::Reclaim),
    ]
}

fn check(view: &View, expected: &BTreeMap<u64, u32>) {
    let table = view.table::<Player>().unwrap();
    let by_id: BTreeMap<_, _> = table.iter().map(|row| (row.id, row.score)).collect();
    assert!(&by_id == expected, "other rows than there should be");
    assert_eq!(table.len(), expected.len());
    for (id, score) in expected.iter().step_by(7) {
        assert_eq!(table.find(Player::ID, id).unwrap().score, *score);
        assert_eq!(table.find(Player::NAME, &*format!("player {id}")).unwrap().id, *id);
    }
    let ranged = table.range(Player::SCORE_ID, ..).map(|row| (row.score, row.id));
    let mut sorted: Vec<_> = expected.iter().map(|(&id, &score)| (score, id)).collect();
    sorted.sort_unstable();
    assert!(ranged.eq(sorted), "another order than there should be");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 16,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever moves, and whatever is freed, rows and indexes are what they were, in every view.
    #[test]
    fn reclaiming_changes_nothing_that_anybody_sees(ops in vec(bulk(), 1..25)) {
        let mut cache = cache();
        let reader = cache.reader();
        let mut rows = BTreeMap::new();
        let mut held = Vec::new();
        for (op, score) in ops.into_iter().zip(1..) {
            match op {
                Bulk::Put { from, count, every } => {
                    let ids = (from..from + count).step_by(every as usize);
                    let held = |id: &u64| rows.get(id).map(|&score| player(*id, score));
                    let old: Vec<_> = ids.clone().filter_map(|id| held(&id)).collect();
                    let new: Vec<_> = ids.clone().map(|id| player(id, score)).collect();
                    apply(&mut cache, [inserts::<Player>(A, &new), deletes::<Player>(A, &old)]);
                    rows.extend(ids.map(|id| (id, score)));
                }
                Bulk::Delete { from, count, every } => {
                    let ids = (from..from + count).step_by(every as usize);
                    let gone = ids.filter_map(|id| rows.remove_entry(&id));
                    let gone: Vec<_> = gone.map(|(id, score)| player(id, score)).collect();
                    apply(&mut cache, [deletes::<Player>(A, &gone)]);
                }
                Bulk::Hold => held.push((reader.read(), rows.clone())),
                Bulk::LetGo => drop(held.pop()),
                Bulk::Reclaim(max_rows) => {
                    cache.reclaim(max_rows);
                }
            }
        }
        held.push((reader.read(), rows.clone()));
        held.iter().for_each(|(view, rows)| check(view, rows));
        drop(held);
        reclaim_all(&mut cache);
        check(&reader.read(), &rows);
        let usage = usage(&cache);
        assert_eq!((usage.occupied, usage.retired), (rows.len(), 0));
        assert!(usage.slots <= 2 * rows.len() + 3 * 1024, "{usage:?}");
    }
}
