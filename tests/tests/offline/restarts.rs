//! State that the next run of a program finds.

use std::time::Duration;

use lightlike::calls::Accepted;
use lightlike::offline::{FileStore, MemoryStore, OfflineConfig, Store as _};
use lightlike::prelude::*;
use lightlike_tests::notes::{AddNote, DeleteNote, Note, RenameNote, delete_note, rename_note};

use crate::rig::{Rig, next, settled, start, title, titles};

#[tokio::test]
async fn persisted_rows_precede_network_then_difference_follows() {
    let (rig, store) = (Rig::new().await, MemoryStore::new());
    rig.other.call(title("milk")).await.unwrap();
    let first = rig.online(store.clone()).await;
    first.subscribe(Note::all()).await.unwrap().keep();
    let identity = first.identity();
    first.disconnect().await;

    rig.other.call(title("eggs")).await.unwrap();
    let second = rig.build(store);
    assert_eq!(titles(&second), ["milk"]);
    assert!(second.read().is_stale());
    let notes = second.subscribe(Note::all());
    let mut transactions = second.transactions();
    start(&second).await;
    notes.applied().await.unwrap();
    assert_eq!(titles(&second), ["milk", "eggs"]);
    let changes = transactions.next().await.unwrap().unwrap();
    assert_eq!((changes.cause(), changes.of::<Note>().count()), (&Cause::Resync, 1));
    assert_eq!(second.identity(), identity, "the store has the token");
}

#[tokio::test]
async fn offline_calls_are_delivered_in_order_next_run() {
    let (rig, store) = (Rig::new().await, MemoryStore::new());
    let first = rig.build(store.clone());
    for text in ["one", "two", "three"] {
        assert_eq!(first.call(title(text)).accepted().await.unwrap(), Accepted::Queued);
    }
    assert_eq!(first.sync_state().get().pending, 3);
    first.disconnect().await;
    drop(first);

    let second = rig.build(store);
    assert_eq!(second.queued_calls().len(), 3);
    let mut outcomes = second.call_outcomes();
    start(&second).await;
    assert_eq!(rig.titles(3).await, ["one", "two", "three"]);
    for _ in 0..3 {
        let outcome = next(&mut outcomes).await;
        assert!(outcome.restored && outcome.end.is_committed(), "{outcome:?}");
        assert_eq!(outcome.reducer.as_str(), "add_note");
    }
    assert_eq!(settled(&second).await.failed, 0);
}

#[tokio::test]
async fn persisted_prediction_is_visible_next_run() {
    let (rig, store) = (Rig::new().await, MemoryStore::new());
    let build = |store: MemoryStore| {
        let builder = rig.builder(store).mutator(|tx, call: &AddNote| {
            let id = tx.temp_id();
            tx.insert(Note { id, title: call.title.clone() });
        });
        builder.build().unwrap()
    };
    let first = build(store.clone());
    assert_eq!(first.call(title("milk")).accepted().await.unwrap(), Accepted::Queued);
    assert_eq!(titles(&first), ["milk"]);
    first.disconnect().await;
    drop(first);

    let second = build(store);
    let expected = second.table::<Note>().iter().next().expect("it is there before any network");
    assert!(expected.id.is_temp_id());
    assert!(matches!(second.table::<Note>().status(&expected), Some(RowStatus::Pending(_))));
    second.subscribe(Note::all()).keep();
    start(&second).await;
    settled(&second).await;
    assert_eq!(titles(&second), ["milk"]);
    assert!(second.table::<Note>().iter().all(|note| !note.id.is_temp_id()));
}

/// Notes can be renamed, and renamed again, before the server has given them ids, without a network and over a restart.
#[tokio::test]
async fn kept_calls_name_rows_that_the_server_does_not_know() {
    let (rig, store) = (Rig::new().await, MemoryStore::new());
    let build = |store: MemoryStore| {
        let builder = rig.builder(store).mutator(|tx, call: &AddNote| {
            let id = tx.temp_id();
            tx.insert(Note { id, title: call.title.clone() });
        });
        let builder = builder.mutator(|tx, call: &RenameNote| {
            tx.update(Note { id: call.id, title: call.title.clone() });
        });
        builder.build().unwrap()
    };
    let first = build(store.clone());
    for text in ["milk", "bread"] {
        first.call(title(text)).accepted().await.unwrap();
    }
    let notes: Vec<Note> = first.table::<Note>().iter().collect();
    let milk = notes.iter().find(|note| note.title == "milk").unwrap();
    first.call(rename_note(milk.id, "oat milk".into())).accepted().await.unwrap();
    assert_eq!(titles(&first), ["oat milk", "bread"]);
    first.disconnect().await;
    drop(first);

    let second = build(store.clone());
    assert_eq!(titles(&second), ["oat milk", "bread"]);
    let again = rename_note(milk.id, "soy milk".into());
    second.call(again).accepted().await.unwrap();
    second.subscribe(Note::all()).keep();
    let mut outcomes = second.call_outcomes();
    start(&second).await;
    for _ in 0..4 {
        let outcome = next(&mut outcomes).await;
        assert!(outcome.end.is_committed(), "{outcome:?}");
    }
    assert_eq!(settled(&second).await.failed, 0);
    assert_eq!(titles(&second), ["soy milk", "bread"]);
    // What the other client hears of comes later than the answers.
    let is_soy = |view: &View| view.table::<Note>().iter().any(|note| note.title == "soy milk");
    rig.other.wait_until(is_soy).await.unwrap();
    assert_eq!(titles(&rig.other), ["soy milk", "bread"]);
    assert!(second.table::<Note>().iter().all(|note| !note.id.is_temp_id()));
}

/// Notes that are deleted before the server has given them ids stay deleted: over restarts, and when it answers.
#[tokio::test]
async fn rows_deleted_before_their_answer_stay_deleted() {
    let (rig, store) = (Rig::new().await, MemoryStore::new());
    let build = |store: MemoryStore| {
        let builder = rig.builder(store).mutator(|tx, call: &AddNote| {
            let id = tx.temp_id();
            tx.insert(Note { id, title: call.title.clone() });
        });
        let builder = builder.mutator(|tx, call: &DeleteNote| {
            tx.delete_by(Note::ID, &call.id);
        });
        builder.build().unwrap()
    };
    let id_of = |db: &Client, title: &str| {
        db.table::<Note>().iter().find(|note| note.title == title).unwrap().id
    };
    let first = build(store.clone());
    for text in ["milk", "bread", "eggs"] {
        first.call(title(text)).accepted().await.unwrap();
    }
    let (milk, eggs) = (id_of(&first, "milk"), id_of(&first, "eggs"));
    first.call(delete_note(milk)).accepted().await.unwrap();
    assert_eq!(titles(&first), ["bread", "eggs"]);
    first.disconnect().await;
    drop(first);

    let second = build(store.clone());
    assert_eq!(titles(&second), ["bread", "eggs"], "it is deleted in the next run, too");
    assert_eq!(id_of(&second, "eggs"), eggs, "and the others have the same ids");
    // Online, and not answered yet.
    rig.proxy.hold_replies(true);
    second.subscribe(Note::all()).keep();
    second.start().unwrap();
    second.call(delete_note(eggs)).accepted().await.unwrap();
    assert_eq!(titles(&second), ["bread"]);
    let mut seen = second.table::<Note>().inserts();
    let mut outcomes = second.call_outcomes();
    rig.proxy.hold_replies(false);
    for _ in 0..5 {
        let outcome = next(&mut outcomes).await;
        assert!(outcome.end.is_committed(), "{outcome:?}");
    }
    assert_eq!(settled(&second).await.failed, 0);
    assert_eq!(titles(&second), ["bread"]);
    second.disconnect().await;
    while let Some(Ok(Inserted { row, .. })) = seen.next().await {
        assert_eq!(row.title, "bread", "a deleted row came back");
    }
    // The server did insert them, and delete them.
    let is_bread = |note: &Note| note.title == "bread";
    let only_bread = rig.other.wait_until(|view| {
        let notes = view.table::<Note>();
        notes.len() == 1 && notes.iter().all(is_bread)
    });
    only_bread.await.unwrap();
    assert_eq!(titles(&rig.other), ["bread"]);
}

/// Bytes that a store has.
fn stored(store: &MemoryStore) -> usize {
    let mut bytes = 0;
    store.clone().load(&mut |key, value| bytes += key.len() + value.len()).unwrap();
    bytes
}

/// Each run asks for other rows, and writes less than what a store is compacted for.
#[tokio::test]
async fn short_runs_keep_stores_small() {
    let (rig, memory) = (Rig::new().await, MemoryStore::new());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.journal");
    for _ in 0..30 {
        rig.other.call(title(&"x".repeat(10_000))).await.unwrap();
    }
    let mut config = OfflineConfig::default();
    config.unclaimed_after = Duration::ZERO;
    for run in 0..60_u64 {
        let query = || Note::filter(Note::ID.lt(1_000_000 + run));
        let builder = match run % 2 {
            0 => rig.builder(memory.clone()),
            _ => rig.builder(FileStore::open(&path).unwrap()),
        };
        let client = builder.offline_config(config.clone()).build().unwrap();
        start(&client).await;
        client.subscribe(query()).await.unwrap().keep();
        client.disconnect().await;
    }
    assert!(stored(&memory) < 6 << 20, "{} bytes", stored(&memory));
    let file = std::fs::metadata(&path).unwrap().len();
    assert!(file < 7 << 20, "{file} bytes");
}
