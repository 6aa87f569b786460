//! Names: what the server makes of a module's names, the derives make of Rust's.

use lightlike::prelude::*;
use lightlike_tests::conformance::{next, on_both_servers};

use crate::module::*;

/// Official case scenarios 1 and 3.
#[tokio::test]
async fn explicit_and_numbered_names_match_server() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _players = db.subscribe(Player1::all()).await.unwrap();
        let mut changes = db.table::<Player1>().changes();
        db.call(create_player1("Ada".into(), 2)).await.unwrap();
        let player = match next(&mut changes).await {
            Change::Inserted(Inserted { row, cause: Cause::Call { reducer, .. }, .. }) => {
                assert_eq!(&*reducer, "create_player_1");
                row
            }
            change => panic!("{change:?}"),
        };
        assert_eq!((&*player.player_name, player.current_level_2), ("Ada", 2));
        assert_eq!(player.status_3_field, Player2Status::Active1);
        db.call(ban_player_1(player.player_1_id, 6)).await.unwrap();
        match next(&mut changes).await {
            Change::Updated(Updated { old, new, cause: Cause::Call { reducer, .. }, .. }) => {
                assert_eq!(&*reducer, "banPlayer1");
                assert_eq!(old, player);
                assert_eq!(new.status_3_field, Player2Status::BannedUntil(6));
            }
            change => panic!("{change:?}"),
        }
    })
    .await;
}

/// Official case scenario 2.
#[tokio::test]
async fn nested_values_of_camel_case_columns_come_back() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _people = db.subscribe(Person2Row::all()).await.unwrap();
        db.call(add_person2("Grace".into(), 7, 36, 99)).await.unwrap();
        let person = db.table::<Person2Row>().iter().next().unwrap();
        assert_eq!((&*person.first_name, person.player_ref), ("Grace", 7));
        assert_eq!(person.person_info, Person3Info { age_value_1: 36, score_total: 99 });
        assert_eq!(db.table::<Person2Row>().range(Person2Row::PLAYER_REF, 7..=7).count(), 1);
    })
    .await;
}

/// Official case scenarios 4 and 5, with the columns' names from the derive.
#[tokio::test]
async fn query_columns_use_derived_names() {
    /// As one writes it in Rust, where digits are no words.
    #[derive(Bsatn, Table, Clone, Debug, PartialEq)]
    #[table(name = "Player1Canonical")]
    struct Player {
        #[primary_key]
        player1_id: u32,
        player_name: String,
        #[index(btree)]
        current_level2: u32,
        status3_field: Player2Status,
    }

    on_both_servers(async |target| {
        let db = target.connect().await;
        for (name, level) in [("one", 1), ("two", 2)] {
            db.call(create_player1(name.into(), level)).await.unwrap();
        }
        let players = db.query(Player::all()).await.unwrap();
        let two = players.iter().find(|player| player.player_name == "two").unwrap();
        db.call(add_person2("Grace".into(), two.player1_id, 36, 99)).await.unwrap();
        let level = Player::CURRENT_LEVEL2.name();
        let filter = format!(r#"SELECT * FROM "Player1Canonical" WHERE {level} = 2"#);
        let found: Vec<Player> = db.query_sql(&filter).await.unwrap();
        assert_eq!(found, std::slice::from_ref(two));
        let (id, player) = (Player::PLAYER1_ID.name(), Person2Row::PLAYER_REF.name());
        let join = format!(
            r#"SELECT person_2.* FROM person_2 JOIN "Player1Canonical" p ON person_2.{player} = p.{id} WHERE p.{level} = 2"#
        );
        let _people = db.subscribe(join).await.unwrap();
        assert_eq!(db.table::<Person2Row>().len(), 1);
        assert!(db.table::<Player>().is_empty());
    })
    .await;
}

/// Official case scenario 6.
#[tokio::test]
async fn view_with_explicit_name_has_rows() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _people = db.subscribe(Level2Person::all()).await.unwrap();
        let mut inserts = db.table::<Level2Person>().inserts();
        db.call(create_player1("two".into(), 2)).await.unwrap();
        let players = db.query(Player1::all()).await.unwrap();
        db.call(add_person2("Grace".into(), players[0].player_1_id, 36, 99)).await.unwrap();
        assert_eq!(next(&mut inserts).await.row.first_name, "Grace");
        db.call(add_person2("Nobody".into(), 1_000, 1, 1)).await.unwrap();
        assert_eq!(db.table::<Level2Person>().len(), 1);
    })
    .await;
}
