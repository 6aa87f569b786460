//! What rows that left cost, and for how long.

use lightlike_core::cache::{Cache, CacheConfig, Change, Part, Step, TableId, Usage};

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
    assert_eq!(usage(&cache), Usage { live: 1, occupied: 1, husks: 0, slots: 8 });
}

#[test]
fn deleting_most_of_a_table_gives_its_memory_back() {
    let mut cache = cache();
    let players: Vec<_> = (0..50_000).map(|id| player(id, id as u32)).collect();
    apply(&mut cache, [inserts::<Player>(A, &players)]);
    assert!(usage(&cache).slots >= 50_000);
    let (kept, gone): (Vec<_>, Vec<_>) = players.into_iter().partition(|row| row.id % 100 == 0);
    apply(&mut cache, [deletes::<Player>(A, &gone)]);
    reclaim_all(&mut cache);
    let after = usage(&cache);
    assert_eq!((after.live, after.occupied, after.husks), (500, 500, 0));
    assert!(after.slots <= 3 * 1024, "{} slots for 500 rows", after.slots);
    assert_eq!(rows::<Player>(&cache), kept);
    let view = cache.reader().read();
    let table = view.table::<Player>().unwrap();
    assert_eq!(table.find(Player::ID, &4200), Some(&player(4200, 4200)));
    assert_eq!(table.find(Player::NAME, "player 4200"), Some(&player(4200, 4200)));
    assert_eq!(table.range(Player::SCORE, 4000..4500).count(), 5);
}

#[test]
fn an_emptied_table_keeps_one_chunk() {
    let mut cache = cache();
    let players: Vec<_> = (0..20_000).map(|id| player(id, 0)).collect();
    apply(&mut cache, [inserts::<Player>(A, &players)]);
    apply(&mut cache, [Part::DropSet { set: A }]);
    reclaim_all(&mut cache);
    let after = usage(&cache);
    assert_eq!((after.occupied, after.husks), (0, 0));
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
        cache.begin(Change { parts });
        assert!(matches!(cache.step(1), Step::More));
        cache.abort();
        reclaim_all(&mut cache);
    }
    assert_eq!(usage(&cache), Usage { live: 1, occupied: 1, husks: 0, slots: 8 });
}

#[test]
fn views_that_overlap_for_ever_do_not_keep_memory_for_ever() {
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
    assert_eq!(usage(&cache).husks, 0);
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
    cache.begin(Change { parts: vec![inserts::<Player>(A, &[player(1, 0)])] });
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

#[test]
fn many_rows_one_after_the_other_take_no_more_room_than_one() {
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
