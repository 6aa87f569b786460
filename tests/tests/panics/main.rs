//! Code of the application that panics where the client runs it: it ends nothing but what it is part of.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod captures;
mod ending;
mod hooks;
mod rows;

use std::fs;
use std::path::Path;
use std::time::Duration;

use lightlike::Client;
use lightlike_tests::conformance::Log;

/// The panics that `on_panic` of a client hears of: the code, the table, and the text.
fn panics_of(db: &Client) -> Log {
    let log = Log::default();
    let panics = log.clone();
    db.on_panic(move |_, panicked| {
        let table = panicked.table.unwrap_or("-");
        panics.push(format!("{} {table}: {}", panicked.callback, panicked.message));
    });
    log
}

/// Whatever this waits for comes at once, or not at all.
async fn soon<F: IntoFuture>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it comes soon")
}

/// The files below a folder that name a macro of `tracing` that makes events.
fn files_with_events(folder: &Path, found: &mut Vec<String>) {
    let macros =
        ["error", "warn", "info", "debug", "trace"].map(|level| format!("tracing::{level}!("));
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_with_events(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        if macros.iter().any(|it| text.contains(it)) {
            found.push(path.to_str().unwrap().into());
        }
    }
}

#[test]
fn events_for_tracing_are_fenced() {
    let mut found = Vec::new();
    for folder in ["../core/src", "../sdk/src"] {
        files_with_events(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    }
    // All others use `log!`, which has the fence; these functions are called inside of one.
    assert!(found.len() == 1 && found[0].ends_with("sdk/src/observe/mod.rs"), "{found:?}");
}
