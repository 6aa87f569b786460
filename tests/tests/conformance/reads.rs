//! Reads: without copies, of one moment, by the first columns of an index, by an index of the client's own, by a
//! condition; and rows of which only the first columns are known.

use lightlike::prelude::*;
use lightlike::schema::ClientIndex;
use lightlike_tests::conformance::on_both_servers;

use super::scores::{ids, insert_scores};
use crate::module::*;

const BY_POINTS: ClientIndex<Score, i64> = ClientIndex::on(Score::POINTS);
const BY_PLAYER: ClientIndex<Score, String> = ClientIndex::on(Score::PLAYER);

fn sorted(mut ids: Vec<u64>) -> Vec<u64> {
    ids.sort_unstable();
    ids
}

const SCORES: [(u64, u32, &str, i64); 5] = [
    (1, 7, "ada", 30),
    (2, 7, "grace", -5),
    (3, 8, "ada", 10),
    (4, 7, "ada", 20),
    (5, 7, "adam", 25),
];

#[tokio::test]
async fn index_prefix_bounds_range_of_next_column() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _scores = db.subscribe(Score::all()).await.unwrap();
        insert_scores(&db, SCORES).await;
        let view = db.read();
        let scores = view.table::<Score>();
        let game = |game| Score::BY_GAME_AND_POINTS.prefix((game,));
        assert_eq!(ids(scores.range(game(7), ..)), [2, 4, 5, 1]);
        assert_eq!(ids(scores.range(game(7), 20..30)), [4, 5]);
        assert_eq!(ids(scores.range(game(9), ..)), [] as [u64; 0]);
        let player = |name: &str| Score::BY_ALL.prefix((7, name.to_owned()));
        assert_eq!(ids(scores.range(player("ada"), ..)), [4, 1]);
        assert_eq!(ids(scores.range(player("ada"), ..=20)), [4]);
        assert_eq!(ids(scores.equal(player("adam"), &25)), [5]);
        let names = Score::BY_ALL.prefix((7,));
        assert_eq!(ids(scores.range(names, "ada".to_owned().."grace".to_owned())), [4, 1, 5]);
        assert_eq!(sorted(ids(scores.equal(Score::GAME, &8))), [3]);
        assert_eq!(db.table::<Score>().equal(Score::GAME, &7).count(), 4);
    })
    .await;
}

#[tokio::test]
async fn client_only_index_follows_rows() {
    on_both_servers(async |target| {
        let builder = target.builder().index::<Score>(BY_POINTS).index::<Score>(BY_PLAYER);
        let declared = builder.connect().await.unwrap();
        let undeclared = target.connect().await;
        for db in [&declared, &undeclared] {
            db.subscribe(Score::all()).await.unwrap().keep();
        }
        insert_scores(&declared, SCORES).await;
        declared.call(update_score(2, 100)).await.unwrap();
        declared.call(delete_scores_of_game(8)).await.unwrap();
        undeclared.call(update_score(5, 5)).await.unwrap();
        declared.call(update_score(5, 5)).await.unwrap();
        for db in [&declared, &undeclared] {
            let view = db.read();
            let scores = view.table::<Score>();
            assert_eq!(ids(scores.range(BY_POINTS, ..)), [5, 4, 1, 2]);
            assert_eq!(ids(scores.range(BY_POINTS, 20..=30)), [4, 1]);
            assert_eq!(sorted(ids(scores.equal(BY_PLAYER, &"ada".to_owned()))), [1, 4]);
            assert_eq!(scores.equal(BY_PLAYER, &"nobody".to_owned()).count(), 0);
        }
    })
    .await;
}

#[tokio::test]
async fn a_condition_selects_rows_that_are_here() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _scores = db.subscribe(Score::all()).await.unwrap();
        insert_scores(&db, SCORES).await;
        let strong_adas = Score::PLAYER.eq("ada").and(Score::POINTS.ge(20));
        let view = db.read();
        assert_eq!(sorted(ids(view.table::<Score>().filter(&strong_adas))), [1, 4]);
        let copies: Vec<_> = db.table::<Score>().filter(&!strong_adas).collect();
        assert_eq!(sorted(ids(&copies)), [2, 3, 5]);
    })
    .await;
}

#[tokio::test]
async fn view_shows_all_tables_at_one_moment() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe((Score::all(), PkU32::all())).await.unwrap();
        insert_scores(&db, SCORES).await;
        db.call(PkU32::insert(1, 1)).await.unwrap();
        let held = db.read();
        let (scores, keyed) = (held.table::<Score>(), held.table::<PkU32>());
        let ada = scores.find(Score::ID, &1).unwrap();
        db.call(delete_scores_of_game(7)).await.unwrap();
        db.call(PkU32::update(1, 2)).await.unwrap();
        assert_eq!((ada.player.as_str(), scores.len(), scores.iter().count()), ("ada", 5, 5));
        assert_eq!(keyed.get(&1).map(|row| row.data), Some(1));
        let now = db.read();
        assert_eq!(
            (now.table::<Score>().len(), now.table::<PkU32>().get(&1)),
            (1, Some(&PkU32::of(1, 2)))
        );
    })
    .await;
}

#[tokio::test]
async fn rows_that_cannot_be_copied_can_be_read() {
    /// Neither `Clone` nor `Copy`.
    #[derive(Bsatn, Table)]
    #[table(name = "pk_u_32")]
    struct Uncopied {
        #[primary_key]
        key: u32,
        data: i32,
    }

    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(Uncopied::filter(Uncopied::DATA.ne(0))).await.unwrap();
        for key in 0..3 {
            db.call(PkU32::insert(key, key as i32)).await.unwrap();
        }
        let view = db.read();
        let rows = view.table::<Uncopied>();
        assert_eq!(rows.iter().map(|row| row.data).sum::<i32>(), 3);
        assert_eq!(rows.find(Uncopied::KEY, &2).map(|row| row.data), Some(2));
        assert_eq!(rows.filter(&Uncopied::KEY.gt(1)).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn lenient_row_ignores_appended_columns() {
    /// As `score` was before it got its last column.
    #[derive(Bsatn, Table, Clone, Debug, PartialEq)]
    #[table(name = "score", lenient)]
    struct Early {
        #[primary_key]
        id: u64,
        #[index(btree)]
        game: u32,
        player: String,
    }

    #[derive(Bsatn, Table, Clone, Debug, PartialEq)]
    #[table(name = "score")]
    struct Strict {
        #[primary_key]
        id: u64,
        game: u32,
    }

    on_both_servers(async |target| {
        let db = target.connect().await;
        let _scores = db.subscribe(Early::filter(Early::GAME.eq(7))).await.unwrap();
        let mut changes = db.table::<Early>().changes();
        insert_scores(&db, SCORES).await;
        let view = db.read();
        assert_eq!(view.table::<Early>().len(), 4);
        assert_eq!(view.table::<Early>().get(&2).map(|row| &*row.player), Some("grace"));
        drop(view);
        assert_eq!(db.query(Early::all()).await.unwrap().len(), 5);
        // Only a column that is not known here changes.
        db.call(update_score(2, 100)).await.unwrap();
        db.call(delete_scores_of_game(7)).await.unwrap();
        assert!(db.table::<Early>().is_empty());
        db.disconnect().await;
        let mut seen = Vec::new();
        while let Some(change) = changes.next().await {
            seen.push(match change.unwrap() {
                Change::Inserted(_) => 'i',
                Change::Updated(_) => 'u',
                Change::Deleted(_) => 'd',
            });
        }
        assert_eq!(seen.iter().collect::<String>(), "iiiidddd");
        let db = target.connect().await;
        insert_scores(&db, SCORES).await;
        let failed = db.subscribe(Strict::all()).await.unwrap_err();
        assert_eq!(failed.kind(), lightlike::ErrorKind::Schema, "{failed:?}");
    })
    .await;
}
