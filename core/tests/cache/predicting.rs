//! Long lists of deletes, in the orders in which servers tell them: rows are looked for where the last ones lay, and
//! whatever lies there, it is the right row that goes.

use std::collections::BTreeMap;

use lightlike_core::cache::{Cache, Part};

use super::support::*;

const ROWS: u64 = 600;

/// Applies a change whole, and returns the number of rows that it changes.
fn apply_whole(cache: &mut Cache, parts: Vec<Part>) -> usize {
    let tx = apply(cache, parts);
    tx.tables().first().map_or(0, |table| table.len())
}

fn all(score: impl Fn(u64) -> u32) -> Vec<Player> {
    (0..ROWS).map(|id| player(id, score(id))).collect()
}

/// The orders: as the rows came, backwards, backwards by pages as an engine has them, and none.
fn orders(rows: &[Player]) -> [Vec<Player>; 4] {
    let backwards = rows.iter().rev().cloned().collect();
    let pages = rows.chunks(90).flat_map(|page| page.iter().rev().cloned()).collect();
    let mut none = rows.to_vec();
    none.sort_by_key(|row| row.id.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    [rows.to_vec(), backwards, pages, none]
}

#[test]
fn updates_find_rows_in_any_order() {
    let mut cache = cache();
    let mut held = all(|_| 0);
    apply_whole(&mut cache, vec![inserts::<Player>(A, &held)]);
    for round in (0..8).map(|round| round % 4) {
        let old = orders(&held)[round].clone();
        let new = all(|id| held[id as usize].score + 1);
        let came = orders(&new)[(round + 1) % 4].clone();
        let parts = vec![inserts::<Player>(A, &came), deletes::<Player>(A, &old)];
        assert_eq!(apply_whole(&mut cache, parts), ROWS as usize);
        assert_eq!(rows::<Player>(&cache), new);
        while cache.reclaim(1000) {}
        held = new;
    }
}

#[test]
fn pure_deletes_may_interleave_with_updates() {
    for order in 0..4 {
        let mut cache = cache();
        let held = all(|_| 0);
        apply_whole(&mut cache, vec![inserts::<Player>(A, &held), inserts::<Player>(B, &held)]);
        // Of every seven one leaves for good, one leaves one set only, one comes and goes at once, and the rest change.
        let came: Vec<_> =
            held.iter().filter(|row| row.id % 7 > 1).map(|row| player(row.id, 1)).collect();
        let came_and_went: Vec<_> =
            (0..ROWS).map(|id| player(ROWS + id, 9)).filter(|row| row.id % 7 == 2).collect();
        let left: Vec<_> = held.iter().filter(|row| row.id % 7 != 1).cloned().collect();
        let in_a = [&orders(&held)[order][..], &came_and_went].concat();
        let parts = vec![
            inserts::<Player>(A, &came),
            inserts::<Player>(A, &came_and_went),
            inserts::<Player>(B, &came),
            deletes::<Player>(A, &in_a),
            deletes::<Player>(B, &orders(&left)[order]),
        ];
        apply_whole(&mut cache, parts);
        let mut expected: BTreeMap<u64, u32> = came.iter().map(|row| (row.id, 1)).collect();
        expected.extend(held.iter().filter(|row| row.id % 7 == 1).map(|row| (row.id, 0)));
        let seen: BTreeMap<u64, u32> =
            rows::<Player>(&cache).iter().map(|row| (row.id, row.score)).collect();
        assert_eq!(seen, expected);
    }
}
