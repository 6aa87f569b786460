//! Each request, and what everybody hears of it.

mod common;

use common::client::{Client, Options, all_rows, changes};
use common::world::{AddNote, Note, SetName, User, world};
use lightlike_core::wire::{QuerySetId, ReducerOutcome, ServerMessage};

#[tokio::test]
async fn the_caller_gets_its_rows_with_the_reply_and_others_an_update() {
    let server = world().start().await;
    let mut ada = Client::connect(&server).await;
    let mut bob = Client::connect_with(&server, &Options::v2()).await;
    for client in [&mut ada, &mut bob] {
        assert!(client.subscribe(1, &["SELECT * FROM user"]).await.tables.is_empty());
    }
    let sent = ada.send_call(&SetName { name: "Ada".into() }).await;
    let ServerMessage::ReducerResult { request_id, outcome, .. } = ada.message().await else {
        panic!()
    };
    assert_eq!(request_id, sent);
    let ReducerOutcome::Ok { ret_value, update } = outcome else { panic!("{outcome:?}") };
    assert!(ret_value.is_empty());
    let row = User { identity: ada.identity, name: "Ada".into(), level: 1 };
    assert_eq!(changes(&update), (vec![row.clone()], vec![]));
    let seen = bob.update().await;
    assert_eq!(seen.query_sets[0].query_set_id, QuerySetId(1));
    assert_eq!(changes(&seen), (vec![row.clone()], vec![]));
    assert_eq!(server.rows::<User>(), [row]);
}

#[tokio::test]
async fn a_reducers_value_comes_back() {
    let server = world().start().await;
    let mut client = Client::connect(&server).await;
    client.send_call(&AddNote { level: 1, text: "x".into() }).await;
    let ServerMessage::ReducerResult { outcome: ReducerOutcome::Ok { ret_value, update }, .. } =
        client.message().await
    else {
        panic!()
    };
    assert_eq!(&ret_value[..], 1_u32.to_le_bytes());
    assert!(update.query_sets.is_empty(), "nothing is subscribed to");
    assert_eq!(
        all_rows::<Note>(&client.query("SELECT * FROM note").await.unwrap()),
        server.rows::<Note>()
    );
}
