//! The test kit with the client that it is for.

use lightlike::prelude::*;
use lightlike_testkit::{Fault, Server};

#[derive(Bsatn, Table, Clone, Debug, PartialEq)]
#[table(name = "user")]
struct User {
    #[primary_key]
    identity: Identity,
    name: String,
}

#[reducer]
fn set_name(name: String) -> Result<(), String>;

async fn server() -> Server {
    Server::builder()
        .table::<User>()
        .reducer(|tx, SetName { name }| {
            if name.is_empty() {
                return Err("empty".into());
            }
            tx.upsert(User { identity: tx.sender(), name });
            Ok(())
        })
        .start()
        .await
}

#[tokio::test]
async fn client_sees_own_and_other_rows() {
    let server = server().await;
    let db = Client::builder(server.uri(), "app").connect().await.unwrap();
    let _users = db.subscribe(User::all()).await.unwrap();
    db.call(set_name("Ada".into())).await.unwrap();
    assert_eq!(db.table::<User>().get(&db.identity().unwrap()).unwrap().name, "Ada");
    assert!(db.call(set_name(String::new())).await.is_err());

    let grace = User { identity: server.create_identity().0, name: "Grace".into() };
    server.run(|tx| tx.insert(grace.clone()));
    // What others did comes before the answer to what is asked afterwards.
    db.call(set_name("Ada Lovelace".into())).await.unwrap();
    let mut names: Vec<_> = db.table::<User>().iter().map(|user| user.name).collect();
    names.sort();
    assert_eq!(names, ["Ada Lovelace", "Grace"]);
    assert_eq!(server.rows::<User>().len(), 2);
}

#[tokio::test]
async fn lost_reply_leaves_outcome_unknown() {
    let server = server().await;
    let db = Client::builder(server.uri(), "app").connect().await.unwrap();
    let _users = db.subscribe(User::all()).await.unwrap();
    server.inject(Fault::DropConnectionBeforeReply);
    let outcome = db.call(set_name("Ada".into())).await;
    assert!(matches!(outcome, Err(CallError::Unknown)), "{outcome:?}");
    assert_eq!(server.rows::<User>().len(), 1);
    assert_eq!(server.look(|state| state.calls("set_name")), 1);
}
