//! The feed of everything, for an application's own channels.

use futures_util::{FutureExt as _, StreamExt};
use lightlike::events::{Broadcast, BroadcastEvent};
use lightlike::prelude::*;
use lightlike_tests::conformance::columns::OneU8;
use lightlike_tests::conformance::events::{TickEvent, emit_events};
use lightlike_tests::conformance::failures::{fail_with_string, no_op};
use lightlike_tests::conformance::keys::*;
use lightlike_tests::conformance::on_both_servers;

fn line(event: BroadcastEvent) -> String {
    let row = |row: lightlike::events::BroadcastRow| match row.decode::<PkU32>() {
        Some(row) => format!("{:?}", row.unwrap().data),
        None => format!("{} bytes of {}", row.bsatn().len(), row.table()),
    };
    let mine = |cause| if matches!(cause, Cause::Call { .. }) { "mine" } else { "not mine" };
    match event {
        BroadcastEvent::Insert { row: new, cause } => {
            format!("insert {} {}", row(new), mine(cause))
        }
        BroadcastEvent::Update { old, new, cause } => {
            format!("update {} {} {}", row(old), row(new), mine(cause))
        }
        BroadcastEvent::Delete { row: old, cause } => {
            format!("delete {} {}", row(old), mine(cause))
        }
        BroadcastEvent::Call(called) => {
            let kind = called.result().map_err(|error| error.kind());
            format!("{} {kind:?}", called.function())
        }
        event => panic!("{event:?}"),
    }
}

/// Events that have come.
fn lines(feed: &mut Broadcast) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(event) = feed.next().now_or_never() {
        lines.push(line(event.expect("the feed goes on").expect("it is read in time")));
    }
    lines
}

#[tokio::test]
async fn everything_is_fed_in_its_order_updates_too() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _set = db.subscribe(PkU32::all()).await.unwrap();
        // First mention: before it the table has no key that is known here.
        db.table::<PkU32>();
        let mut feed = db.broadcast();
        db.call(PkU32::insert(1, 10)).await.unwrap();
        db.call(PkU32::update(1, 11)).await.unwrap();
        db.call(PkU32::delete(1)).await.unwrap();
        let _ = db.call(fail_with_string("no".into())).await;
        assert_eq!(
            lines(&mut feed),
            [
                "insert 10 mine",
                "insert_pk_u_32 Ok(())",
                "update 10 11 mine",
                "update_pk_u_32 Ok(())",
                "delete 11 mine",
                "delete_pk_u_32 Ok(())",
                "fail_with_string Err(Rejected)",
            ]
        );
        db.disconnect().await;
        assert!(StreamExt::next(&mut feed).await.is_none());
        assert!(db.broadcast().next().await.is_none());
    })
    .await;
}

#[tokio::test]
async fn feed_selects_tables_and_calls() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let all = "SELECT * FROM";
        let tables = ["pk_u_32", "pk_u_32_two", "tick_event"];
        let _set = db.subscribe(tables.map(|table| format!("{all} {table}"))).await.unwrap();
        let mut typed = db.broadcast().table::<PkU32>().without_calls();
        let mut named = db.broadcast().tables(["pk_u_32_two"]).table::<TickEvent>().without_calls();
        let mut calls = db.broadcast().tables::<&str>([]);
        db.call(PkU32::insert(1, 10)).await.unwrap();
        db.call(PkU32Two::insert(2, 20)).await.unwrap();
        db.call(emit_events(1)).await.unwrap();
        assert_eq!(lines(&mut typed), ["insert 10 mine"]);
        let named = lines(&mut named);
        assert_eq!(
            named,
            ["insert 8 bytes of pk_u_32_two mine", "insert 4 bytes of tick_event mine"]
        );
        let calls = lines(&mut calls);
        assert_eq!(
            calls,
            ["insert_pk_u_32 Ok(())", "insert_pk_u_32_two Ok(())", "emit_events Ok(())"]
        );
    })
    .await;
}

#[tokio::test]
async fn cloned_feed_starts_anew_and_lags_alone() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _set = db.subscribe((TickEvent::all(), OneU8::all())).await.unwrap();
        let mut slow = db.broadcast().capacity(10).table::<TickEvent>();
        let mut feed = db.broadcast();
        db.call(emit_events(3)).await.unwrap();
        let mut later = feed.clone();
        db.call(emit_events(20)).await.unwrap();
        db.call(no_op()).await.unwrap();
        assert_eq!(lines(&mut feed).len(), 3 + 1 + 20 + 1 + 1);
        assert_eq!(lines(&mut later).len(), 20 + 1 + 1);
        assert_eq!(slow.next().await.unwrap().unwrap_err(), Lagged(26 - 10));
        assert_eq!(lines(&mut slow).len(), 10);
        drop(later);
        db.call(no_op()).await.unwrap();
        assert_eq!(lines(&mut feed), ["no_op Ok(())"]);
    })
    .await;
}

#[tokio::test]
async fn feed_with_schema_sees_untyped_updates() {
    on_both_servers(async |target| {
        let http = lightlike::http::Http::new(&target.uri()).unwrap();
        let schema = http.schema(target.name()).await.unwrap();
        let db = target.connect().await;
        let all = "SELECT * FROM";
        let tables = ["pk_u_32", "unique_u_32"].map(|table| format!("{all} {table}"));
        let _set = db.subscribe(tables).await.unwrap();
        let mut plain = db.broadcast().tables(["pk_u_32"]).without_calls();
        let mut feed = db.broadcast().schema(schema).without_calls();
        db.call(PkU32::insert(1, 10)).await.unwrap();
        db.call(PkU32::update(1, 11)).await.unwrap();
        db.call(PkU32::delete(1)).await.unwrap();
        db.call(UniqueU32::insert(1, 10)).await.unwrap();
        db.call(UniqueU32::update(1, 11)).await.unwrap();
        let expected = [
            "insert 10 mine",
            "update 10 11 mine",
            "delete 11 mine",
            "insert 8 bytes of unique_u_32 mine",
            "insert 8 bytes of unique_u_32 mine",
            "delete 8 bytes of unique_u_32 mine",
        ];
        assert_eq!(lines(&mut feed.clone()), [""; 0], "a clone begins anew");
        assert_eq!(lines(&mut feed), expected);
        let mut plain = lines(&mut plain);
        plain.sort();
        let expected = ["delete 10 mine", "delete 11 mine", "insert 10 mine", "insert 11 mine"];
        assert_eq!(plain, expected);
    })
    .await;
}
