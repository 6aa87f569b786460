//! Rows that a client may not see.

use lightlike::ErrorKind;
use lightlike::prelude::*;
use lightlike_tests::conformance::{next, on_a_real_server, on_both_servers};
use lightlike_tests::target::Target;

use crate::module::*;

#[tokio::test]
async fn a_private_table_is_none() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        db.call(insert_secret(1, "hidden".into())).await.unwrap();
        let refused = db.subscribe(Secret::all()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Subscription, "{refused:?}");
        assert!(refused.to_string().contains("secret"), "{refused}");
        let refused = db.query(Secret::all()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Query, "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn the_database_s_owner_sees_the_private_table() {
    on_a_real_server(async |target| {
        let Target::Real(database) = target else { panic!("this is a real server") };
        let db = target.builder().token(&database.owner().token).connect().await.unwrap();
        db.call(insert_secret(1, "hidden".into())).await.unwrap();
        let _secrets = db.subscribe(Secret::all()).await.unwrap();
        assert_eq!(db.table::<Secret>().get(&1).map(|row| row.text).as_deref(), Some("hidden"));
    })
    .await;
}

/// Official scenario 46.
#[tokio::test]
async fn each_client_sees_its_own_rows_only() {
    on_a_real_server(async |target| {
        let (ada, grace) = (target.connect().await, target.connect().await);
        let _hers = ada.subscribe(Note::all()).await.unwrap();
        let _his = grace.subscribe(Note::all()).await.unwrap();
        ada.call(insert_note("Ada's".into())).await.unwrap();
        grace.call(insert_note("Grace's".into())).await.unwrap();
        ada.call(no_op()).await.unwrap();
        for (db, text) in [(&ada, "Ada's"), (&grace, "Grace's")] {
            let texts: Vec<_> = db.table::<Note>().iter().map(|note| note.text).collect();
            assert_eq!(texts, [text]);
            assert_eq!(db.query(Note::all()).await.unwrap().len(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn transferred_row_leaves_here_and_arrives_there() {
    on_a_real_server(async |target| {
        let (ada, grace) = (target.connect().await, target.connect().await);
        let _hers = ada.subscribe(Note::all()).await.unwrap();
        let _his = grace.subscribe(Note::all()).await.unwrap();
        ada.call(insert_note("a gift".into())).await.unwrap();
        let id = ada.table::<Note>().iter().next().unwrap().id;
        let (mut gone, mut come) = (ada.table::<Note>().deletes(), grace.table::<Note>().inserts());
        ada.call(give_note(id, grace.identity().unwrap())).await.unwrap();
        assert_eq!(next(&mut gone).await.row.id, id);
        let Inserted { row, cause, .. } = next(&mut come).await;
        assert_eq!((row.id, Some(row.owner), cause), (id, grace.identity(), Cause::Other));
        assert!(ada.table::<Note>().is_empty());
        let stolen = ada.call(give_note(id, ada.identity().unwrap())).await;
        assert!(matches!(stolen, Err(CallError::Rejected(_))), "{stolen:?}");
    })
    .await;
}
