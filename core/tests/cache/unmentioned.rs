//! Tables that the program does not mention: how many there may be, and when they are forgotten.

use lightlike_core::cache::{
    Cache, CacheConfig, OutOfSync, OutOfSyncKind, Part, RowChange, SetId, Transaction,
};
use lightlike_core::wire::RowList;

use super::support::*;

/// A cache with room for so many tables of short names.
fn cache_of(tables: usize) -> Cache {
    let mut config = CacheConfig::default();
    config.max_table_bytes = tables * (2048 + 8);
    Cache::new(config)
}

fn name(table: usize) -> String {
    format!("t{table:07}")
}

fn come(set: SetId, table: usize) -> Part {
    Part::Inserts { set, table: name(table).into(), rows: RowList::from_rows([name(table)]) }
}

fn leave(set: SetId, table: usize) -> Part {
    Part::Deletes { set, table: name(table).into(), rows: RowList::from_rows([name(table)]) }
}

fn names(cache: &Cache) -> usize {
    cache.reader().read().table_names().count()
}

/// Reclaims until there is nothing to do.
fn rest(cache: &mut Cache) {
    while cache.reclaim(1000) {}
}

fn is_too_many(result: Result<Transaction, OutOfSync>, limit: usize) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), OutOfSyncKind::TooManyTables { limit });
    assert!(error.to_string().contains("`max_table_bytes`"), "{error}");
}

#[test]
fn tables_beyond_bound_are_out_of_sync() {
    let mut cache = cache_of(10);
    (0..10).for_each(|table| drop(apply(&mut cache, [come(A, table)])));
    is_too_many(try_apply(&mut cache, [come(A, 10)]), 10 * 2056);
    // Those that are there go on.
    apply(&mut cache, [leave(A, 3), come(B, 3)]);
    assert_eq!(cache.reader().read().untyped(&name(3)).unwrap().len(), 1);
    // Tables of the program's own are not counted.
    cache.register::<Player>().unwrap();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 0)])]);
    assert_eq!(names(&cache), 11);
}

#[test]
fn long_names_count_by_bytes() {
    let mut cache = cache_of(10);
    let rows = || RowList::from_rows(["row"]);
    let long = Part::Inserts { set: A, table: "x".repeat(19_000).into(), rows: rows() };
    is_too_many(try_apply(&mut cache, [long]), 10 * 2056);
    let long = Part::Inserts { set: A, table: "x".repeat(18_000).into(), rows: rows() };
    apply(&mut cache, [long]);
}

#[test]
fn empty_tables_make_room_for_others() {
    let mut cache = cache_of(10);
    for table in 0..1000 {
        apply(&mut cache, [come(A, table)]);
        apply(&mut cache, [leave(A, table)]);
        cache.reclaim(100);
        assert!(names(&cache) <= 10);
    }
    // Many of one message are all of it, and what is named is not forgotten to make room.
    is_too_many(
        try_apply(&mut cache, (0..11).map(|table| come(A, table)).collect::<Vec<_>>()),
        20_560,
    );
    apply(&mut cache, (0..10).map(|table| come(A, table)).collect::<Vec<_>>());
    assert_eq!(names(&cache), 10);
}

#[test]
fn tables_are_forgotten_with_their_sets() {
    let mut cache = Cache::default();
    (0..100).for_each(|table| drop(apply(&mut cache, [come(A, table)])));
    apply(&mut cache, [come(B, 7)]);
    let view = cache.reader().read();
    let left = apply(&mut cache, [Part::DropSet { set: A }]);
    rest(&mut cache);
    assert_eq!(names(&cache), 100, "views may see their rows");
    let mut deleted = 0;
    for diff in left.tables() {
        diff.for_each_encoded(&left, |change| {
            assert!(matches!(change, RowChange::Delete(row) if row == diff.name().as_bytes()));
            deleted += 1;
        });
    }
    assert_eq!(deleted, 99);
    drop((view, left));
    rest(&mut cache);
    assert_eq!(cache.reader().read().table_names().collect::<Vec<_>>(), [name(7)]);
}

#[test]
fn ids_of_forgotten_tables_are_used_again() {
    let mut cache = Cache::default();
    apply(&mut cache, [come(A, 1), come(A, 2)]);
    let before = cache.reader().read();
    apply(&mut cache, [Part::DropSet { set: A }]);
    rest(&mut cache);
    assert_eq!(before.untyped(&name(1)).unwrap().rows(), [name(1).into_bytes()]);
    drop(before);
    rest(&mut cache);
    assert_eq!(names(&cache), 0);
    let old = cache.reader().read();
    apply(&mut cache, [come(B, 3), come(B, 4), come(B, 5)]);
    let view = cache.reader().read();
    for table in 3..6 {
        assert_eq!(view.untyped(&name(table)).unwrap().rows(), [name(table).into_bytes()]);
        assert!(old.untyped(&name(table)).is_none());
    }
    assert!(view.untyped(&name(1)).is_none());
    // The one that the program mentions keeps its id, and its rows.
    apply(&mut cache, [inserts::<Player>(B, &[player(1, 0)])]);
    cache.register::<Player>().unwrap();
    apply(&mut cache, [Part::DropSet { set: B }]);
    drop((view, old));
    rest(&mut cache);
    apply(&mut cache, [come(A, 9), inserts::<Player>(A, &[player(2, 0)])]);
    assert_eq!(rows::<Player>(&cache), [player(2, 0)]);
    assert_eq!(names(&cache), 2);
}
