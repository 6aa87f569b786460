//! Stories of `tests/tests/conformance`, told with generated declarations instead of written ones.

use lightlike::prelude::*;
use lightlike::{ClientBuilder, SchemaCheck};
use lightlike_tests::conformance::{Log, next, on_both_servers};
use lightlike_tests::target::Target;

use crate::conformance::*;

/// A client whose declarations are held to the module's schema.
fn strict(target: &Target) -> ClientBuilder {
    target.builder().schema_check(SchemaCheck::Strict)
}

#[tokio::test]
async fn generated_declarations_are_those_of_the_module() {
    on_both_servers(async |target| {
        strict(target)
            .table::<PkString>()
            .table::<OneEveryPrimitiveStruct>()
            .table::<Score>()
            .table::<TestEvent>()
            .table::<Player1>()
            .table::<MyPlayer>()
            .table::<PlayerAndLevel>()
            .table::<AllViewPkPlayers>()
            .reducer::<BanPlayer1>()
            .reducer::<InsertOneEveryPrimitiveStruct>()
            .procedure::<ReturnEnumB>()
            .procedure::<CallReturnStruct>()
            .connect()
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test]
async fn keyed_rows_are_inserted_updated_and_deleted() {
    on_both_servers(async |target| {
        let db = strict(target).table::<PkString>().connect().await.unwrap();
        let log = Log::default();
        let table = db.table::<PkString>();
        let (inserts, updates, deletes) = (log.clone(), log.clone(), log.clone());
        table.on_insert(move |_, row| inserts.push(format!("+ {} {}", row.key, row.data)));
        table.on_update(move |_, old, new| {
            updates.push(format!("{} {} -> {}", new.key, old.data, new.data));
        });
        table.on_delete(move |_, row| deletes.push(format!("- {}", row.key)));
        let _set = db.subscribe(PkString::all()).await.unwrap();

        db.call(insert_pk_string("a".into(), 1)).await.unwrap();
        db.call(update_pk_string("a".into(), 2)).await.unwrap();
        assert_eq!(table.find(PkString::KEY, "a").map(|row| row.data), Some(2));
        db.call(delete_pk_string("a".into())).await.unwrap();
        assert_eq!(log.take(), ["+ a 1", "a 1 -> 2", "- a"]);
    })
    .await;
}

#[tokio::test]
async fn nested_types_come_back_as_they_went() {
    on_both_servers(async |target| {
        let db = strict(target).table::<OneEnumWithPayload>().connect().await.unwrap();
        let mut rows = db.table::<OneEnumWithPayload>().inserts();
        let _set = db.subscribe(OneEnumWithPayload::all()).await.unwrap();
        for value in [
            EnumWithPayload::Nothing,
            EnumWithPayload::Str("ß".into()),
            EnumWithPayload::U256(U256::MAX),
            EnumWithPayload::SimpleEnums(vec![SimpleEnum::Two, SimpleEnum::Zero]),
        ] {
            db.call(insert_one_enum_with_payload(value.clone())).await.unwrap();
            assert_eq!(next(&mut rows).await.row.value, value);
        }
    })
    .await;
}

#[tokio::test]
async fn events_views_and_procedures_are_there() {
    on_both_servers(async |target| {
        let db = strict(target).connect().await.unwrap();
        let mut events = db.table::<TestEvent>().inserts();
        let _set = db.subscribe((TestEvent::all(), MyPlayer::all())).await.unwrap();
        db.call(emit_test_event("hello".into(), 7)).await.unwrap();
        assert_eq!(next(&mut events).await.row, TestEvent { name: "hello".into(), value: 7 });

        let me = db.identity().unwrap();
        db.call(insert_player(me, 3)).await.unwrap();
        let mine: Vec<Player> = db.table::<MyPlayer>().iter().collect();
        assert_eq!(mine.iter().map(|player| player.identity).collect::<Vec<_>>(), [me]);

        let returned = db.call_procedure(return_enum_b("b".into())).await.unwrap();
        assert_eq!(returned, ReturnEnum::B("b".into()));
        let returned = db.call_procedure(call_return_struct(1, "c".into())).await.unwrap();
        assert_eq!(returned, ReturnStruct { a: 1, b: "c".into() });
    })
    .await;
}

#[tokio::test]
async fn a_name_that_the_module_gives_is_the_one_on_the_wire() {
    on_both_servers(async |target| {
        let db = strict(target).table::<Player1>().reducer::<BanPlayer1>().connect().await.unwrap();
        let _set = db.subscribe(Player1::all()).await.unwrap();
        db.call(create_player1("Ada".into(), 2)).await.unwrap();
        let id = db.table::<Player1>().iter().next().unwrap().player_1_id;
        db.call(ban_player_1(id, 9)).await.unwrap();
        let banned = db.table::<Player1>().get(&id).unwrap();
        assert_eq!(banned.status_3_field, Player2Status::BannedUntil(9));
    })
    .await;
}
