//! Readers on other threads, while one writes.
//!
//! All rows of a version carry the same score, and each version has the same ids: a torn view would show.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use lightlike_core::cache::{Cache, CacheReader, View};

use super::support::*;

const ROWS: u64 = 100;

/// The score of all rows, after looking at every row in every way.
fn check<P: Players>(view: &View) -> u32 {
    let table = view.table::<P>().unwrap();
    let rows: Vec<_> = table.iter().collect();
    assert_eq!(rows.len(), ROWS as usize);
    assert_eq!(table.len(), ROWS as usize);
    let score = rows[0].score;
    assert!(rows.iter().all(|row| row.score == score), "a torn view");
    for id in 0..ROWS {
        let row = table.find(Player::ID, &id).expect("every version has every id");
        assert_eq!((row.id, row.score), (id, score));
        if !P::DEF.indexes.is_empty() {
            assert_eq!(table.find(Player::NAME, &row.name), Some(row));
        }
    }
    let ranged: Vec<_> = table.range(Player::SCORE_ID, ..).map(|row| row.id).collect();
    assert_eq!(ranged, (0..ROWS).collect::<Vec<_>>());
    assert_eq!(table.range(Player::SCORE, score..=score).count(), ROWS as usize);
    let messages = view.table::<Message>().unwrap();
    assert_eq!(messages.iter().map(|row| row.sender).collect::<Vec<_>>(), [score]);
    score
}

/// Reads until it is stopped, and holds some views for longer than others.
fn read<P: Players>(reader: &CacheReader, stop: &AtomicBool, hold: usize) -> u32 {
    let mut held: Vec<(View, u32)> = Vec::new();
    let mut last = 0;
    while !stop.load(Ordering::Relaxed) {
        let view = reader.read();
        let score = check::<P>(&view);
        assert!(score >= last, "time went backwards");
        last = score;
        held.push((view, score));
        if held.len() > hold {
            let (view, score) = held.swap_remove(held.len() / 2);
            assert_eq!(check::<P>(&view), score);
        }
    }
    last
}

#[test]
fn readers_never_see_a_torn_or_changing_table() {
    write_beneath_readers::<Player>(100);
}

#[test]
fn readers_see_rows_while_versions_are_compacted() {
    write_beneath_readers::<PlainPlayer>(300);
}

fn write_beneath_readers<P: Players>(rounds: u32) {
    let mut cache = Cache::default();
    cache.register::<P>().unwrap();
    cache.register::<Message>().unwrap();
    let at = |score: u32| -> Vec<_> { (0..ROWS).map(|id| player(id, score)).collect() };
    apply(&mut cache, [inserts::<P>(A, &at(0)), inserts::<Message>(A, &[message(0, "")])]);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for hold in [0, 1, 5] {
            let (reader, stop) = (cache.reader(), &stop);
            scope.spawn(move || read::<P>(&reader, stop, hold));
        }
        for score in 1..rounds {
            let parts = [
                inserts::<P>(A, &at(score)),
                deletes::<P>(A, &at(score - 1)),
                inserts::<Message>(A, &[message(score, "")]),
                deletes::<Message>(A, &[message(score - 1, "")]),
            ];
            // Sometimes a message is given up, or is out of sync, before it goes through.
            if score % 5 == 0 {
                let wrong = [inserts::<P>(A, &at(score)), deletes::<P>(B, &at(0))];
                try_apply_by(&mut cache, 50, wrong).unwrap_err();
            }
            drop(try_apply_by(&mut cache, 50, parts).unwrap());
            while cache.reclaim(64) {}
        }
        stop.store(true, Ordering::Relaxed);
    });
    let view = cache.reader().read();
    assert_eq!(check::<P>(&view), rounds - 1);
    drop(view);
    while cache.reclaim(1000) {}
    let table = cache.register::<P>().unwrap().table;
    let usage = cache.usage(table).unwrap();
    assert_eq!((usage.live, usage.occupied, usage.retired), (ROWS as usize, ROWS as usize, 0));
}

#[test]
fn held_view_delays_neither_readers_nor_writer() {
    let mut cache = cache();
    let reader = cache.reader();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 0)])]);
    let held = reader.read();
    // All on one thread: were anything to wait for the view, this would not end.
    for score in 1..100 {
        let parts = [
            inserts::<Player>(A, &[player(1, score)]),
            deletes::<Player>(A, &[player(1, score - 1)]),
        ];
        apply(&mut cache, parts);
        assert_eq!(rows_in::<Player>(&reader.read()), [player(1, score)]);
        cache.reclaim(10);
    }
    assert_eq!(rows_in::<Player>(&held), [player(1, 0)]);
}
