//! Views: for everybody and for the caller, of every kind of row, with and without a key.

use std::collections::BTreeSet;

use lightlike::prelude::*;
use lightlike_tests::conformance::{Log, next, on_a_real_server, on_both_servers};

use crate::module::*;

fn identity(number: u32) -> Identity {
    Identity::from_u256(U256::from(number))
}

/// The identities in a view of players.
fn players<V: Table<Row = Player>>(db: &Client) -> BTreeSet<String> {
    db.table::<V>().iter().map(|player| player.identity.to_hex()).collect()
}

fn set(identities: &[Identity]) -> BTreeSet<String> {
    identities.iter().map(|identity| identity.to_hex()).collect()
}

/// Official view scenarios 1 and 2.
#[tokio::test]
async fn a_view_for_everybody_follows_its_tables() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let views = (
            PlayersAtLevel0::all(),
            PlayersAboveLevel1::all(),
            PlayerCount::all(),
            ActiveLocations::all(),
        );
        let _views = db.subscribe(views).await.unwrap();
        assert!(db.table::<PlayerCount>().iter().eq([PlayerCount { count: 0 }]));
        for (number, level) in [(1, 0), (2, 1), (3, 2)] {
            db.call(insert_player(identity(number), level)).await.unwrap();
        }
        assert_eq!(players::<PlayersAtLevel0>(&db), set(&[identity(1)]));
        assert_eq!(players::<PlayersAboveLevel1>(&db), set(&[identity(3)]));
        assert!(db.table::<PlayerCount>().iter().eq([PlayerCount { count: 3 }]));
        assert_eq!(db.table::<ActiveLocations>().len(), 3);
        let mut gone = db.table::<PlayersAtLevel0>().deletes();
        let mut come = db.table::<PlayersAboveLevel1>().inserts();
        db.call(insert_player(identity(1), 5)).await.unwrap();
        let Deleted { row, cause, .. } = next(&mut gone).await;
        assert_eq!(row.identity, identity(1));
        assert!(matches!(cause, Cause::Call { .. }), "{cause:?}");
        assert_eq!(next(&mut come).await.row.identity, identity(1));
        db.call(delete_player(identity(3))).await.unwrap();
        assert_eq!(players::<PlayersAboveLevel1>(&db), set(&[identity(1)]));
        assert!(db.table::<PlayerCount>().iter().eq([PlayerCount { count: 2 }]));
        assert!(db.table::<Player>().is_empty(), "a view's rows are no table's");
    })
    .await;
}

/// Official view scenarios 3, 4, 5 and 6.
#[tokio::test]
async fn sender_view_differs_per_client() {
    on_both_servers(async |target| {
        let (ada, grace) = (target.connect().await, target.connect().await);
        for db in [&ada, &grace] {
            let views = (MyPlayer::all(), PlayerAndLevel::all(), MyPlayerQuery::all());
            db.subscribe(views).await.unwrap().keep();
            assert!(db.table::<MyPlayer>().is_empty());
        }
        let mut seen_by_grace = grace.table::<MyPlayer>().inserts();
        for (level, db) in [(4, &ada), (6, &grace)] {
            let me = db.identity().unwrap();
            ada.call(insert_player(me, level)).await.unwrap();
        }
        assert_eq!(Some(next(&mut seen_by_grace).await.row.identity), grace.identity());
        for (level, db) in [(4, &ada), (6, &grace)] {
            let me = db.identity().unwrap();
            assert_eq!(players::<MyPlayer>(db), set(&[me]));
            assert_eq!(players::<MyPlayerQuery>(db), set(&[me]));
            let rows: Vec<_> = db.table::<PlayerAndLevel>().iter().collect();
            assert_eq!((rows[0].identity, rows[0].level, rows.len()), (me, level, 1));
        }
        let log = Log::default();
        let (inserts, deletes) = (log.clone(), log.clone());
        let table = ada.table::<PlayerAndLevel>();
        table.on_insert(move |_, row| inserts.push(format!("insert {}", row.level)));
        table.on_delete(move |_, row| deletes.push(format!("delete {}", row.level)));
        ada.call(insert_player(ada.identity().unwrap(), 5)).await.unwrap();
        let mut lines = log.take();
        lines.sort();
        assert_eq!(lines, ["delete 4", "insert 5"]);
    })
    .await;
}

/// Official view scenario 7.
#[tokio::test]
async fn leaving_client_keeps_other_views() {
    on_both_servers(async |target| {
        let first = target.connect().await;
        let second = target.builder().token(first.token().unwrap()).connect().await.unwrap();
        let me = first.identity().unwrap();
        for db in [&first, &second] {
            db.subscribe((MyPlayer::all(), PlayerAndLevel::all())).await.unwrap().keep();
        }
        first.disconnect().await;
        second.call(insert_player(me, 1)).await.unwrap();
        assert_eq!(players::<MyPlayer>(&second), set(&[me]));
        second.call(insert_player(me, 2)).await.unwrap();
        let levels: Vec<_> = second.table::<PlayerAndLevel>().iter().map(|row| row.level).collect();
        assert_eq!(levels, [2]);
    })
    .await;
}

#[tokio::test]
async fn who_is_near_depends_on_where_one_stands() {
    on_both_servers(async |target| {
        let (ada, grace) = (target.connect().await, target.connect().await);
        for db in [&ada, &grace] {
            db.subscribe(NearbyPlayers::all()).await.unwrap().keep();
            db.call(move_player(0, 0)).await.unwrap();
        }
        let mut near_grace = grace.table::<NearbyPlayers>().changes();
        ada.call(move_player(3, 3)).await.unwrap();
        assert_eq!(ada.table::<NearbyPlayers>().len(), 1);
        ada.call(move_player(100, 0)).await.unwrap();
        assert!(ada.table::<NearbyPlayers>().is_empty());
        let mut at = Vec::new();
        let mut gone = 0;
        while gone < 2 {
            match next(&mut near_grace).await {
                Change::Inserted(Inserted { row, .. }) => at.push((row.x, row.y)),
                Change::Deleted(_) => gone += 1,
                Change::Updated(_) => panic!("this view has no key"),
            }
        }
        assert_eq!(at.last(), Some(&(3, 3)));
        assert!(grace.table::<NearbyPlayers>().is_empty());
    })
    .await;
}

#[tokio::test]
async fn optional_row_view_is_read_as_such() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let early = db.table::<PlayerCount>().required().unwrap_err();
        assert_eq!(early.to_string(), "`player_count` has 0 rows here, and one is required");
        let _views =
            db.subscribe((MyPlayer::all(), PlayerCount::all(), Player::all())).await.unwrap();
        assert_eq!(db.table::<MyPlayer>().one(), None);
        assert_eq!(db.table::<PlayerCount>().required(), Ok(PlayerCount { count: 0 }));
        let me = db.identity().unwrap();
        db.call(insert_player(me, 1)).await.unwrap();
        db.call(insert_player(identity(2), 1)).await.unwrap();
        let view = db.read();
        assert_eq!(view.table::<MyPlayer>().one().map(|row| row.identity), Some(me));
        assert_eq!(view.table::<MyPlayer>().required().map(|row| row.identity), Ok(me));
        assert_eq!(view.table::<PlayerCount>().required().map(|row| row.count), Ok(2));
        assert_eq!(view.table::<Player>().required().unwrap_err().rows, 2);
        assert!(view.table::<Player>().one().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_view_may_take_an_argument() {
    on_a_real_server(async |target| {
        let db = target.connect().await;
        let third = PlayersAtLevel::with(3);
        assert_eq!(third.sql(), r#"SELECT * FROM "players_at_level"(3)"#);
        assert!(db.query(third.clone()).await.unwrap().is_empty());
        let _players = db.subscribe(third).await.unwrap();
        for (number, level) in [(1, 3), (2, 4)] {
            db.call(insert_player(identity(number), level)).await.unwrap();
        }
        assert_eq!(players::<PlayersAtLevel>(&db), set(&[identity(1)]));
        db.call(insert_player(identity(2), 3)).await.unwrap();
        assert_eq!(players::<PlayersAtLevel>(&db), set(&[identity(1), identity(2)]));
        let _fourth = db.subscribe("SELECT * FROM players_at_level(4)").await.unwrap();
        db.call(insert_player(identity(3), 4)).await.unwrap();
        assert_eq!(db.table::<PlayersAtLevel>().len(), 3, "the rows of all its calls");
        let refused = db.subscribe(PlayersAtLevel::all()).await.unwrap_err();
        assert!(refused.to_string().contains("players_at_level"), "{refused}");
    })
    .await;
}

/// Official keyed view scenario 1, and procedural ones 1.
#[tokio::test]
async fn keyed_view_change_is_an_update() {
    async fn story<V>(db: &Client, id: u64)
    where
        V: HasKey<Row = ViewPkPlayer>,
    {
        let _view = db.subscribe(V::all()).await.unwrap();
        let log = Log::default();
        let (inserts, updates, deletes) = (log.clone(), log.clone(), log.clone());
        let table = db.table::<V>();
        table.on_insert(move |_, row| inserts.push(format!("insert {}", row.name)));
        table.on_update(move |_, old, new| {
            updates.push(format!("update {} {}", old.name, new.name));
        });
        table.on_delete(move |_, row| deletes.push(format!("delete {}", row.name)));
        db.call(insert_view_pk_membership(id, id)).await.unwrap();
        db.call(insert_view_pk_player(id, "before".into())).await.unwrap();
        db.call(update_view_pk_player(id, "after".into())).await.unwrap();
        assert_eq!(table.get(&id).map(|row| row.name).as_deref(), Some("after"));
        db.call(delete_view_pk_player(id)).await.unwrap();
        assert_eq!(log.take(), ["insert before", "update before after", "delete after"]);
        assert!(table.is_empty());
    }

    on_both_servers(async |target| {
        let db = target.connect().await;
        story::<AllViewPkPlayers>(&db, 1).await;
        story::<NamedViewPkPlayers>(&db, 2).await;
        story::<SenderViewPkPlayersA>(&db, 3).await;
        story::<MyViewPkPlayers>(&db, 4).await;
    })
    .await;
}

/// Official keyed view scenarios 2 and 3, and procedural ones 2 and 3.
#[tokio::test]
async fn a_keyed_view_can_be_joined() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let queries = [
            "SELECT v.* FROM view_pk_membership m JOIN all_view_pk_players v ON m.player_id = v.id",
            "SELECT b.* FROM sender_view_pk_players_a a JOIN sender_view_pk_players_b b ON a.id = b.id",
        ];
        let _views = db.subscribe(queries).await.unwrap();
        db.call(insert_view_pk_player(1, "before".into())).await.unwrap();
        db.call(insert_view_pk_membership(1, 1)).await.unwrap();
        assert_eq!(db.table::<AllViewPkPlayers>().len(), 1);
        assert!(db.table::<SenderViewPkPlayersB>().is_empty());
        db.call(insert_view_pk_membership_secondary(1, 1)).await.unwrap();
        assert_eq!(db.table::<SenderViewPkPlayersB>().len(), 1);
        let mut all = db.table::<AllViewPkPlayers>().updates();
        let mut both = db.table::<SenderViewPkPlayersB>().updates();
        db.call(update_view_pk_player(1, "after".into())).await.unwrap();
        for updates in [&mut all, &mut both] {
            let Updated { old, new, .. } = next(updates).await;
            assert_eq!((&*old.name, &*new.name), ("before", "after"));
        }
    })
    .await;
}
