//! The notes example, killed by the system with calls on their way: the next run delivers each as it says.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

#[path = "../../examples/notes/app.rs"]
mod app;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use lightlike::offline::{FileStore, RedbStore};
use lightlike::prelude::*;
use lightlike_tests::proxy::Proxy;
use lightlike_tests::target::Target;

use self::app::{Note, builder, command, notes};

/// A run of the program as a process of its own.
struct Run {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Run {
    fn start(uri: &str, database: &str, store: &Path, online: bool) -> Self {
        // This test's own program, told to be the one that is killed.
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["the_program_that_is_killed", "--exact", "--nocapture"])
            .env("NOTES_URI", uri)
            .env("NOTES_DATABASE", database)
            .env("NOTES_STORE", store)
            .env("NOTES_ONLINE", if online { "yes" } else { "" })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut run = Self { child, input, output: BufReader::new(output) };
        run.expect("started");
        run
    }

    /// Makes a call, and waits until the program says where it is.
    fn make(&mut self, line: &str, place: &str) {
        writeln!(self.input, "{line}").unwrap();
        self.expect(place);
    }

    fn expect(&mut self, wanted: &str) {
        let mut line = String::new();
        while !line.contains("notes: ") {
            line.clear();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the program ended");
        }
        assert!(line.contains(wanted), "{line:?} instead of {wanted:?}");
    }

    /// SIGKILL: nothing of the program's runs any more.
    fn kill(mut self) {
        self.child.kill().unwrap();
        assert!(!self.child.wait().unwrap().success());
    }
}

/// Program that the other tests start as a process; does nothing among the tests.
#[tokio::test]
async fn the_program_that_is_killed() {
    let Some(uri) = std::env::var_os("NOTES_URI") else { return };
    let text = |name| std::env::var(name).unwrap();
    let store = FileStore::open(text("NOTES_STORE")).unwrap();
    let db = builder(&uri.into_string().unwrap(), &text("NOTES_DATABASE"), store).build().unwrap();
    if !text("NOTES_ONLINE").is_empty() {
        db.start().unwrap();
        ready(&db).await;
    }
    let mut said = std::io::stdout();
    writeln!(said, "\nnotes: started").unwrap();
    loop {
        let line = tokio::task::spawn_blocking(|| std::io::stdin().lines().next());
        let Some(Ok(line)) = line.await.unwrap() else { return };
        let accepted = command(&db, &line).await.unwrap();
        writeln!(said, "notes: {accepted:?}").unwrap();
    }
}

async fn ready(db: &Client) {
    let ready = |state: &ConnectionState| matches!(state, ConnectionState::Ready);
    db.state().wait_for(ready).await.unwrap();
}

fn titles(db: &Client) -> Vec<String> {
    notes(db).into_iter().map(|note| note.title).collect()
}

/// Somebody who sees what the database has.
async fn witness(target: &Target) -> Client {
    let db = target.connect().await;
    db.subscribe(Note::all()).await.unwrap().keep();
    db
}

#[tokio::test]
async fn offline_calls_of_killed_program_run_once() {
    let target = Target::notes().await;
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("notes");
    let mut run = Run::start(&target.uri(), target.name(), &store, false);
    for line in ["milk", "once eggs", "probed bread", "rename 1 oat milk"] {
        run.make(line, "Queued");
    }
    run.kill();

    // What the calls come to is there before any network, as rows that are expected.
    let db =
        builder(&target.uri(), target.name(), FileStore::open(&store).unwrap()).build().unwrap();
    let mut expected = titles(&db);
    expected.sort();
    assert_eq!(expected, ["bread", "eggs", "milk"]);
    let mut outcomes = db.call_outcomes();
    db.subscribe(Note::all()).keep();
    db.start().unwrap();
    for reducer in ["add_note", "add_note_once", "add_note", "rename_note"] {
        let outcome = outcomes.next().await.unwrap().unwrap();
        assert!(outcome.restored && outcome.end.is_committed(), "{outcome:?}");
        assert_eq!(outcome.reducer.as_str(), reducer);
    }
    let expected = ["oat milk", "eggs", "bread"];
    assert_eq!(titles(&witness(&target).await), expected);
    assert_eq!(titles(&db), expected);
    db.disconnect().await;
}

// The proxy runs while this waits for the program.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unanswered_calls_of_killed_program_follow_delivery() {
    let target = Target::notes().await;
    let witness = witness(&target).await;
    witness.call(app::add_note("first".into())).await.unwrap();
    let mut inserts = witness.table::<Note>().inserts();
    let proxy = Proxy::start(&target.uri()).await;
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("notes");
    let mut run = Run::start(&proxy.uri(), target.name(), &store, true);
    proxy.hold_replies(true);
    run.make("at most once", "Sent");
    run.make("once eggs", "Sent");
    run.make("probed bread", "Queued");
    run.make("rename 1 renamed", "");
    // The server has run them: what the program will never hear of.
    while witness.table::<Note>().len() < 4 {
        inserts.next().await.unwrap().unwrap();
    }
    run.kill();

    proxy.hold_replies(false);
    proxy.cut();
    let store = FileStore::open(&store).unwrap();
    let db = builder(&proxy.uri(), target.name(), store).build().unwrap();
    db.start().unwrap();
    ready(&db).await;
    db.sync_state().wait_for(|state| state.pending == 0).await.unwrap();
    let delivered = ["renamed", "at most once", "eggs", "bread"];
    // The witness may hear of it later.
    let is_renamed = |row: &Option<Note>| row.as_ref().is_some_and(|row| row.title == "renamed");
    witness.table::<Note>().watch_row(1).wait_for(is_renamed).await.unwrap();
    assert_eq!(titles(&witness), delivered);
    db.disconnect().await;
}

#[tokio::test]
async fn killed_program_leaves_redb_store_whole() {
    let target = Target::notes().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.redb");
    let open = || RedbStore::open(&path).unwrap();
    let db = builder(&target.uri(), target.name(), open()).build().unwrap();
    command(&db, "milk").await.unwrap();
    // As a kill leaves it: a copy of the file while it is open.
    let copy = folder.path().join("copy.redb");
    std::fs::copy(&path, &copy).unwrap();
    let again = builder(&target.uri(), target.name(), RedbStore::open(&copy).unwrap());
    assert_eq!(again.build().unwrap().queued_calls().len(), 1);
    db.disconnect().await;
    assert_eq!(
        builder(&target.uri(), target.name(), open()).build().unwrap().queued_calls().len(),
        1
    );
}
