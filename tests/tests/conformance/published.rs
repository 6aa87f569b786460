//! A module that is published again while clients are connected: what every database lives through with every release.

use lightlike::prelude::*;
use lightlike_tests::chat::{Message, User, send_message};
use lightlike_tests::conformance::{next, on_a_real_server_of};
use lightlike_tests::real::{Database, Module};
use lightlike_tests::target::Target;

fn database(target: &Target) -> &Database {
    match target {
        Target::Real(database) => database,
        Target::Embedded(_) => panic!("it is on a real server"),
    }
}

#[tokio::test]
async fn clients_survive_republished_module() {
    on_a_real_server_of(Module::Chat, async |target| {
        let db = target.connect().await;
        let _all = db.subscribe((User::all(), Message::all())).await.unwrap();
        db.call(send_message("before".into())).await.unwrap();
        let mut changes = db.table::<Message>().changes();
        database(target).publish_again(false).await.unwrap();
        db.call(send_message("after".into())).await.unwrap();
        let Change::Inserted(Inserted { row, .. }) = next(&mut changes).await else { panic!() };
        assert_eq!(row.text, "after", "the row before is untouched");
        assert_eq!(db.table::<Message>().len(), 2);
        assert_eq!(db.stats().connections, 1, "the server kept the connection");
    })
    .await;
}

/// The server ends the connections of a database that it clears. For its clients that is an outage.
#[tokio::test]
async fn cleared_database_removes_rows_in_one_transaction() {
    on_a_real_server_of(Module::Chat, async |target| {
        let db = target.connect().await;
        let _all = db.subscribe((User::all(), Message::all())).await.unwrap();
        for text in ["one", "two"] {
            db.call(send_message(text.into())).await.unwrap();
        }
        let mut whole = db.transactions();
        database(target).publish_again(true).await.unwrap();
        let changes = next(&mut whole).await;
        assert_eq!(*changes.cause(), Cause::Resync);
        assert_eq!(changes.table_names().collect::<Vec<_>>(), ["message"], "we are there again");
        assert_eq!(changes.of::<Message>().count(), 2);
        assert!(db.table::<Message>().is_empty());
        db.call(send_message("anew".into())).await.unwrap();
        assert_eq!(db.table::<Message>().len(), 1);
        assert_eq!(db.stats().reconnects(), 1);
    })
    .await;
}
