//! Reading by the first columns of an index, and by indexes that only the client has.

use lightlike_core::schema::ClientIndex;

use super::support::*;

const BY_NAME: ClientIndex<Player, String> = ClientIndex::on(Player::NAME);
const BY_ONLINE: ClientIndex<Player, bool> = ClientIndex::on(Player::ONLINE);

fn ids<'v>(rows: impl Iterator<Item = &'v Player>) -> Vec<u64> {
    rows.map(|row| row.id).collect()
}

#[test]
fn index_prefix_bounds_range_of_next_column() {
    let mut cache = cache();
    let players: Vec<_> = (0..200).map(|id| player(id, (id % 4) as u32)).collect();
    apply(&mut cache, [inserts::<Player>(A, &players)]);
    let view = cache.reader().read();
    let table = view.table::<Player>().unwrap();
    let of_score_2: Vec<_> = (0..200).filter(|id| id % 4 == 2).collect();
    let score_2 = Player::SCORE_ID.prefix((2,));
    assert_eq!(ids(table.range(score_2, ..)), of_score_2);
    assert_eq!(ids(table.range(score_2, 10..=18)), [10, 14, 18]);
    assert_eq!(ids(table.range(score_2, ..7)), [2, 6]);
    assert_eq!(ids(table.range(score_2, 191..)), [194, 198]);
    assert_eq!(ids(table.range(Player::SCORE_ID.prefix((4,)), ..)), [] as [u64; 0]);
    assert_eq!(ids(table.range(Player::SCORE_ID.prefix((3,)), 196..)), [199]);
}

#[test]
fn a_declared_index_follows_the_rows() {
    let mut cache = cache();
    cache.add_index::<Player, _>(BY_NAME).unwrap();
    let mut players: Vec<_> = (0..600).map(|id| player(id, 0)).collect();
    apply(&mut cache, [inserts::<Player>(A, &players)]);
    let before = cache.reader().read();
    let gone = players.split_off(300);
    let old = players[0].clone();
    players[0].name = "zoe".into();
    apply(
        &mut cache,
        [
            deletes::<Player>(A, &gone),
            inserts::<Player>(A, &players[..1]),
            deletes::<Player>(A, &[old]),
        ],
    );
    while cache.reclaim(100) {}
    let names = |view: &lightlike_core::cache::View, bounds: core::ops::RangeFrom<String>| {
        let table = view.table::<Player>().unwrap();
        assert!(table.has_index(&BY_NAME));
        table.range(BY_NAME, bounds).map(|row| row.name.clone()).collect::<Vec<_>>()
    };
    let now = cache.reader().read();
    assert_eq!(names(&now, "player 98".into()..), ["player 98", "player 99", "zoe"]);
    let mut all: Vec<_> = players.iter().map(|row| row.name.clone()).collect();
    all.sort();
    assert_eq!(names(&now, String::new()..), all);
    assert_eq!(names(&before, "player 598".into()..).first().unwrap(), "player 598");
    assert_eq!(names(&before, String::new()..).len(), 600);
}

#[test]
fn index_can_be_added_to_existing_rows() {
    let mut cache = cache();
    let players: Vec<_> = (0..100).map(|id| player(id, 0)).collect();
    apply(&mut cache, [inserts::<Player>(A, &players)]);
    let held = cache.reader().read();
    apply(&mut cache, [deletes::<Player>(A, &players[..50])]);
    cache.add_index::<Player, _>(BY_NAME).unwrap();
    cache.add_index::<Player, _>(BY_NAME).unwrap();
    let now = cache.reader().read();
    assert!(now.table::<Player>().unwrap().has_index(&BY_NAME));
    for (view, expected) in [(&now, 50), (&held, 100)] {
        let names = view.table::<Player>().unwrap().range(BY_NAME, ..).map(|row| &row.name);
        let names: Vec<_> = names.collect();
        assert!(names.is_sorted());
        assert_eq!(names.len(), expected);
    }
}

#[test]
fn range_without_index_has_same_order() {
    let mut cache = cache();
    let mut players: Vec<_> = (0..50).rev().map(|id| player(id, 0)).collect();
    players[7].online = false;
    apply(&mut cache, [inserts::<Player>(A, &players)]);
    let view = cache.reader().read();
    let table = view.table::<Player>().unwrap();
    assert!(!table.has_index(&BY_NAME) && table.has_index(&Player::SCORE_ID));
    let names: Vec<_> =
        table.range(BY_NAME, "player 4".to_owned()..).map(|row| &row.name).collect();
    assert!(names.is_sorted());
    assert_eq!(names.len(), 1 + 10 + 5);
    assert_eq!(ids(table.range(BY_ONLINE, ..=false)), [players[7].id]);
}
