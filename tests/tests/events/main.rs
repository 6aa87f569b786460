//! Receivers of events, on both servers: callbacks, watches, listeners to calls, and the broadcast.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

use lightlike::Client;
use lightlike_tests::conformance::Log;

mod broadcast;
mod callbacks;
mod causes;
mod listeners;
mod observing;
mod streams;
mod typed;
mod watches;

/// Panics of this client's callbacks: an assertion in a callback fails nothing by itself.
fn panics_of(db: &Client) -> Log {
    let log = Log::default();
    let panics = log.clone();
    db.on_panic(move |_, panicked| panics.push(&*panicked.message));
    log
}
