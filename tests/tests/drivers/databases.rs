//! Several databases, and many connections, in one process.

use std::time::Duration;

use lightlike::ErrorKind;
use lightlike::prelude::*;
use lightlike_tests::chat::{Message, User, send_message};
use lightlike_tests::conformance::connections::Connected;
use lightlike_tests::target::Target;

use crate::support::{chat, current_thread, tick_until, wait};

/// Another program's idea of the same table.
#[derive(Bsatn, Table, Clone, Debug, PartialEq)]
#[table(name = "message")]
struct Line {
    author: Identity,
    at: Timestamp,
    line: String,
}

#[tokio::test]
async fn several_databases_live_on_one_runtime() {
    let (left, right, other) =
        (Target::chat().await, Target::chat().await, Target::conformance().await);
    let (a, b, c) = (left.connect().await, right.connect().await, other.connect().await);
    let _a = a.subscribe((User::all(), Message::all())).await.unwrap();
    let _b = b.subscribe(Line::all()).await.unwrap();
    let _c = c.subscribe(Connected::all()).await.unwrap();
    a.call(send_message("left".into())).await.unwrap();
    b.call(send_message("right".into())).await.unwrap();
    assert_eq!(a.table::<Message>().iter().map(|row| row.text).collect::<Vec<_>>(), ["left"]);
    assert_eq!(b.table::<Line>().iter().map(|row| row.line).collect::<Vec<_>>(), ["right"]);
    assert_eq!(c.table::<Connected>().len(), 1);
    // One ends; the others do not notice.
    a.disconnect().await;
    b.call(send_message("still".into())).await.unwrap();
    assert_eq!((a.table::<Message>().len(), b.table::<Line>().len()), (1, 2));
}

#[tokio::test]
async fn a_database_that_is_there_says_so() {
    let target = Target::chat().await;
    let db = target.connect().await;
    let long = Duration::from_secs(30);
    let round_trip = db.probe(long).await.unwrap();
    assert!(round_trip > Duration::ZERO && round_trip < long, "{round_trip:?}");
    if let Target::Embedded(server) = &target {
        let held = server.hold_replies();
        let error = db.probe(Duration::from_millis(20)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        drop(held);
        db.probe(long).await.unwrap();
    }
    db.disconnect().await;
    assert_eq!(db.probe(long).await.unwrap_err().kind(), ErrorKind::Query);
}

#[test]
fn drivers_of_all_kinds_live_side_by_side() {
    let target = chat();
    let runtime = current_thread();
    let task = runtime.block_on(target.connect());
    let thread = target.builder().connect_blocking().unwrap();
    let ticked = target.builder().build_manual().unwrap();
    let _seen = [
        runtime.block_on(task.subscribe(Message::all()).into_future()).unwrap(),
        wait(thread.subscribe(Message::all()).into_future()).unwrap(),
        tick_until(&ticked, ticked.subscribe(Message::all()).into_future()).unwrap(),
    ];
    runtime.block_on(task.call(send_message("from a task".into())).into_future()).unwrap();
    wait(thread.call(send_message("from a thread".into())).into_future()).unwrap();
    tick_until(&ticked, ticked.call(send_message("from a tick".into())).into_future()).unwrap();
    assert_eq!(ticked.table::<Message>().len(), 3);
    let mut heard = thread.table::<Message>().inserts();
    while thread.table::<Message>().len() < 3 {
        wait(heard.next());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn idle_connections_have_no_threads_of_their_own() {
    fn threads() -> usize {
        std::fs::read_dir("/proc/self/task").unwrap().count()
    }
    let target = chat();
    let runtime = current_thread();
    let first = (runtime.block_on(target.connect()), target.builder().build_manual().unwrap());
    let before = threads();
    let tasks: Vec<_> = (0..50).map(|_| runtime.block_on(target.connect())).collect();
    let ticked: Vec<_> = (0..50).map(|_| target.builder().build_manual().unwrap()).collect();
    for db in &ticked {
        tick_until(db, db.subscribe(User::all()).into_future()).unwrap().keep();
    }
    // Other tests start and end threads of theirs meanwhile.
    assert!(threads() < before + 50, "{before} threads, then {}", threads());
    drop((first, tasks, ticked));
}
