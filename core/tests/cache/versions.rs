//! The versions of a row with a key: linked from the oldest to the newest while views see several, and compacted into
//! one slot when no view is held.

use lightlike_core::cache::{Cache, TableId, Usage, View};

use super::support::*;

const ROWS: u64 = 3000;

fn cache() -> Cache {
    let mut cache = Cache::default();
    cache.register::<PlainPlayer>().unwrap();
    cache
}

fn at(score: u32, ids: impl Iterator<Item = u64>) -> Vec<Player> {
    ids.map(|id| player(id, score)).collect()
}

fn update(cache: &mut Cache, from: u32, to: u32, ids: impl Iterator<Item = u64> + Clone) {
    let parts = [
        inserts::<PlainPlayer>(A, &at(to, ids.clone())),
        deletes::<PlainPlayer>(A, &at(from, ids)),
    ];
    apply(cache, parts);
}

fn score(view: &View, id: u64) -> Option<u32> {
    view.table::<PlainPlayer>().unwrap().find(Player::ID, &id).map(|row| row.score)
}

fn reclaim_all(cache: &mut Cache) -> Usage {
    while cache.reclaim(100) {}
    cache.usage(TableId(0)).unwrap()
}

#[test]
fn each_view_finds_its_version() {
    let mut cache = cache();
    let reader = cache.reader();
    apply(&mut cache, [inserts::<PlainPlayer>(A, &at(0, 0..9))]);
    let mut views = vec![reader.read()];
    for to in 1..6 {
        update(&mut cache, to - 1, to, 2..7);
        views.push(reader.read());
        cache.reclaim(1000);
    }
    // The row goes, and comes again, with a version of its own each time.
    apply(&mut cache, [deletes::<PlainPlayer>(A, &at(5, 3..4))]);
    views.push(reader.read());
    apply(&mut cache, [inserts::<PlainPlayer>(A, &at(7, 3..4))]);
    views.push(reader.read());
    let expected = |version: usize| [0, 1, 2, 3, 4, 5, 5, 5][version];
    let of_3 = |version: usize| {
        [Some(0), Some(1), Some(2), Some(3), Some(4), Some(5), None, Some(7)][version]
    };
    // In whatever order they are dropped, the others go on seeing theirs.
    let mut held: Vec<_> = views.into_iter().enumerate().collect();
    while !held.is_empty() {
        for (version, view) in &held {
            assert_eq!(score(view, 0), Some(0));
            assert_eq!(score(view, 3), of_3(*version));
            assert_eq!(score(view, 5), Some(expected(*version)));
            assert_eq!(score(view, 9), None);
        }
        held.remove(held.len() * 2 / 3);
        cache.reclaim(1000);
    }
    let usage = reclaim_all(&mut cache);
    assert_eq!((usage.live, usage.occupied, usage.retired), (9, 9, 0));
    assert_eq!(score(&reader.read(), 3), Some(7));
}

#[test]
fn updates_without_readers_stay_in_place() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<PlainPlayer>(A, &at(0, 0..ROWS))]);
    let mut slots = 0;
    for to in 1..5 {
        update(&mut cache, to - 1, to, 500..2500);
        let usage = reclaim_all(&mut cache);
        assert_eq!((usage.live, usage.occupied, usage.retired), (ROWS as usize, ROWS as usize, 0));
        // The room for the new versions is kept, within a quarter of the table, and is enough.
        assert!(to == 1 || usage.slots == slots, "{} slots, then {}", slots, usage.slots);
        slots = usage.slots;
        assert!(slots <= 5 * 1024, "{slots} slots for {ROWS} rows");
        let view = cache.reader().read();
        let ids: Vec<_> = view.table::<PlainPlayer>().unwrap().iter().map(|row| row.id).collect();
        assert_eq!(ids, (0..ROWS).collect::<Vec<_>>());
        assert!((0..ROWS).all(|id| {
            score(&view, id) == Some(if (500..2500).contains(&id) { to } else { 0 })
        }));
    }
}

#[test]
fn aborted_message_leaves_no_versions() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<PlainPlayer>(A, &at(0, 0..50))]);
    for _ in 0..3 {
        let wrong = [
            inserts::<PlainPlayer>(A, &at(1, 0..50)),
            deletes::<PlainPlayer>(A, &at(0, 0..50)),
            deletes::<PlainPlayer>(B, &at(0, 0..1)),
        ];
        try_apply_by(&mut cache, 7, wrong).unwrap_err();
        assert!((0..50).all(|id| score(&cache.reader().read(), id) == Some(0)));
    }
    update(&mut cache, 0, 2, 0..50);
    assert!((0..50).all(|id| score(&cache.reader().read(), id) == Some(2)));
    let usage = reclaim_all(&mut cache);
    assert_eq!((usage.live, usage.occupied, usage.retired), (50, 50, 0));
}

#[test]
fn cancelled_replacement_leaves_old_row_unlinked() {
    let mut cache = cache();
    apply(
        &mut cache,
        [inserts::<PlainPlayer>(A, &at(0, 0..3)), inserts::<PlainPlayer>(B, &at(0, 0..3))],
    );
    // One set says that row 1 changed, and takes it back.
    apply(
        &mut cache,
        [inserts::<PlainPlayer>(A, &at(1, 1..2)), deletes::<PlainPlayer>(A, &at(1, 1..2))],
    );
    reclaim_all(&mut cache);
    let parts = [A, B].map(|set| inserts::<PlainPlayer>(set, &at(2, 1..2)));
    let left = [A, B].map(|set| deletes::<PlainPlayer>(set, &at(0, 1..2)));
    apply(&mut cache, parts.into_iter().chain(left).collect::<Vec<_>>());
    assert_eq!(score(&cache.reader().read(), 1), Some(2));
    let usage = reclaim_all(&mut cache);
    assert_eq!((usage.live, usage.occupied, usage.retired), (3, 3, 0));
}
