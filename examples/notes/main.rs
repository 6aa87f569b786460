//! Notes that work without a network: rows from disk, calls that survive a restart, each delivered as it says.
//!
//! ```text
//! $ cargo run --example notes
//! 0 notes from disk, 0 calls waiting
//! > milk: on disk, sent when there is a network
//! …
//! ```
//!
//! Without `--uri` it plays both halves of a day: a run without a network, and one with it. With it, type a title for a
//! note, `once TITLE`, `probed TITLE`, `rename ID TITLE` or `rename last TITLE`; `--offline` stays without a network. End
//! it as you like, with Ctrl-D, Ctrl-C or `kill -9`: the next run goes on.

mod app;
mod embedded;

use std::path::{Path, PathBuf};

use clap::Parser;
use lightlike::calls::Accepted;
use lightlike::offline::RedbStore;
use lightlike::prelude::*;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use self::app::Note;

/// Notes in the terminal.
#[derive(Parser)]
struct Args {
    /// The server, such as http://127.0.0.1:3000; without it one runs inside this program.
    #[arg(long)]
    uri: Option<String>,
    /// The database's name.
    #[arg(long, default_value = "notes")]
    database: String,
    /// Folder of notes and calls.
    #[arg(long, default_value = "notes.redb")]
    store: PathBuf,
    /// Stay without a network.
    #[arg(long)]
    offline: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let Some(uri) = &args.uri else { return a_day().await };
    let db = open(uri, &args.database, &args.store)?;
    if !args.offline {
        db.start()?; // connects, reconnects, resyncs for ever
    }
    let _notes = db.subscribe(Note::all()); // re-applied after every reconnect, as one difference, without flicker
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut outcomes = db.call_outcomes(); // each call once, also those of earlier runs
    loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) => make(&db, &line).await?,
                None => break,
            },
            Some(Ok(outcome)) = outcomes.next() => show(&outcome),
        }
    }
    db.disconnect().await;
    Ok(())
}

/// A run without a network, and one with it.
async fn a_day() -> anyhow::Result<()> {
    let server = embedded::start().await;
    let store = std::env::temp_dir().join(format!("lightlike-notes-{}.redb", std::process::id()));
    let morning = open(&server.uri(), server.database(), &store)?;
    for line in ["milk", "once eggs", "rename last six eggs", "rename 1 oat milk"] {
        make(&morning, line).await?;
    }
    morning.disconnect().await;

    let evening = open(&server.uri(), server.database(), &store)?;
    let mut outcomes = evening.call_outcomes();
    evening.subscribe(Note::all()).keep();
    evening.start()?;
    for _ in 0..4 {
        if let Some(Ok(outcome)) = outcomes.next().await {
            show(&outcome);
        }
    }
    evening.disconnect().await;
    list(&evening);
    std::fs::remove_file(store)?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the terminal is what this is about")]
fn open(uri: &str, database: &str, store: &Path) -> anyhow::Result<Client> {
    let db = app::builder(uri, database, RedbStore::open(store)?).build()?; // no network yet
    println!(
        "{} notes from disk, {} calls waiting",
        db.table::<Note>().len(),
        db.queued_calls().len()
    );
    Ok(db)
}

#[expect(clippy::print_stdout, reason = "the terminal is what this is about")]
async fn make(db: &Client, line: &str) -> anyhow::Result<()> {
    match app::command(db, line).await {
        Ok(Accepted::Sent) => println!("> {line}: on its way"),
        Ok(Accepted::Queued) => println!("> {line}: on disk, sent when there is a network"),
        Ok(_) => println!("> {line}: in memory only, for the disk fails"),
        Err(error) => println!("> {line}: {error:?}"),
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the terminal is what this is about")]
fn show(outcome: &lightlike::offline::CallOutcome) {
    let when = if outcome.restored { " of an earlier run" } else { "" };
    println!("< {}{when}: {:?}", outcome.reducer, outcome.end);
}

#[expect(clippy::print_stdout, reason = "the terminal is what this is about")]
fn list(db: &Client) {
    for Note { id, title } in app::notes(db) {
        println!("{id}. {title}");
    }
}

#[tokio::test]
async fn notes_survive_a_day_offline() {
    a_day().await.unwrap();
}
