//! Joins: rows of one table that rows of another select, and overlap with other queries.

use lightlike::prelude::*;
use lightlike_tests::conformance::{Log, on_both_servers};

use crate::module::*;

/// Log of the table's callbacks from now on.
fn watch<T>(db: &Client) -> Log
where
    T: HasKey<Row = T> + std::fmt::Debug,
{
    let log = Log::default();
    let (inserts, updates, deletes) = (log.clone(), log.clone(), log.clone());
    let table = db.table::<T>();
    table.on_insert(move |_, row| inserts.push(format!("insert {row:?}")));
    table.on_update(move |_, old, new| updates.push(format!("update {old:?} {new:?}")));
    table.on_delete(move |_, row| deletes.push(format!("delete {row:?}")));
    log
}

const VISIBLE: &str = "SELECT r.* FROM r JOIN s ON r.s_id = s.id WHERE s.visible = true";

#[tokio::test]
async fn joined_row_follows_its_partner() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(VISIBLE).await.unwrap();
        let log = watch::<RRow>(&db);
        let row = |text: &str| RRow { id: 1, s_id: 7, text: text.into() };
        db.call(put_r(1, 7, "a".into())).await.unwrap();
        assert!(log.take().is_empty());
        db.call(put_s(7, false)).await.unwrap();
        assert!(log.take().is_empty());
        db.call(put_s(7, true)).await.unwrap();
        assert_eq!(log.take(), [format!("insert {:?}", row("a"))]);
        db.call(put_r(1, 7, "b".into())).await.unwrap();
        assert_eq!(log.take(), [format!("update {:?} {:?}", row("a"), row("b"))]);
        db.call(put_s(7, false)).await.unwrap();
        assert_eq!(log.take(), [format!("delete {:?}", row("b"))]);
        db.call(put_s(7, true)).await.unwrap();
        db.call(delete_s(7)).await.unwrap();
        let line = |what: &str| format!("{what} {:?}", row("b"));
        assert_eq!(log.take(), [line("insert"), line("delete")]);
        assert!(db.table::<RRow>().is_empty());
        assert!(db.table::<SRow>().is_empty(), "rows that only select do not come");
    })
    .await;
}

/// Official scenario 41.
#[tokio::test]
async fn update_of_returned_side_is_an_update() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let join = "SELECT p.* FROM pk_u_32 p JOIN unique_u_32 u ON p.key = u.key \
                    WHERE u.data > 0 AND u.data < 5";
        let _rows = db.subscribe(join).await.unwrap();
        let log = watch::<PkU32>(&db);
        for (key, data) in [(1, 0), (2, 0)] {
            db.call(UniqueU32::insert(key, 3)).await.unwrap();
            db.call(PkU32::insert(key, data)).await.unwrap();
        }
        let row = PkU32::of;
        assert_eq!(log.take(), [(1, 0), (2, 0)].map(|(k, d)| format!("insert {:?}", row(k, d))));
        db.call(PkU32::update(2, 1)).await.unwrap();
        db.call(PkU32::update(2, 0)).await.unwrap();
        let update = |old, new| format!("update {:?} {:?}", row(2, old), row(2, new));
        assert_eq!(log.take(), [update(0, 1), update(1, 0)]);
    })
    .await;
}

/// Official scenario 42.
#[tokio::test]
async fn an_update_under_disjoint_joins_is_an_update() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let join = |condition: &str| {
            format!(
                "SELECT p.* FROM pk_u_32 p JOIN unique_u_32 u ON p.key = u.key WHERE {condition}"
            )
        };
        let _rows = db.subscribe([join("u.data < 10"), join("u.data >= 10")]).await.unwrap();
        let log = watch::<PkU32>(&db);
        db.call(PkU32::insert(1, 0)).await.unwrap();
        assert!(log.take().is_empty());
        db.call(insert_unique_u32_update_pk_u32(1, 20, 5)).await.unwrap();
        assert_eq!(log.take(), [format!("insert {:?}", PkU32::of(1, 5))]);
        db.call(UniqueU32::update(1, 3)).await.unwrap();
        assert!(log.take().is_empty(), "it moved from one query to the other");
        db.call(PkU32::update(1, 6)).await.unwrap();
        let line = format!("update {:?} {:?}", PkU32::of(1, 5), PkU32::of(1, 6));
        assert_eq!(log.take(), [line]);
    })
    .await;
}

/// Official scenario 39.
#[tokio::test]
async fn row_of_table_and_join_arrives_once() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let queries = [
            "SELECT * FROM pk_u_32",
            "SELECT u.* FROM unique_u_32 u JOIN pk_u_32 p ON u.key = p.key",
        ];
        let _rows = db.subscribe(queries).await.unwrap();
        let log = watch::<PkU32>(&db);
        let uniques = log.clone();
        db.table::<UniqueU32>().on_insert(move |_, row| uniques.push(format!("insert {row:?}")));
        db.call(PkU32::insert(1, 1)).await.unwrap();
        assert_eq!(log.take(), [format!("insert {:?}", PkU32::of(1, 1))]);
        db.call(insert_unique_u32_update_pk_u32(1, 2, 3)).await.unwrap();
        let mut lines = log.take();
        lines.sort();
        let update = format!("update {:?} {:?}", PkU32::of(1, 1), PkU32::of(1, 3));
        assert_eq!(lines, [format!("insert {:?}", UniqueU32::of(1, 2)), update]);
    })
    .await;
}

/// Official scenario 40.
#[tokio::test]
async fn row_moving_between_joins_stays() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let queries = [
            "SELECT u.* FROM unique_u_32 u JOIN pk_u_32 p ON u.key = p.key",
            "SELECT u.* FROM unique_u_32 u JOIN pk_u_32_two p ON u.key = p.key",
        ];
        let _rows = db.subscribe(queries).await.unwrap();
        let log = Log::default();
        let (inserts, deletes) = (log.clone(), log.clone());
        db.table::<UniqueU32>().on_insert(move |_, row| inserts.push(format!("insert {row:?}")));
        db.table::<UniqueU32>().on_delete(move |_, row| deletes.push(format!("delete {row:?}")));
        db.call(PkU32::insert(1, 1)).await.unwrap();
        db.call(UniqueU32::insert(1, 2)).await.unwrap();
        assert_eq!(log.take(), [format!("insert {:?}", UniqueU32::of(1, 2))]);
        db.call(delete_pk_u32_insert_pk_u32_two(1, 3)).await.unwrap();
        assert!(log.take().is_empty(), "it left one query and came into the other");
        assert!(db.table::<UniqueU32>().iter().eq([UniqueU32::of(1, 2)]));
        db.call(PkU32Two::delete(1)).await.unwrap();
        assert_eq!(log.take(), [format!("delete {:?}", UniqueU32::of(1, 2))]);
    })
    .await;
}

/// Official scenario 43.
#[tokio::test]
async fn row_joined_twice_stays_until_both_leave() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let join = "SELECT p.* FROM pk_u_32 p JOIN btree_u_32 b ON p.key = b.n";
        let _rows = db.subscribe(join).await.unwrap();
        let log = watch::<PkU32>(&db);
        let entry = |data| Entry { n: 0, data };
        let pk_rows = vec![entry(10)];
        db.call(insert_into_pk_btree_u32(pk_rows, vec![entry(1), entry(2)])).await.unwrap();
        let row = PkU32::of(0, 10);
        assert_eq!(log.take(), [format!("insert {row:?}")]);
        db.call(delete_from_btree_u32(vec![entry(1)])).await.unwrap();
        assert!(log.take().is_empty());
        db.call(PkU32::update(0, 11)).await.unwrap();
        let row = PkU32::of(0, 11);
        assert_eq!(log.take(), [format!("update {:?} {row:?}", PkU32::of(0, 10))]);
        db.call(insert_into_btree_u32(vec![entry(3)])).await.unwrap();
        assert!(log.take().is_empty());
        db.call(delete_from_btree_u32(vec![entry(2), entry(3)])).await.unwrap();
        assert_eq!(log.take(), [format!("delete {row:?}")]);
        assert!(db.table::<PkU32>().is_empty() && db.table::<BtreeU32>().is_empty());
    })
    .await;
}
