//! A client with a socket that nobody touches: it counts the rows that each call made.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lightlike::prelude::*;
use lightlike_tests::notes::Note;
use lightlike_tests::real::Database;

/// Rows by the title that their call gave them.
#[derive(Clone)]
pub(crate) struct Witness {
    db: Client,
    seen: Arc<Mutex<HashMap<Box<str>, u32>>>,
    _notes: Arc<Subscription>,
}

impl Witness {
    pub(crate) async fn start(database: &Database) -> Result<Self, lightlike::Error> {
        let db = Client::builder(database.uri(), database.name()).connect().await?;
        let seen: Arc<Mutex<HashMap<Box<str>, u32>>> = Arc::default();
        let counts = Arc::clone(&seen);
        db.table::<Note>().on_insert(move |_, note| {
            let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
            *counts.entry(note.title.as_str().into()).or_default() += 1;
        });
        let notes = db.subscribe(Note::all());
        notes.applied().await?;
        Ok(Self { db, seen, _notes: Arc::new(notes) })
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<Box<str>, u32>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of rows that came so far.
    pub(crate) fn rows(&self) -> usize {
        self.seen().len()
    }

    /// Number of rows of a title.
    pub(crate) fn count(&self, title: &str) -> u32 {
        self.seen().get(title).copied().unwrap_or(0)
    }

    /// Waits until a row that was committed by now has come here.
    pub(crate) async fn catch_up(&self) {
        let _ = tokio::time::timeout(Duration::from_secs(30), self.db.query(Note::all())).await;
    }

    /// Number of connections that were lost; the counts are whole where it is 0.
    pub(crate) fn losses(&self) -> u64 {
        self.db.stats().losses
    }
}
