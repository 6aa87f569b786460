//! Calls that leave although the program ends, and ends at once.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lightlike::events::{EventStream, Inserted};
use lightlike::offline::{FileStore, Store, StoreError, Write};
use lightlike::prelude::*;
use lightlike_tests::chat::{Message, send_message};
use lightlike_tests::target::Target;

use crate::support::{chat, current_thread, multi_thread, tick_until, wait};

const LONG: Duration = Duration::from_secs(30);

/// Calls that each program forgets.
const CALLS: usize = 20;

fn forget_some(db: &Client) {
    for n in 0..CALLS {
        db.call(send_message(n.to_string())).forget();
    }
}

/// Program that the other tests start as a process, and does nothing among the tests. It ends as a `main` does that returns:
/// by the end of the process, with nothing in between.
#[test]
fn program_that_forgets_and_ends() {
    let Ok(uri) = std::env::var("LEAVING_URI") else { return };
    let builder = Client::builder(uri, std::env::var("LEAVING_DATABASE").unwrap());
    let run = async |builder: lightlike::ClientBuilder| {
        let db = builder.connect().await.unwrap();
        forget_some(&db);
    };
    match &*std::env::var("LEAVING_WAY").unwrap() {
        "current_thread" => current_thread().block_on(run(builder)),
        "multi_thread" => multi_thread().block_on(run(builder)),
        "disconnected" => multi_thread().block_on(async {
            let db = builder.connect().await.unwrap();
            forget_some(&db);
            drop(db.disconnect());
        }),
        "alive" => {
            // The last handle outlives the runtime.
            let db = current_thread().block_on(async {
                let db = builder.connect().await.unwrap();
                forget_some(&db);
                db
            });
            drop(db);
        }
        "thread" => forget_some(&builder.connect_blocking().unwrap()),
        "ticks" => {
            let db = builder.build_manual().unwrap();
            let ready = |state: &ConnectionState| matches!(state, ConnectionState::Ready);
            tick_until(&db, db.state().wait_for(ready)).unwrap();
            forget_some(&db);
        }
        "kept, not started" => forget_some(&builder.offline(Slow::open()).build().unwrap()),
        "kept, ticks" => forget_some(&builder.offline(Slow::open()).build_manual().unwrap()),
        "kept, task" => current_thread().block_on(async {
            let db = builder.offline(Slow::open()).build().unwrap();
            db.start().unwrap();
            forget_some(&db);
        }),
        "kept, alive" => {
            let db = current_thread().block_on(async {
                let db = builder.offline(Slow::open()).build().unwrap();
                db.start().unwrap();
                forget_some(&db);
                db
            });
            drop(db);
        }
        other => panic!("{other}"),
    }
    std::process::exit(0);
}

/// This test's own program, told to be the one that ends.
fn program(uri: &str, database: &str, way: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["leaving::program_that_forgets_and_ends", "--exact", "--nocapture"])
        .env("LEAVING_URI", uri)
        .env("LEAVING_DATABASE", database)
        .env("LEAVING_WAY", way);
    command
}

fn run_program(target: &Target, way: &str) {
    let status = program(&target.uri(), target.name(), way).status();
    assert!(status.unwrap().success(), "{way}");
}

/// A file on a disk that takes its time.
struct Slow(FileStore);

impl Slow {
    fn open() -> Self {
        Self(FileStore::open(std::env::var("LEAVING_STORE").unwrap()).unwrap())
    }
}

impl Store for Slow {
    fn load(&mut self, each: &mut dyn FnMut(&[u8], bytes::Bytes)) -> Result<(), StoreError> {
        self.0.load(each)
    }

    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        std::thread::sleep(Duration::from_millis(100));
        self.0.commit(writes)
    }

    fn put_aside(&mut self) -> Result<Option<PathBuf>, StoreError> {
        self.0.put_aside()
    }
}

/// Without a connection, what is called is on the disk when the program has ended.
#[test]
fn forgotten_calls_are_kept_though_the_program_ends() {
    let nowhere = "http://127.0.0.1:9";
    for way in ["kept, not started", "kept, ticks", "kept, task", "kept, alive"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calls.journal");
        let status = program(nowhere, "nothing", way).env("LEAVING_STORE", &path).status();
        assert!(status.unwrap().success(), "{way}");
        let store = FileStore::open(&path).unwrap();
        let db = Client::builder(nowhere, "nothing").offline(store).build().unwrap();
        assert_eq!(db.queued_calls().len(), CALLS, "{way}");
    }
}

/// A server forgets what it has read and not run when the socket ends: so the program's end waits for answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgotten_calls_leave_though_the_program_ends() {
    let target = Target::chat().await;
    let witness = target.connect().await;
    let _messages = witness.subscribe(Message::all()).await.unwrap();
    let mut expected = 0;
    for way in ["current_thread", "multi_thread", "disconnected", "alive", "thread", "ticks"] {
        for _ in 0..3 {
            run_program(&target, way);
            expected += CALLS;
            let all = |view: &View| view.table::<Message>().len() == expected;
            let arrived = witness.wait_until(all).timeout(LONG).await;
            assert!(arrived.is_ok(), "{way}: {} of {expected}", witness.table::<Message>().len());
        }
    }
}

#[test]
fn close_blocking_waits_for_answers() {
    let target = chat();
    let db = target.builder().connect_blocking().unwrap();
    forget_some(&db);
    let call = db.call(send_message("last words".into())).send();
    assert_eq!(db.close_blocking(LONG), 0);
    wait(call).unwrap();
    assert!(matches!(db.state().get(), ConnectionState::Closed(_)));
    assert_eq!(db.close_blocking(LONG), 0, "again");
}

#[test]
fn close_blocking_ticks_and_runs_callbacks() {
    let target = chat();
    let db = target.builder().build_manual().unwrap();
    tick_until(&db, db.subscribe(Message::all()).into_future()).unwrap().keep();
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    db.table::<Message>().on_insert(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    forget_some(&db);
    assert_eq!(db.close_blocking(LONG), 0);
    assert_eq!(heard.load(Ordering::Relaxed), CALLS);
}

#[test]
fn close_blocking_counts_what_has_no_answer() {
    let target = chat();
    let Target::Embedded(server) = &target else { return };
    for manual in [true, false] {
        let held = server.hold_replies();
        let db = match manual {
            true => target.builder().build_manual().unwrap(),
            false => target.builder().build().unwrap(),
        };
        let _thread = (!manual).then(|| db.start_thread().unwrap());
        db.call(send_message("held".into())).forget();
        assert_eq!(db.close_blocking(Duration::from_millis(50)), 1);
        drop(held);
    }
}

#[test]
fn close_blocking_of_client_never_started_ends() {
    let target = chat();
    let db = target.builder().build().unwrap();
    db.call(send_message("never".into())).forget();
    assert_eq!(db.close_blocking(LONG), 1);
}

/// Sends messages until there are this many, and gives their author.
async fn other_writes(target: &Target, messages: usize) -> Client {
    let other = target.connect().await;
    let calls: Vec<_> =
        (0..messages).map(|n| other.call(send_message(n.to_string())).send()).collect();
    for call in calls {
        call.await.unwrap();
    }
    other
}

/// Texts of the rows of which a callback hears, and of those whose leaving it hears of.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<(Vec<String>, Vec<String>)>>);

impl Heard {
    fn listen(db: &Client) -> Self {
        let heard = Self::default();
        let (came, left) = (heard.clone(), heard.clone());
        let messages = db.table::<Message>();
        messages.on_insert(move |_, row| came.0.lock().unwrap().0.push(row.text.clone()));
        messages.on_delete(move |_, row| left.0.lock().unwrap().1.push(row.text.clone()));
        heard
    }

    fn counts(&self) -> (usize, usize) {
        let heard = self.0.lock().unwrap();
        (heard.0.len(), heard.1.len())
    }
}

/// What came between two ticks is received, and not applied.
#[test]
fn set_ended_now_tells_nothing_that_was_received() {
    let target = chat();
    let db = target.builder().build_manual().unwrap();
    let set = tick_until(&db, db.subscribe(Message::all()).into_future()).unwrap();
    let heard = Heard::listen(&db);
    tick_until(&db, db.call(send_message("first".into())).into_future()).unwrap();
    assert_eq!(heard.counts(), (1, 0));
    let runtime = current_thread();
    let other = runtime.block_on(other_writes(&target, 10));
    set.unsubscribe_now();
    assert!(db.read().table::<Message>().is_empty(), "at once");
    tick_until(&db, db.call(send_message("second".into())).into_future()).unwrap();
    assert_eq!(heard.counts(), (1, 1), "the row that was here has left");
    assert!(db.read().table::<Message>().is_empty());
    // The same rows come with another set.
    tick_until(&db, db.subscribe(Message::all()).into_future()).unwrap().keep();
    assert_eq!(heard.counts(), (13, 1));
    drop(other);
}

/// What an application relies on that ends a set by `unsubscribe`: nothing is lost before its end.
#[tokio::test]
async fn set_that_is_ended_is_told_of_until_its_rows_leave() {
    let target = Target::chat().await;
    let db = target.connect().await;
    let set = db.subscribe(Message::all()).await.unwrap();
    let heard = Heard::listen(&db);
    let other = other_writes(&target, 50).await;
    set.unsubscribe().await.unwrap();
    let (came, left) = heard.counts();
    assert_eq!(came, left, "every row that came has left");
    assert!(db.table::<Message>().is_empty());
    other.disconnect().await;
}

#[test]
fn aborted_client_starts_no_callback() {
    let target = chat();
    let db = target.builder().build_manual().unwrap();
    tick_until(&db, db.subscribe(Message::all()).into_future()).unwrap().keep();
    let heard = Heard::listen(&db);
    let changed = db.table::<Message>().inserts();
    let call = db.call(send_message("unanswered".into())).send();
    let _other = current_thread().block_on(other_writes(&target, 10));
    db.abort();
    let error = loop {
        match db.tick(Budget::unlimited()) {
            Ok(_) => std::thread::yield_now(),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), lightlike::ErrorKind::Disconnected);
    assert_eq!((heard.counts(), db.table::<Message>().len()), ((0, 0), 0));
    assert!(matches!(wait(call), Err(CallError::Unknown)));
    assert!(ended(changed), "streams end without what was not applied");
}

fn ended(mut stream: EventStream<Inserted<Message>>) -> bool {
    wait(stream.next()).is_none()
}

/// The one callback that aborts is the last that runs, in the middle of a transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abort_in_callback_is_the_last_callback() {
    let target = Target::chat().await;
    let _other = other_writes(&target, 10).await;
    let db = target.connect().await;
    let (runs, after) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let messages = db.table::<Message>();
    let counted = Arc::clone(&runs);
    messages.on_insert(move |event, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        event.db().abort();
    });
    let ran = Arc::clone(&after);
    db.on_transaction(move |_, _| ran.store(true, Ordering::SeqCst));
    let set = db.subscribe(Message::all());
    let outcome = set.ended().await;
    assert!(outcome.is_err(), "{outcome:?}");
    assert_eq!((runs.load(Ordering::SeqCst), after.load(Ordering::SeqCst)), (1, false));
    assert!(matches!(db.state().get(), ConnectionState::Closed(_)));
}

/// However fast messages come, and whichever thread runs the callbacks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abort_is_final_while_messages_come() {
    let target = Target::chat().await;
    let other = target.connect().await;
    for _ in 0..5 {
        let db = target.connect().await;
        let _messages = db.subscribe(Message::all()).await.unwrap();
        let (aborted, late) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (is_aborted, count) = (Arc::clone(&aborted), Arc::clone(&late));
        db.table::<Message>().on_insert(move |_, _| {
            count.fetch_add(usize::from(is_aborted.load(Ordering::SeqCst)), Ordering::SeqCst);
        });
        for n in 0..50 {
            other.call(send_message(n.to_string())).forget();
        }
        db.wait_until(|view| !view.table::<Message>().is_empty()).await.unwrap();
        db.abort();
        aborted.store(true, Ordering::SeqCst);
        let closed = |state: &ConnectionState| matches!(state, ConnectionState::Closed(_));
        db.state().wait_for(closed).await.unwrap();
        // One may have been running.
        assert!(late.load(Ordering::SeqCst) <= 1);
        other.call(send_message("next".into())).await.unwrap();
    }
}
