//! Fate of calls that cannot be sent, or whose answer is lost.

use std::time::Duration;

use lightlike::calls::{Delivery, WhileDisconnected};
use lightlike::offline::{CallEnd, MemoryStore, OfflineConfig, Replay};
use lightlike::prelude::*;
use lightlike_tests::notes::{Note, add_note_once, rename_note};

use crate::rig::{Rig, next, ready, settled, start, title};

/// A call of each delivery, whose answers are lost: sent, run, and not answered.
async fn lose_answers(rig: &Rig, client: &Client) -> Uuid {
    rig.proxy.hold_replies(true);
    client.call(title("at most once")).forget();
    let id = client.new_idempotency_key();
    client.call(add_note_once(id, "exactly once".into())).idempotency_key(id).forget();
    let probe = "SELECT * FROM note WHERE title = 'probed'";
    client.call(title("probed")).probe(probe).forget();
    client.call(rename_note(1, "renamed".into())).forget();
    assert_eq!(rig.titles(4).await.len(), 4);
    let mut updates = rig.other.table::<Note>().updates();
    while rig.other.table::<Note>().get(&1).unwrap().title != "renamed" {
        updates.next().await.unwrap().unwrap();
    }
    id
}

const DELIVERED: [&str; 4] = ["renamed", "at most once", "exactly once", "probed"];

#[tokio::test]
async fn answers_lost_with_socket_follow_delivery() {
    let rig = Rig::new().await;
    rig.other.call(title("first")).await.unwrap();
    let client = rig.online(MemoryStore::new()).await;
    let mut outcomes = client.call_outcomes();
    let id = lose_answers(&rig, &client).await;
    rig.cut(&client).await;
    let unknown = next(&mut outcomes).await;
    assert!(matches!(unknown.end, CallEnd::Unknown), "{unknown:?}");
    rig.come_back(&client).await;
    for _ in 0..3 {
        let outcome = next(&mut outcomes).await;
        assert!(outcome.end.is_committed(), "{outcome:?}");
        if outcome.reducer == "add_note_once" {
            assert_eq!(outcome.id, Some(id));
        }
    }
    settled(&client).await;
    assert_eq!(rig.titles(4).await, DELIVERED);
}

#[tokio::test]
async fn answers_lost_with_program_follow_delivery() {
    let rig = Rig::new().await;
    rig.other.call(title("first")).await.unwrap();
    let store = MemoryStore::new();
    let first = rig.online(store.clone()).await;
    lose_answers(&rig, &first).await;
    // What is on the disk at this moment is what a program that is killed leaves.
    let left = store.copy();
    rig.proxy.close(true);
    rig.proxy.cut();
    first.disconnect().await;

    rig.proxy.hold_replies(false);
    rig.proxy.close(false);
    let second = rig.online(left).await;
    settled(&second).await;
    // The other client may hear of it later.
    let is_renamed = |row: &Option<Note>| row.as_ref().is_some_and(|row| row.title == "renamed");
    rig.other.table::<Note>().watch_row(1).wait_for(is_renamed).await.unwrap();
    assert_eq!(rig.titles(4).await, DELIVERED);
}

#[tokio::test]
async fn disconnected_call_fails_drops_or_waits() {
    let rig = Rig::new().await;
    let client = rig.online(MemoryStore::new()).await;
    rig.cut(&client).await;
    let fails = client.call(title("a")).while_disconnected(WhileDisconnected::Fail).await;
    assert!(matches!(fails, Err(CallError::NotSent(_))), "{fails:?}");
    let drops = client.call(title("b")).while_disconnected(WhileDisconnected::Drop).await;
    assert!(matches!(drops, Err(CallError::Dropped)), "{drops:?}");
    let waits = client.call(title("c")).send();
    rig.come_back(&client).await;
    waits.await.unwrap();
    assert_eq!(rig.titles(1).await, ["c"]);
}

#[tokio::test]
async fn unsent_call_expires_or_is_cancelled() {
    let rig = Rig::new().await;
    let client = rig.build(MemoryStore::new());
    client.start().unwrap();
    ready(&client).await;
    rig.cut(&client).await;
    let expires = client.call(title("late")).ttl(Duration::from_millis(20)).await;
    assert!(matches!(expires, Err(CallError::Expired)), "{expires:?}");
    let call = client.call(title("not this")).send();
    assert!(call.cancel());
    assert!(matches!(call.await, Err(CallError::Cancelled)));
    let id = client.new_idempotency_key();
    client.call(title("nor this")).idempotency_key(id).accepted().await.unwrap();
    assert!(client.cancel(id));
    client.call(title("this")).accepted().await.unwrap();
    rig.come_back(&client).await;
    settled(&client).await;
    assert_eq!(rig.titles(1).await, ["this"]);
}

#[tokio::test]
async fn dead_letter_stays_until_discarded_or_retried() {
    let (rig, store) = (Rig::new().await, MemoryStore::new());
    let client = rig.build(store.clone());
    client.call(title("")).accepted().await.unwrap();
    client.call(rename_note(1, "late".into())).accepted().await.unwrap();
    start(&client).await;
    let state = client.sync_state().wait_for(|state| state.failed == 2).await.unwrap();
    assert_eq!(state.pending, 0);
    client.disconnect().await;

    let client = rig.online(store).await;
    let letters = client.dead_letters();
    assert_eq!(letters.len(), 2);
    assert!(client.discard(letters[0].id));
    rig.other.call(title("early")).await.unwrap();
    let mut outcomes = client.call_outcomes();
    assert!(client.retry(letters[1].id));
    let outcome = next(&mut outcomes).await;
    assert_eq!((outcome.id, outcome.end.is_committed()), (Some(letters[1].id), true));
    settled(&client).await;
    assert!(client.dead_letters().is_empty());
}

#[tokio::test]
async fn application_may_drop_calls_before_replay() {
    let (rig, store) = (Rig::new().await, MemoryStore::new());
    let client = rig.build(store.clone());
    for text in ["old", "good"] {
        client.call(title(text)).accepted().await.unwrap();
    }
    client.disconnect().await;
    let veto = |call: &lightlike::offline::QueuedCall| match call.args.ends_with(b"old") {
        true => Replay::Drop,
        false => Replay::Send,
    };
    let client = rig.builder(store).before_replay(veto).build().unwrap();
    start(&client).await;
    settled(&client).await;
    assert_eq!(rig.titles(1).await, ["good"]);
    assert_eq!(client.dead_letters()[0].failure, lightlike::offline::Failure::Dropped);
}

#[tokio::test]
async fn a_queue_has_an_end() {
    let rig = Rig::new().await;
    let mut config = OfflineConfig::default();
    config.max_queued = 1;
    let client = rig.builder(MemoryStore::new()).offline_config(config).build().unwrap();
    client.call(title("a")).accepted().await.unwrap();
    let full = client.call(title("b")).accepted().await;
    assert!(matches!(full, Err(CallError::NotSent(_))), "{full:?}");
}

#[tokio::test]
async fn idempotent_call_is_resent_without_store() {
    let rig = Rig::new().await;
    rig.other.call(title("first")).await.unwrap();
    let client = Client::builder(rig.proxy.uri(), rig.target.name()).connect().await.unwrap();
    rig.proxy.hold_replies(true);
    let id = client.new_idempotency_key();
    let once = client.call(add_note_once(id, "once".into())).send();
    let named = client.call(title("named")).delivery(Delivery::AtMostOnce).send();
    rig.titles(3).await;
    rig.cut(&client).await;
    assert!(matches!(named.await, Err(CallError::Unknown)));
    rig.come_back(&client).await;
    once.await.unwrap();
    assert_eq!(rig.titles(3).await, ["first", "once", "named"]);
}
