//! Reads by indexes: one column, several, a time, an enum; in order, within bounds.

use lightlike::prelude::*;
use lightlike_tests::conformance::{next, on_both_servers};

use super::scores::{ids, insert_scores};
use crate::module::*;

const SCORES: [(u64, u32, &str, i64); 4] =
    [(1, 7, "ada", 30), (2, 7, "grace", -5), (3, 8, "ada", 10), (4, 7, "ada", 20)];

#[tokio::test]
async fn range_rows_come_in_index_order() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _scores = db.subscribe(Score::all()).await.unwrap();
        insert_scores(&db, SCORES).await;
        let view = db.read();
        let scores = view.table::<Score>();
        let mut of_game_7 = ids(scores.range(Score::GAME, 7..=7));
        of_game_7.sort_unstable();
        assert_eq!(of_game_7, [1, 2, 4]);
        assert_eq!(ids(scores.range(Score::GAME, 8..)), [3]);
        assert_eq!(ids(scores.range(Score::GAME, ..7)), [] as [u64; 0]);
        let by_points = Score::BY_GAME_AND_POINTS;
        assert_eq!(ids(scores.range(by_points, ..)), [2, 4, 1, 3]);
        assert_eq!(ids(scores.range(by_points, (7, 0)..(7, 30))), [4]);
        assert_eq!(ids(scores.range(by_points, (7, 0)..=(7, 30))), [4, 1]);
        assert_eq!(ids(scores.range(by_points, (7, i64::MIN)..=(7, i64::MAX))), [2, 4, 1]);
        let player = |name: &str, points| (7, name.to_owned(), points);
        let ada = player("ada", i64::MIN)..=player("ada", i64::MAX);
        assert_eq!(ids(scores.range(Score::BY_ALL, ada)), [4, 1]);
    })
    .await;
}

#[tokio::test]
async fn an_index_follows_updates_and_deletes() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _scores = db.subscribe(Score::all()).await.unwrap();
        insert_scores(&db, SCORES).await;
        let before = db.read();
        db.call(update_score(2, 100)).await.unwrap();
        let by_points = Score::BY_GAME_AND_POINTS;
        assert_eq!(ids(db.read().table::<Score>().range(by_points, ..)), [4, 1, 2, 3]);
        db.call(delete_scores_of_game(7)).await.unwrap();
        assert_eq!(ids(db.read().table::<Score>().range(by_points, ..)), [3]);
        let game = db.table::<Score>().range(Score::GAME, 7..=7);
        assert_eq!(game.count(), 0);
        assert_eq!(ids(before.table::<Score>().range(by_points, ..)), [2, 4, 1, 3]);
    })
    .await;
}

#[tokio::test]
async fn keyless_index_holds_equal_values() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(BtreeU32::all()).await.unwrap();
        let rows: Vec<_> =
            [(1, 1), (2, 1), (2, 2), (3, 1)].map(|(n, data)| Entry { n, data }).into();
        db.call(insert_into_btree_u32(rows.clone())).await.unwrap();
        let data = |n: u32| {
            let mut data: Vec<_> =
                db.table::<BtreeU32>().range(BtreeU32::N, n..=n).map(|row| row.data).collect();
            data.sort_unstable();
            data
        };
        assert_eq!((data(1), data(2), data(3)), (vec![1], vec![1, 2], vec![1]));
        db.call(delete_from_btree_u32(rows[1..2].to_vec())).await.unwrap();
        assert_eq!((data(1), data(2), data(3)), (vec![1], vec![2], vec![1]));
    })
    .await;
}

#[tokio::test]
async fn times_hashes_and_slots_find_rows_too() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let tables = (IndexedTimestamp::all(), Hashed::all(), Direct::all());
        let _rows = db.subscribe(tables).await.unwrap();
        for micros in [30, -10, 20] {
            let at = Timestamp::from_micros(micros);
            db.call(insert_indexed_timestamp(at, micros.to_string())).await.unwrap();
        }
        let bounds = Timestamp::from_micros(-10)..Timestamp::from_micros(30);
        let notes = db.table::<IndexedTimestamp>().range(IndexedTimestamp::AT, bounds);
        assert_eq!(notes.map(|row| row.note).collect::<Vec<_>>(), ["-10", "20"]);
        for (name, data) in [("a", 1), ("b", 2), ("a", 3)] {
            db.call(insert_hashed(name.into(), data)).await.unwrap();
        }
        let a = || "a".to_owned();
        let data = db.table::<Hashed>().range(Hashed::NAME, a()..=a()).map(|row| row.data);
        assert_eq!(data.sum::<i32>(), 4);
        db.call(insert_direct(3, 30)).await.unwrap();
        assert_eq!(db.table::<Direct>().find(Direct::SLOT, &3).map(|row| row.data), Some(30));
        let taken = db.call(insert_direct(3, 31)).await;
        assert!(matches!(taken, Err(CallError::Rejected(_))), "{taken:?}");
    })
    .await;
}

/// Official scenario 48.
#[tokio::test]
async fn an_enum_can_be_an_index() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(IndexedSimpleEnum::all()).await.unwrap();
        let mut changes = db.table::<IndexedSimpleEnum>().changes();
        db.call(insert_into_indexed_simple_enum(SimpleEnum::Two)).await.unwrap();
        let inserted = next(&mut changes).await;
        assert!(
            matches!(inserted, Change::Inserted(Inserted { row, .. }) if row.n == SimpleEnum::Two)
        );
        db.call(update_indexed_simple_enum(SimpleEnum::Two, SimpleEnum::One)).await.unwrap();
        let rows = db.table::<IndexedSimpleEnum>();
        assert_eq!(rows.range(IndexedSimpleEnum::N, SimpleEnum::Two..).count(), 0);
        assert_eq!(rows.range(IndexedSimpleEnum::N, ..SimpleEnum::Two).count(), 1);
        let none = db.call(update_indexed_simple_enum(SimpleEnum::Two, SimpleEnum::One)).await;
        assert!(matches!(none, Err(CallError::Rejected(_))), "{none:?}");
    })
    .await;
}
