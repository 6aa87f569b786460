//! What nobody plans and everybody does in the end: clients in pairs, things that are held too long, dropped in odd orders or
//! used from within each other.

use lightlike::View;
use lightlike::prelude::*;
use lightlike_tests::conformance::columns::{Keyless as _, OneU32};
use lightlike_tests::conformance::failures::no_op;
use lightlike_tests::conformance::keys::{Keyed as _, PkU32};
use lightlike_tests::conformance::{Log, next, on_both_servers};
use lightlike_tests::proxy::Proxy;

#[tokio::test]
async fn two_clients_of_one_identity_are_two_connections() {
    on_both_servers(async |target| {
        let one = target.connect().await;
        let other = target.builder().token(one.token().unwrap()).connect().await.unwrap();
        assert_eq!(one.identity(), other.identity());
        assert_ne!(one.connection_id(), other.connection_id());
        let _one = one.subscribe(PkU32::all()).await.unwrap();
        let _other = other.subscribe(PkU32::all()).await.unwrap();
        let mut heard = other.table::<PkU32>().inserts();
        one.call(PkU32::insert(1, 0)).await.unwrap();
        let Inserted { cause, .. } = next(&mut heard).await;
        assert_eq!(cause, Cause::Other, "whose call it was does not matter, but which client's");
        one.disconnect().await;
        other.call(PkU32::insert(2, 0)).await.unwrap();
        assert_eq!((one.table::<PkU32>().len(), other.table::<PkU32>().len()), (1, 2));
    })
    .await;
}

#[tokio::test]
async fn predicted_keyless_row_arrives_once() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(OneU32::all()).await.unwrap();
        let log = Log::default();
        let (inserts, deletes) = (log.clone(), log.clone());
        let table = db.table::<OneU32>();
        table.on_insert(move |event, row| {
            let cause = event.cause();
            let why =
                if matches!(cause, Cause::Optimistic(_)) { "expected" } else { "the server's" };
            inserts.push(format!("+{} {why}", row.value));
        });
        table.on_delete(move |_, row| deletes.push(format!("-{}", row.value)));
        let insert = |value| {
            db.call(OneU32::of(value).insert()).optimistic(move |tx, _| tx.insert(OneU32 { value }))
        };
        let call = insert(7).send();
        assert_eq!(table.len(), 1, "it is there before the server knows");
        call.await.unwrap();
        assert_eq!((log.take(), table.len()), (vec!["+7 expected".to_owned()], 1));
        // The same row again: a table has a row once.
        insert(7).await.unwrap();
        assert_eq!((log.take(), table.len()), (Vec::<String>::new(), 1));
    })
    .await;
}

#[tokio::test]
async fn view_held_over_reconnect_stays_unchanged() {
    on_both_servers(async |target| {
        let proxy = Proxy::start(&target.uri()).await;
        let db = Client::builder(proxy.uri(), target.name()).connect().await.unwrap();
        let other = target.connect().await;
        let _rows = db.subscribe(PkU32::all()).await.unwrap();
        db.call(PkU32::insert(1, 10)).await.unwrap();
        let before = db.read();
        let mut state = db.state();
        proxy.close(true);
        proxy.cut();
        let lost = |state: &ConnectionState| matches!(state, ConnectionState::Reconnecting { .. });
        state.wait_for(lost).await.unwrap();
        let during = db.read();
        other.call(PkU32::delete(1)).await.unwrap();
        other.call(PkU32::insert(2, 20)).await.unwrap();
        proxy.close(false);
        db.reconnect_now();
        state.wait_for(|state| matches!(state, ConnectionState::Ready)).await.unwrap();
        let after = db.read();
        let keys =
            |view: &View| view.table::<PkU32>().iter().map(|row| row.key).collect::<Vec<_>>();
        assert_eq!((keys(&before), keys(&during), keys(&after)), (vec![1], vec![1], vec![2]));
        let stale = [&before, &during, &after].map(View::is_stale);
        assert_eq!(stale, [false, true, false], "of the moment when they were taken");
    })
    .await;
}

#[tokio::test]
async fn nested_callback_calls_are_delivered_in_order() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe(PkU32::all()).await.unwrap();
        let log = Log::default();
        let outer = log.clone();
        db.table::<PkU32>().on_insert(move |event, row| {
            outer.push(format!("outer {}", row.key));
            if row.key > 1 {
                return;
            }
            let (db, inner) = (event.db().clone(), outer.clone());
            let again = db.downgrade();
            db.table::<PkU32>().on_insert(move |_, row| {
                inner.push(format!("inner {}", row.key));
                if row.key < 4 {
                    let db = again.upgrade().unwrap();
                    db.call(PkU32::insert(row.key + 1, 0)).forget();
                }
            });
            db.call(PkU32::insert(2, 0)).forget();
        });
        let mut inserts = db.table::<PkU32>().inserts();
        db.call(PkU32::insert(1, 0)).await.unwrap();
        for _ in 1..=4 {
            next(&mut inserts).await;
        }
        let expected =
            ["outer 1", "outer 2", "inner 2", "outer 3", "inner 3", "outer 4", "inner 4"];
        assert_eq!(log.take(), expected, "a callback hears from the next transaction on");
    })
    .await;
}

#[tokio::test]
async fn things_may_be_dropped_in_any_order() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let set = db.subscribe(PkU32::all()).await.unwrap();
        let (table, mut stream) = (db.table::<PkU32>(), db.table::<PkU32>().inserts());
        let (mut row, mut whole) = (table.watch_row(1), table.watch());
        let guard = table.on_insert(|_, _| ()).scoped();
        let (weak, view) = (db.downgrade(), db.read());
        let call = db.call(PkU32::insert(1, 0)).send();
        let unmade = db.call(no_op());
        // The last handle of the client: what is under way goes on to its end.
        drop(db);
        drop(unmade);
        assert!(weak.upgrade().is_none());
        let ended = call.await;
        assert!(matches!(ended, Ok(()) | Err(CallError::Unknown)), "{ended:?}");
        while let Some(item) = stream.next().await {
            item.unwrap();
        }
        while row.changed().await.is_ok() {}
        while whole.changed().await.is_ok() {}
        assert!(set.ended().await.is_err());
        drop(table);
        drop(guard);
        drop(set);
        assert!(view.table::<PkU32>().is_empty());
    })
    .await;
}

#[tokio::test]
async fn client_may_drop_in_its_own_callback() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let set = db.subscribe(PkU32::all()).await.unwrap();
        let (mut state, mut last) = (db.state(), Some(db.clone()));
        db.table::<PkU32>().on_insert(move |_, _| drop(last.take()));
        let call = db.call(PkU32::insert(1, 0)).send();
        drop(db);
        call.await.unwrap();
        let closed = |state: &ConnectionState| matches!(state, ConnectionState::Closed(_));
        let _ = state.wait_for(closed).await;
        assert!(set.is_ended());
    })
    .await;
}

#[tokio::test]
async fn closed_clients_streams_and_watches_end_at_once() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        db.disconnect().await;
        let table = db.table::<PkU32>();
        assert!(table.inserts().next().await.is_none());
        assert!(table.changes().next().await.is_none());
        assert!(table.watch().changed().await.is_err());
        assert!(table.watch_row(1).changed().await.is_err());
        assert!(db.transactions().next().await.is_none());
        assert!(db.call_outcomes().next().await.is_none());
        assert!(db.broadcast().next().await.is_none());
    })
    .await;
}
