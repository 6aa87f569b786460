//! Procedures: values of every kind, panics, and transactions of their own.

use std::io::{Read, Write};

use lightlike::prelude::*;
use lightlike::{CallErrorKind, procedure};
use lightlike_tests::conformance::{next, on_a_real_server, on_both_servers};

use crate::module::*;

/// The texts of the rows that are there, in the order in which they were written.
fn texts(db: &Client) -> Vec<String> {
    let mut rows: Vec<_> = db.table::<ProcedureRow>().iter().collect();
    rows.sort_by_key(|row| row.id);
    rows.into_iter().map(|row| row.text).collect()
}

/// Official procedure scenario 1.
#[tokio::test]
async fn values_of_every_kind_are_returned() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        assert_eq!(db.call_procedure(return_primitive(1, 2)).await.unwrap(), 3);
        let structure = db.call_procedure(call_return_struct(1, "b".into())).await.unwrap();
        assert_eq!(structure, ReturnStruct { a: 1, b: "b".into() });
        assert_eq!(db.call_procedure(return_enum_a(1)).await.unwrap(), ReturnEnum::A(1));
        let variant = db.call_procedure(return_enum_b("b".into())).await.unwrap();
        assert_eq!(variant, ReturnEnum::B("b".into()));
        assert_eq!(db.call_procedure(return_enum_c()).await.unwrap(), ReturnEnum::C);
        let () = db.call_procedure(return_unit()).await.unwrap();
        for value in [None, Some(7)] {
            assert_eq!(db.call_procedure(return_option(value)).await.unwrap(), value);
        }
        assert_eq!(db.call_procedure(return_result(8)).await.unwrap(), Ok(4));
        assert_eq!(db.call_procedure(return_result(7)).await.unwrap(), Err("7 is odd".into()));
        let bytes = db.call_procedure(return_bytes(100_000)).await.unwrap();
        assert!(bytes.into_iter().eq((0..100_000_u32).map(|i| i as u8)));
    })
    .await;
}

/// Official procedure scenario 2.
#[tokio::test]
async fn panicking_or_missing_procedure_fails() {
    #[procedure]
    fn no_such_procedure();

    on_both_servers(async |target| {
        let db = target.connect().await;
        let failed = db.call_procedure(will_panic()).await.unwrap_err();
        assert_eq!(failed.kind(), CallErrorKind::Failed, "{failed:?}");
        let failed = db.call_procedure(no_such_procedure()).await.unwrap_err();
        assert_eq!(failed.kind(), CallErrorKind::Failed, "{failed:?}");
        assert_eq!(db.call_procedure(return_primitive(1, 2)).await.unwrap(), 3);
    })
    .await;
}

/// Official procedure scenario 3.
#[tokio::test]
async fn procedure_commits_are_visible_and_not_mine() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(ProcedureRow::all()).await.unwrap();
        let mut inserts = db.table::<ProcedureRow>().inserts();
        db.call_procedure(insert_with_tx_commit()).await.unwrap();
        assert_eq!(texts(&db), ["committed"]);
        let Inserted { row, cause, .. } = next(&mut inserts).await;
        assert_eq!((&*row.text, cause), ("committed", Cause::Other));
    })
    .await;
}

/// Official procedure scenario 4.
#[tokio::test]
async fn what_a_procedure_rolls_back_never_was() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(ProcedureRow::all()).await.unwrap();
        let mut inserts = db.table::<ProcedureRow>().inserts();
        db.call_procedure(insert_with_tx_rollback()).await.unwrap();
        assert!(texts(&db).is_empty());
        db.call(insert_procedure_row("after".into())).await.unwrap();
        assert_eq!(next(&mut inserts).await.row.text, "after");
    })
    .await;
}

#[tokio::test]
async fn procedure_transactions_arrive_separately() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(ProcedureRow::all()).await.unwrap();
        let mut whole = db.transactions();
        db.call_procedure(insert_with_two_txs()).await.unwrap();
        assert_eq!(texts(&db), ["first", "second"]);
        for _ in 0..2 {
            assert_eq!(next(&mut whole).await.of::<ProcedureRow>().count(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_committed_before_a_panic_stays() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(ProcedureRow::all()).await.unwrap();
        let failed = db.call_procedure(insert_then_panic()).await.unwrap_err();
        assert_eq!(failed.kind(), CallErrorKind::Failed, "{failed:?}");
        assert_eq!(texts(&db), ["before the panic"]);
    })
    .await;
}

#[tokio::test]
async fn a_thousand_rows_of_a_procedure_come_together() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(PkUuid::all()).await.unwrap();
        let mut whole = db.transactions();
        db.call_procedure(insert_sorted_uuids_with_tx()).await.unwrap().unwrap();
        assert_eq!(next(&mut whole).await.of::<PkUuid>().count(), 1000);
        let mut rows: Vec<_> = db.table::<PkUuid>().iter().collect();
        rows.sort_by_key(|row| row.key);
        assert!(rows.iter().map(|row| row.data).eq(0..1000));
    })
    .await;
}

/// Official concurrency scenario 1: another client's reducer runs while a procedure sleeps.
#[tokio::test]
async fn others_go_on_while_a_procedure_sleeps() {
    on_both_servers(async |target| {
        let (db, other) = (target.connect().await, target.connect().await);
        let _rows = db.subscribe(ProcedureRow::all()).await.unwrap();
        let mut inserts = db.table::<ProcedureRow>().inserts();
        let sleeping = db.call_procedure(insert_around_sleep(300)).send();
        assert_eq!(next(&mut inserts).await.row.text, "procedure, before its sleep");
        other.call(insert_procedure_row("other".into())).await.unwrap();
        sleeping.await.unwrap();
        assert_eq!(
            texts(&db),
            ["procedure, before its sleep", "other", "procedure, after its sleep"]
        );
    })
    .await;
}

/// Official concurrency scenario 2: what one client asks for is done in its order, or meanwhile; it is all done.
#[tokio::test]
async fn a_client_may_call_while_its_procedure_sleeps() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(ProcedureRow::all()).await.unwrap();
        let sleeping = db.call_procedure(insert_around_sleep(100)).send();
        let reducer = db.call(insert_procedure_row("reducer".into())).send();
        let nothing = db.call(no_op()).send();
        let slept = db.call_procedure(sleep(1)).send();
        sleeping.await.unwrap();
        reducer.await.unwrap();
        nothing.await.unwrap();
        slept.await.unwrap();
        let mut texts = texts(&db);
        texts.sort();
        let expected = ["procedure, after its sleep", "procedure, before its sleep", "reducer"];
        assert_eq!(texts, expected);
        assert_eq!(db.pending_calls(), 0);
    })
    .await;
}

/// Official procedure scenarios 5 and 6.
#[tokio::test]
async fn procedure_fetches_page_or_reports_failure() {
    on_a_real_server(async |target| {
        let db = target.connect().await;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/page", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let read = socket.read(&mut request).unwrap();
            let reply = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
            socket.write_all(reply.as_bytes()).unwrap();
            request[..read].starts_with(b"GET /page")
        });
        let fetched = db.call_procedure(fetch(url)).await.unwrap();
        // A server may forbid requests to private addresses; it says so then.
        match fetched {
            Ok(body) => {
                assert_eq!(body, "hello");
                assert!(server.join().unwrap());
            }
            Err(why) => assert!(!why.is_empty()),
        }
        let why = db.call_procedure(fetch_invalid()).await.unwrap();
        assert!(!why.is_empty() && !why.contains("answered"), "{why}");
    })
    .await;
}
