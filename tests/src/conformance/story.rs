//! How a test is told: a database of its own, a time by which it must be over, and what its callbacks saw.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lightlike::events::EventStream;

use crate::real::Module;
use crate::target::Target;

/// Far more than any test takes: one that waits for what never comes fails, and does not hang.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Tells the story on a fresh database: of a real server if the environment names one, of the embedded one otherwise.
///
/// # Panics
///
/// If it takes more than a minute.
pub async fn on_both_servers(story: impl AsyncFnOnce(&Target)) {
    tell(&Target::conformance().await, TIME_LIMIT, story).await;
}

/// Tells the story on a database that others may use too.
///
/// # Panics
///
/// If it takes longer than `limit`.
pub async fn within(limit: Duration, target: &Target, story: impl AsyncFnOnce(&Target)) {
    tokio::time::timeout(limit, story(target)).await.expect("the test is over in time");
}

async fn tell(target: &Target, limit: Duration, story: impl AsyncFnOnce(&Target)) {
    within(limit, target, story).await;
    if let Target::Real(database) = target {
        database.delete().await.expect("the server deletes the database");
    }
}

/// As [`on_both_servers`], for what the embedded server does not have. Says so and returns where there is no real one.
///
/// # Panics
///
/// If it takes more than a minute.
pub async fn on_a_real_server(story: impl AsyncFnOnce(&Target)) {
    on_a_real_server_of(Module::Conformance, story).await;
}

/// As [`on_a_real_server`], with another module.
///
/// # Panics
///
/// If it takes more than a minute.
#[expect(clippy::print_stderr, reason = "a test that is not run has to say so")]
pub async fn on_a_real_server_of(module: Module, story: impl AsyncFnOnce(&Target)) {
    if let Some(target) = Target::real(module).await {
        tell(&target, TIME_LIMIT, story).await;
    } else {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        eprintln!("skipped: {test} needs a real server; see `tests/engine/run`");
    }
}

/// Log of callbacks, in order.
#[derive(Clone, Default, Debug)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn push(&self, line: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.into());
    }

    /// Takes what was logged since the last call.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The next item of a stream that is neither over nor too slow.
///
/// # Panics
///
/// If it is.
pub async fn next<T>(stream: &mut EventStream<T>) -> T {
    stream.next().await.expect("the stream goes on").expect("the stream is read fast enough")
}
