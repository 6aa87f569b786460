//! Ends that wait for nothing of the application's: views, callbacks, a panic half-way.

use std::sync::mpsc;
use std::time::Duration;

use lightlike::ErrorKind;
use lightlike::connection::Limits;
use lightlike::prelude::*;
use lightlike_tests::conformance::keys::{Keyed as _, PkU32};
use lightlike_tests::target::Target;

use crate::{panics_of, soon};

/// A client that applies nothing, because of a view that is held.
async fn held_up(target: &Target) -> (Client, View) {
    let mut limits = Limits::default();
    limits.max_dead_rows = 1;
    let db = soon(target.builder().limits(limits).connect()).await.unwrap();
    soon(db.subscribe(PkU32::all()).into_future()).await.unwrap().keep();
    for n in 0..4 {
        soon(db.call(PkU32::insert(n, 0))).await.unwrap();
    }
    let view = db.read();
    let other = target.connect().await;
    for n in 0..4 {
        soon(other.call(PkU32::delete(n))).await.unwrap();
    }
    (db, view)
}

#[tokio::test]
async fn disconnect_waits_for_no_view() {
    let target = Target::conformance().await;
    let (db, view) = held_up(&target).await;
    let call = db.call(PkU32::insert(9, 0)).send();
    soon(db.disconnect()).await;
    assert!(soon(call).await.is_err());
    assert_eq!(view.table::<PkU32>().len(), 4);
}

#[tokio::test]
async fn last_handle_waits_for_no_view() {
    let target = Target::conformance().await;
    let (db, view) = held_up(&target).await;
    let call = db.call(PkU32::insert(9, 0)).send();
    let mut state = db.state();
    drop(db);
    assert!(soon(call).await.is_err());
    let closed = |state: &ConnectionState| matches!(state, ConnectionState::Closed(_));
    soon(state.wait_for(closed)).await.unwrap();
    drop(view);
}

#[test]
fn end_of_the_runtime_waits_for_no_view() {
    for threads in [1, 2] {
        let mut builder = match threads {
            1 => tokio::runtime::Builder::new_current_thread(),
            _ => tokio::runtime::Builder::new_multi_thread(),
        };
        let server = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let target = server.block_on(Target::conformance());
        let runtime = builder.enable_all().build().unwrap();
        let (db, view) = runtime.block_on(held_up(&target));
        let call = db.call(PkU32::insert(9, 0)).send();
        drop(runtime);
        let closed = server.block_on(soon(call));
        assert!(closed.is_err(), "{closed:?}");
        assert!(matches!(db.state().get(), ConnectionState::Closed(_)));
        drop(view);
    }
}

#[tokio::test]
async fn tick_that_waits_for_a_view_closes() {
    let target = Target::conformance().await;
    let mut limits = Limits::default();
    limits.max_dead_rows = 1;
    let db = target.builder().limits(limits).build_manual().unwrap();
    let rows = db.subscribe(PkU32::all());
    let other = target.connect().await;
    let tick_until = async |done: &dyn Fn() -> bool| {
        while !done() {
            let _ = db.tick(Budget::unlimited());
            tokio::task::yield_now().await;
        }
    };
    soon(tick_until(&|| rows.is_applied())).await;
    for n in 0..4 {
        soon(other.call(PkU32::insert(n, 0))).await.unwrap();
    }
    soon(tick_until(&|| db.table::<PkU32>().len() == 4)).await;
    let view = db.read();
    for n in 0..4 {
        soon(other.call(PkU32::delete(n))).await.unwrap();
    }
    let disconnecting = db.disconnect();
    soon(tick_until(&|| matches!(db.state().get(), ConnectionState::Closed(_)))).await;
    soon(disconnecting).await;
    assert_eq!(db.tick(Budget::unlimited()).unwrap_err().kind(), ErrorKind::Disconnected);
    drop(view);
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnect_waits_for_no_callback() {
    let target = Target::conformance().await;
    for way in ["task", "thread"] {
        let db = target.builder().build().unwrap();
        match way {
            "task" => db.start().unwrap(),
            _ => drop(db.start_thread().unwrap()),
        }
        let rows = soon(db.subscribe(PkU32::all()).into_future()).await.unwrap();
        let (blocked, is_blocked) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let released = std::sync::Mutex::new(released);
        db.table::<PkU32>().on_insert(move |_, _| {
            blocked.send(()).unwrap();
            let _ = released.lock().unwrap().recv();
        });
        let other = target.connect().await;
        soon(other.call(PkU32::insert(if way == "task" { 1 } else { 2 }, 0))).await.unwrap();
        tokio::task::spawn_blocking(move || is_blocked.recv().unwrap()).await.unwrap();
        let call = db.call(PkU32::insert(9, 0)).send();
        let ended = tokio::time::timeout(Duration::from_secs(10), db.disconnect()).await;
        ended.unwrap_or_else(|_| panic!("{way}: it waits for the callback"));
        assert!(soon(call).await.is_err(), "{way}");
        assert!(soon(rows.ended()).await.is_err(), "{way}");
        release.send(()).unwrap();
    }
}

#[tokio::test]
async fn second_start_is_an_error() {
    let target = Target::conformance().await;
    let db = soon(target.builder().connect()).await.unwrap();
    let panics = panics_of(&db);
    let again = db.start().unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Driver);
    assert!(again.to_string().contains("started before"), "{again}");
    soon(db.call(PkU32::insert(1, 0))).await.unwrap();
    soon(db.disconnect()).await;
    assert_eq!(db.start().unwrap_err().kind(), ErrorKind::Disconnected);
    assert!(panics.take().is_empty());
}
