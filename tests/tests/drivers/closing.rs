//! Ends of connections: answered, in order, or with the last handle.

use std::sync::Arc;
use std::time::Duration;

use lightlike::prelude::*;
use lightlike_tests::chat::{Message, SendMessage, User, send_message};
use lightlike_tests::target::Target;

use crate::support::{chat, tick_until, wait};

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn closing_waits_for_answers() {
    let target = Target::chat().await;
    let db = target.connect().await;
    let _messages = db.subscribe(Message::all()).await.unwrap();
    let calls: Vec<_> = (0..50).map(|n| db.call(send_message(n.to_string())).send()).collect();
    db.call(send_message("forgotten".into())).forget();
    let closing = db.close(LONG);
    let calling = async {
        for call in calls {
            call.await.unwrap();
        }
    };
    let (unanswered, ()) = tokio::join!(closing, calling);
    assert_eq!(unanswered, 0);
    assert_eq!(db.table::<Message>().len(), 51, "rows stay readable");
    assert!(matches!(db.state().get(), ConnectionState::Closed(_)));
    let late = db.call(send_message("late".into())).await;
    assert!(matches!(late, Err(CallError::NotSent(_))), "{late:?}");
    assert_eq!(db.close(LONG).await, 0, "again");
}

#[tokio::test]
async fn unanswered_calls_are_counted_and_unknown() {
    let target = Target::chat().await;
    let Target::Embedded(server) = &target else { return };
    let db = target.connect().await;
    let held = server.hold_replies();
    let call = db.call(send_message("held".into())).send();
    server.wait_for(|state| state.calls("send_message") == 1).await;
    let closing = db.close(Duration::from_millis(50));
    let refused = async { while db.call(send_message("too late".into())).await.is_ok() {} };
    let (unanswered, ()) = tokio::join!(closing, refused);
    assert_eq!(unanswered, 1);
    assert!(matches!(call.await, Err(CallError::Unknown)));
    drop(held);
}

#[test]
fn a_client_that_is_ticked_closes_by_ticks() {
    let target = chat();
    let db = target.builder().build_manual().unwrap();
    tick_until(&db, db.subscribe(Message::all()).into_future()).unwrap().keep();
    let call = db.call(send_message("last words".into())).send();
    let closing = std::thread::spawn({
        let db = db.clone();
        move || wait(db.close(LONG))
    });
    let error = loop {
        match db.tick(Budget::unlimited()) {
            Ok(_) => std::thread::yield_now(),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), lightlike::ErrorKind::Disconnected);
    assert_eq!(closing.join().unwrap(), 0);
    wait(call).unwrap();
    // Nobody has to tick for what comes after the end.
    let late = wait(db.call(send_message("late".into())).into_future());
    assert!(matches!(late, Err(CallError::NotSent(_))), "{late:?}");
}

/// Futures that outlive the last handle resolve, whoever ran the client.
#[test]
fn calls_end_when_last_handle_drops() {
    let target = chat();
    let Target::Embedded(server) = &target else { return };
    let held = server.hold_replies();
    let ends = |db: Client| {
        let call = db.call(send_message("cut short".into())).send();
        drop(db);
        let outcome = wait(call);
        let left = matches!(outcome, Err(CallError::Unknown | CallError::NotSent(_)));
        assert!(left, "{outcome:?}");
    };
    ends(target.builder().build_manual().unwrap());
    let ticked = target.builder().build_manual().unwrap();
    let _ = ticked.tick(Budget::unlimited()).unwrap();
    ends(ticked);
    let threaded = target.builder().build().unwrap();
    let driver = threaded.start_thread().unwrap();
    ends(threaded);
    driver.join().unwrap();
    drop(held);
    wait(server.wait_for(|state| state.connections().is_empty()));
}

#[test]
fn a_future_that_is_dropped_closes_the_connection() {
    let target = chat();
    let db = target.builder().build().unwrap();
    let mut run = Box::pin(db.run());
    let waker = std::task::Waker::noop();
    let polled = run.as_mut().poll(&mut std::task::Context::from_waker(waker));
    assert!(polled.is_pending());
    let call = db.call(send_message("never".into())).send();
    drop(run);
    let outcome = wait(call);
    let left = matches!(outcome, Err(CallError::Unknown | CallError::NotSent(_)));
    assert!(left, "{outcome:?}");
    let closed = |state: &ConnectionState| matches!(state, ConnectionState::Closed(_));
    wait(db.state().wait_for(closed)).unwrap();
}

#[test]
fn a_loop_that_stands_still_keeps_its_connection() {
    let target = chat();
    let Target::Embedded(server) = &target else { return };
    let db = target.builder().build_manual().unwrap();
    wait(server.wait_for(|state| state.connections().len() == 1));
    assert!(db.identity().is_none(), "greeted, and not applied");
    let _ = db.tick(Budget::unlimited()).unwrap();
    tick_until(&db, db.call(send_message("still here".into())).into_future()).unwrap();
}

#[tokio::test]
async fn view_outlives_client_with_mentioned_tables() {
    let target = Target::chat().await;
    for mentioned in [true, false] {
        let db = target.builder().build().unwrap();
        let running = tokio::spawn(db.run());
        db.subscribe("SELECT * FROM user").await.unwrap().keep();
        let view = db.read();
        if mentioned {
            assert_ne!(view.table::<User>().len(), 0);
        }
        drop(db);
        running.await.unwrap().unwrap();
        // Otherwise nobody is there to decode them.
        assert_eq!(view.table::<User>().is_empty(), !mentioned);
    }
}

/// A client that a callback of its own holds goes all the same, once it is closed.
#[tokio::test]
async fn callbacks_holding_client_go_when_it_closes() {
    let target = Target::chat().await;
    let Target::Embedded(server) = &target else { return };
    let db = target.connect().await;
    let held = Arc::new(());
    let captured = || (db.clone(), db.table::<User>(), Arc::clone(&held));
    let users = db.table::<User>();
    let (a, b, c, d) = (captured(), captured(), captured(), captured());
    users.on_insert(move |_, _| drop(a.clone()));
    users.on_update(move |_, _, _| drop(b.clone()));
    users.on_delete(move |_, _| drop(c.clone()));
    users.on_before_delete(move |_, _| drop(d.clone()));
    let (a, b, c, d) = (captured(), captured(), captured(), captured());
    db.on_transaction(move |_, _| drop(a.clone()));
    db.on_batch(move |_, _| {
        drop(b.clone());
        lightlike::events::RowEvents::Deliver
    });
    db.on_call::<SendMessage>(move |_, _, _| drop(c.clone()));
    db.on_calls(move |_| drop(d.clone()));
    let (a, b, c, d) = (captured(), captured(), captured(), captured());
    db.on_lost_for_long(move |_| drop(a.clone()));
    db.on_unhandled_rejection(move |_, _| drop(b.clone()));
    db.on_slow_consumer(move |_, _| drop(c.clone()));
    db.on_panic(move |_, _| drop(d.clone()));
    assert_eq!(Arc::strong_count(&held), 13);

    let weak = db.downgrade();
    db.disconnect().await;
    // One that comes too late hears of nothing, and holds nothing.
    let late = captured();
    users.on_insert(move |_, _| drop(late.clone()));
    drop((db, users));
    server.wait_for(|state| state.connections().is_empty()).await;
    for _ in 0..1000 {
        if Arc::strong_count(&held) == 1 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(Arc::strong_count(&held), 1);
    assert!(weak.upgrade().is_none());
}
