//! The same story, whoever runs the client.

use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use futures_util::future::join;
use lightlike::ErrorKind;
use lightlike::prelude::*;
use lightlike_tests::chat::{Message, User, send_message, set_name};
use lightlike_tests::target::Target;

use crate::support::{chat, current_thread, multi_thread, tick_until, wait};

/// Somebody names herself and talks; callbacks run in order, each before the call is answered. Returns the threads on
/// which they ran.
async fn story(db: &Client) -> Vec<ThreadId> {
    let _all = db.subscribe((User::all(), Message::all())).await.unwrap();
    let before = db.table::<Message>().len();
    let log = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&log);
    let push = move |line: String| seen.lock().unwrap().push((line, thread::current().id()));
    let (named, said) = (push.clone(), push);
    db.table::<User>().on_update(move |event, _, new| {
        if event.is_mine() {
            named(format!("{:?}", new.name));
        }
    });
    db.table::<Message>().on_insert(move |_, message| said(message.text.clone()));
    db.call(set_name("Ada".into())).await.unwrap();
    db.call(send_message("hello".into())).await.unwrap();
    let refused = db.call(send_message(String::new())).await;
    assert!(matches!(refused, Err(CallError::Rejected(_))), "{refused:?}");
    let pending: Vec<_> =
        ["one", "two"].map(|text| db.call(send_message(text.into())).send()).into();
    for call in pending {
        call.await.unwrap();
    }
    let (lines, threads): (Vec<_>, Vec<_>) =
        std::mem::take(&mut *log.lock().unwrap()).into_iter().unzip();
    assert_eq!(lines, ["Some(\"Ada\")", "hello", "one", "two"]);
    assert_eq!(db.read().table::<Message>().len(), before + 3);
    threads
}

/// Waits until the server has seen every client go but this one.
async fn alone(grace: Client) {
    let me = grace.identity();
    let mut updates = grace.table::<User>().updates();
    let _users = grace.subscribe(User::all()).await.unwrap();
    let is_other = |user: &User| user.online && Some(user.identity) != me;
    while grace.table::<User>().iter().any(|user| is_other(&user)) {
        updates.next().await.unwrap().unwrap();
    }
}

/// As [`alone`], without a runtime.
fn left_alone(target: &Target) {
    wait(alone(target.builder().connect_blocking().unwrap()));
}

fn here(threads: &[ThreadId]) -> bool {
    threads.iter().all(|thread| *thread == thread::current().id())
}

#[test]
fn a_task_on_a_runtime_of_either_kind() {
    let target = chat();
    for runtime in [current_thread(), multi_thread()] {
        runtime.block_on(async {
            let db = target.builder().build().unwrap();
            db.start().unwrap();
            story(&db).await;
            // The runtime lives on: it is the handle's end that closes the connection.
            drop(db);
            alone(target.connect().await).await;
        });
    }
}

#[test]
fn run_future_works_on_both_tokio_runtimes() {
    let target = chat();
    for runtime in [current_thread(), multi_thread()] {
        runtime.block_on(async {
            let db = target.builder().build().unwrap();
            let run = db.run();
            let work = async move { story(&db).await };
            let (outcome, threads) = join(run, work).await;
            outcome.unwrap();
            assert!(here(&threads), "callbacks run where the future is polled");
        });
        left_alone(&target);
    }
}

#[test]
fn run_future_works_without_tokio() {
    let target = chat();
    let db = target.builder().build().unwrap();
    let run = db.run();
    let (outcome, threads) = wait(join(run, async move { story(&db).await }));
    outcome.unwrap();
    assert!(here(&threads));
    left_alone(&target);
}

#[test]
fn thread_driver_works_inside_and_outside_tokio() {
    let target = chat();
    let db = target.builder().build().unwrap();
    let driver = db.start_thread().unwrap();
    let mut threads = wait(story(&db));
    threads.dedup();
    assert!(threads.len() == 1 && !here(&threads), "{threads:?}");
    assert!(!driver.is_finished());
    drop(db);
    driver.join().unwrap();
    left_alone(&target);

    current_thread().block_on(async {
        let db = target.builder().build().unwrap();
        let driver = db.start_thread().unwrap();
        story(&db).await;
        db.disconnect().await;
        driver.join().unwrap();
    });
    left_alone(&target);
}

#[test]
fn ticks_outside_of_a_runtime_and_inside() {
    let target = chat();
    let db = target.builder().build_manual().unwrap();
    assert!(here(&tick_until(&db, story(&db))));
    drop(db);
    left_alone(&target);
    for runtime in [current_thread(), multi_thread()] {
        runtime.block_on(async {
            let db = target.builder().build_manual().unwrap();
            assert!(here(&tick_until(&db, story(&db))));
        });
        left_alone(&target);
    }
}

#[test]
fn one_driver_is_enough() {
    let target = chat();
    let db = target.builder().build().unwrap();
    let driver = db.start_thread().unwrap();
    assert_eq!(db.start_thread().unwrap_err().kind(), ErrorKind::Driver);
    assert_eq!(wait(db.run()).unwrap_err().kind(), ErrorKind::Driver);
    assert_eq!(db.tick(Budget::unlimited()).unwrap_err().kind(), ErrorKind::Driver);
    let again = current_thread().block_on(async { db.start() });
    assert_eq!(again.unwrap_err().kind(), ErrorKind::Driver);
    wait(story(&db));
    drop(db);
    driver.join().unwrap();

    let outside = target.builder().build().unwrap();
    assert_eq!(outside.start().unwrap_err().kind(), ErrorKind::NoRuntime);
}

#[test]
fn whoever_runs_it_learns_why_it_ended() {
    let target = chat();
    let nowhere = || Client::builder(target.uri(), "no-such-database").build().unwrap();
    let stranger = || target.builder().token("no.such.token").retry_first_connection(false);
    let db = nowhere();
    let driver = db.start_thread().unwrap();
    assert_eq!(driver.join().unwrap_err().kind(), ErrorKind::NotFound);
    let db = nowhere();
    let run = db.run();
    assert_eq!(current_thread().block_on(run).unwrap_err().kind(), ErrorKind::NotFound);
    let db = Client::builder(target.uri(), "no-such-database").build_manual().unwrap();
    let error = loop {
        match db.tick(Budget::unlimited()) {
            Ok(_) => thread::yield_now(),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(db.tick(Budget::unlimited()).unwrap_err().kind(), ErrorKind::NotFound, "again");
    let refused = stranger().connect_blocking().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Auth);
}

#[test]
fn callback_cannot_join_its_own_thread() {
    let target = chat();
    let db = target.builder().build().unwrap();
    let slot = Arc::new(Mutex::new(None::<lightlike::connection::DriverThread>));
    let (mine, (told, hear)) = (Arc::clone(&slot), std::sync::mpsc::channel());
    db.table::<Message>().on_insert(move |_, _| {
        let driver = mine.lock().unwrap().take().unwrap();
        told.send(driver.join().unwrap_err().kind()).unwrap();
    });
    *slot.lock().unwrap() = Some(db.start_thread().unwrap());
    wait(async {
        let _messages = db.subscribe(Message::all()).await.unwrap();
        db.call(send_message("join yourself".into())).await.unwrap();
    });
    assert_eq!(hear.recv().unwrap(), ErrorKind::Driver);
}

/// A runtime without timers, and one without I/O, are errors that say so, and no panics.
#[test]
fn a_runtime_that_lacks_something_is_said_to() {
    let target = chat();
    let bare = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = bare.block_on(target.builder().connect()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoRuntime);
    assert!(error.to_string().contains("has no timers"), "{error}");
    let db = target.builder().build().unwrap();
    assert_eq!(bare.block_on(db.run()).unwrap_err().kind(), ErrorKind::NoRuntime);

    let timers = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let error = timers.block_on(target.builder().connect()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(!error.is_retryable() && format!("{error:?}").contains("enable_io"), "{error:?}");

    // A client with a thread of its own needs nothing of either.
    let db = bare.block_on(async { target.builder().build().unwrap() });
    let thread = bare.block_on(async { db.start_thread() }).unwrap();
    wait(db.call(send_message("all the same".into())).into_future()).unwrap();
    drop(db);
    thread.join().unwrap();
}
