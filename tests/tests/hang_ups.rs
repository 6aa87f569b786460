//! Calls on which a server closes the connection, on both servers.

use std::time::Duration;

use lightlike::ClientBuilder;
use lightlike::calls::Accepted;
use lightlike::connection::{Limits, Reconnect};
use lightlike::offline::{Failure, MemoryStore};
use lightlike::prelude::*;
use lightlike_tests::notes::{Note, add_note, add_note_once};
use lightlike_tests::target::Target;

/// A client that sends larger messages than servers take.
fn builder(target: &Target) -> ClientBuilder {
    let mut limits = Limits::default();
    limits.max_outgoing_bytes = 40 << 20;
    let mut quick = Reconnect::default();
    quick.pause_max = Duration::from_millis(100);
    Client::builder(target.uri(), target.name()).limits(limits).reconnect(quick)
}

fn too_large() -> String {
    "x".repeat(33 << 20)
}

/// The real server closes a connection on a message that is too large with this code, which is lost where the reset that
/// follows overtakes it. The embedded one hangs up.
const TOO_LARGE: u16 = 1009;

fn titles(db: &Client) -> Vec<String> {
    db.table::<Note>().iter().map(|note| note.title).collect()
}

#[tokio::test]
async fn call_that_the_server_closes_on_is_abandoned() {
    let target = Target::notes().await;
    let db = builder(&target).connect().await.unwrap();
    let _notes = db.subscribe(Note::all()).await.unwrap();
    let bad = db.call(add_note_once(db.new_idempotency_key(), too_large())).send();
    let good = db.call(add_note_once(db.new_idempotency_key(), "milk".into())).send();
    let error = bad.await.unwrap_err();
    let CallError::Abandoned { sent, reason } = error else { panic!("{error}") };
    assert!((3..=8).contains(&sent), "{sent}");
    assert!(reason.close_code().is_none_or(|code| code == TOO_LARGE), "{reason:?}");
    good.await.unwrap();
    db.call(add_note("eggs".into())).await.unwrap();
    assert_eq!(titles(&db).len(), 2);
}

#[tokio::test]
async fn kept_calls_behind_one_that_is_abandoned_are_delivered() {
    let (target, store) = (Target::notes().await, MemoryStore::new());
    let db = builder(&target).offline(store).build().unwrap();
    db.subscribe(Note::all()).keep();
    let bad =
        db.call(add_note_once(db.new_idempotency_key(), too_large())).accepted().await.unwrap();
    assert_eq!(bad, Accepted::Queued);
    // At most once: if it was in flight when the connection ends, nobody would know.
    db.call(add_note("milk".into())).accepted().await.unwrap();
    db.call(add_note_once(db.new_idempotency_key(), "eggs".into())).accepted().await.unwrap();
    db.start().unwrap();
    db.sync_state().wait_for(|state| state.pending == 0).await.unwrap();
    let letters = db.dead_letters();
    let [letter] = &letters[..] else { panic!("{} dead letters", letters.len()) };
    let Failure::Abandoned { close_code, .. } = &letter.failure else { panic!("{letter:?}") };
    assert!(close_code.is_none_or(|code| code == TOO_LARGE), "{letter:?}");
    let mut titles = titles(&db);
    titles.sort();
    assert_eq!(titles, ["eggs", "milk"]);
}
