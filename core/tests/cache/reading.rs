//! Rows that views see.

use core::ops::Bound;

use super::support::*;

#[test]
fn view_is_stable_while_held() {
    let mut cache = cache();
    let reader = cache.reader();
    let mut views = vec![reader.read()];
    let mut held = Vec::new();
    for id in 0..50_u64 {
        let mut parts = vec![inserts::<Player>(A, &[player(id, 0)])];
        if id > 10 {
            let old = id - 10;
            parts.push(inserts::<Player>(A, &[player(old, 1)]));
            parts.push(deletes::<Player>(A, &[player(old, 0)]));
        }
        if id > 20 {
            parts.push(deletes::<Player>(A, &[player(id - 20, 1)]));
        }
        apply(&mut cache, parts);
        while cache.reclaim(3) {}
        views.push(reader.read());
        held.push(rows_in::<Player>(views.last().unwrap()));
    }
    assert!(views[0].table::<Player>().unwrap().is_empty());
    for (view, expected) in views[1..].iter().zip(&held) {
        let table = view.table::<Player>().unwrap();
        assert_eq!(&rows_in::<Player>(view), expected);
        let mut by_score: Vec<_> = expected.iter().map(|row| (row.score, row.id)).collect();
        by_score.sort_unstable();
        let ranged = table.range(Player::SCORE_ID, ..).map(|row| (row.score, row.id));
        assert_eq!(ranged.collect::<Vec<_>>(), by_score);
        for id in 0..50 {
            let by_id = expected.iter().find(|row| row.id == id);
            assert_eq!(table.find(Player::ID, &id), by_id);
            assert_eq!(table.find(Player::NAME, &*format!("player {id}")), by_id);
        }
    }
}

#[test]
fn references_live_as_long_as_the_view() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 5)])]);
    let view = cache.reader().read();
    let row = {
        let table = view.table::<Player>().unwrap();
        table.find(Player::ID, &1).unwrap()
    };
    apply(&mut cache, [deletes::<Player>(A, &[player(1, 5)])]);
    while cache.reclaim(10) {}
    assert_eq!(row.score, 5);
}

#[test]
fn ranges_keep_their_bounds() {
    let mut cache = cache();
    let players: Vec<_> = (0..1000).map(|id| player(id, (id % 100) as u32)).collect();
    apply(&mut cache, [inserts::<Player>(A, &players)]);
    let view = cache.reader().read();
    let table = view.table::<Player>().unwrap();
    let scores = |from, to| -> Vec<u32> {
        table.range(Player::SCORE, (from, to)).map(|row| row.score).collect()
    };
    use Bound::{Excluded, Included, Unbounded};
    for (from, to, expected) in [
        (Included(10), Excluded(12), vec![10, 11]),
        (Excluded(10), Included(12), vec![11, 12]),
        (Unbounded, Excluded(1), vec![0]),
        (Excluded(98), Unbounded, vec![99]),
        (Included(100), Unbounded, vec![]),
        (Included(50), Excluded(50), vec![]),
        (Included(12), Included(10), vec![]),
    ] {
        let each = expected.iter().flat_map(|&score| [score; 10]).collect::<Vec<_>>();
        assert_eq!(scores(from, to), each, "{from:?} to {to:?}");
    }
    let pairs = table.range(Player::SCORE_ID, (5, 300)..=(6, 300));
    let pairs: Vec<_> = pairs.map(|row| (row.score, row.id)).collect();
    assert_eq!(pairs.first(), Some(&(5, 305)));
    assert_eq!(pairs.last(), Some(&(6, 206)));
}

#[test]
fn a_unique_value_can_move_to_another_row() {
    let mut cache = cache();
    let (mut a, mut b) = (player(1, 0), player(2, 0));
    apply(&mut cache, [inserts::<Player>(A, &[a.clone(), b.clone()])]);
    let old = [a.clone(), b.clone()];
    core::mem::swap(&mut a.name, &mut b.name);
    apply(&mut cache, [inserts::<Player>(A, &[a, b]), deletes::<Player>(A, &old)]);
    let view = cache.reader().read();
    let table = view.table::<Player>().unwrap();
    assert_eq!(table.find(Player::NAME, "player 1").unwrap().id, 2);
    assert_eq!(table.find(Player::NAME, "player 2").unwrap().id, 1);
}

#[test]
fn iteration_covers_all_chunks_by_next_and_fold() {
    let mut cache = cache();
    let players: Vec<_> = (0..5000).map(|id| player(id, 1)).collect();
    apply(&mut cache, [inserts::<Player>(A, &players)]);
    let gone: Vec<_> = players.iter().filter(|row| row.id % 3 == 0).cloned().collect();
    apply(&mut cache, [deletes::<Player>(A, &gone)]);
    let view = cache.reader().read();
    let table = view.table::<Player>().unwrap();
    let mut count = 0;
    for row in table {
        assert_ne!(row.id % 3, 0);
        count += 1;
    }
    assert_eq!((count, table.len()), (3333, 3333));
    let mut some = table.iter();
    some.by_ref().take(1500).for_each(drop);
    assert_eq!(some.map(|row| row.score).sum::<u32>(), 3333 - 1500);
}

#[test]
fn view_shows_all_tables_at_one_version() {
    let mut cache = cache();
    let reader = cache.reader();
    for round in 0..20_u32 {
        let view = reader.read();
        let tx = apply(
            &mut cache,
            [
                inserts::<Player>(A, &[player(u64::from(round), 0)]),
                inserts::<Message>(A, &[message(round, "hi")]),
            ],
        );
        for (view, len) in [(&view, round), (tx.before(), round), (tx.after(), round + 1)] {
            assert_eq!(view.table::<Player>().unwrap().len(), len as usize);
            assert_eq!(view.table::<Message>().unwrap().len(), len as usize);
        }
    }
}

#[test]
fn an_untyped_table_shows_encodings() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 5)])]);
    apply(&mut cache, [inserts::<Banned>(A, &[player(2, 5)])]);
    let view = cache.reader().read();
    assert_eq!(view.untyped("player").unwrap().rows(), [bytes(&player(1, 5))]);
    assert_eq!(view.untyped("banned").unwrap().rows(), [bytes(&player(2, 5))]);
    assert!(view.untyped("nothing").is_none());
    assert!(view.table::<Banned>().is_none());
    let mut names: Vec<_> = view.table_names().collect();
    names.sort_unstable();
    assert_eq!(names, ["banned", "message", "player", "tick"]);
}

#[test]
fn versions_wrap_without_anybody_noticing() {
    use lightlike_core::cache::{Cache, CacheConfig};
    for wrap in [1_u64 << 31, 1 << 32, 3 << 31] {
        let mut config = CacheConfig::default();
        config.first_version = wrap - 5;
        let mut cache = Cache::new(config);
        cache.register::<Player>().unwrap();
        let mut views = Vec::new();
        for id in 0..12 {
            apply(&mut cache, [inserts::<Player>(A, &[player(id, 0)])]);
            views.push(cache.reader().read());
        }
        for (view, count) in views.iter().zip(1..) {
            assert_eq!(rows_in::<Player>(view).len(), count);
        }
    }
}
