//! Stores that fail, that survive, and that several users share.

use lightlike::calls::Accepted;
use lightlike::offline::{
    Failure, FileStore, MemoryStore, RedbStore, Storage, Store, StoreError, Write,
};
use lightlike::prelude::*;
use lightlike_tests::notes::Note;

use crate::rig::{Rig, next, settled, start, title, titles};

/// A disk that fails after so many writes.
struct Failing(MemoryStore, usize);

impl Store for Failing {
    fn load(&mut self, each: &mut dyn FnMut(&[u8], bytes::Bytes)) -> Result<(), StoreError> {
        self.0.load(each)
    }

    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        match self.1.checked_sub(1) {
            Some(left) => self.1 = left,
            None => return Err(StoreError::new("write to", "the disk", "it is full")),
        }
        self.0.commit(writes)
    }

    fn put_aside(&mut self) -> Result<Option<std::path::PathBuf>, StoreError> {
        self.0.put_aside()
    }
}

#[tokio::test]
async fn failing_disk_is_reported_and_calls_continue() {
    let rig = Rig::new().await;
    let client = rig.build(Failing(MemoryStore::new(), 0));
    let state = client.sync_state().wait_for(|state| state.storage != Storage::Good).await.unwrap();
    assert_eq!(state.storage, Storage::Degraded("cannot write to the disk: it is full".into()));
    let accepted = client.call(title("early")).accepted().await.unwrap();
    assert_eq!(accepted, Accepted::Waiting, "it is not on the disk, and nobody says so");
    start(&client).await;
    client.call(title("online")).await.unwrap();
    assert_eq!(rig.titles(2).await, ["early", "online"]);
}

#[tokio::test]
async fn file_and_redb_stores_survive_restarts() {
    let folder = tempfile::tempdir().unwrap();
    for which in 0..2 {
        let rig = Rig::new().await;
        let path = folder.path().join(which.to_string());
        let build = || match which {
            0 => rig.build(FileStore::open(&path).unwrap()),
            _ => rig.build(RedbStore::open(&path).unwrap()),
        };
        let client = build();
        client.call(title("kept")).accepted().await.unwrap();
        client.disconnect().await;
        let client = build();
        start(&client).await;
        settled(&client).await;
        client.subscribe(Note::all()).await.unwrap().keep();
        client.disconnect().await;
        let client = build();
        assert_eq!((client.queued_calls().len(), titles(&client)), (0, vec!["kept".into()]));
        client.disconnect().await;
    }
}

/// Keeps three calls, closes the client, and damages the bytes of one on disk.
async fn damage(client: Client, path: &std::path::Path) {
    for text in ["one", "twos", "three"] {
        client.call(title(text)).accepted().await.unwrap();
    }
    client.disconnect().await;
    drop(client);
    let mut bytes = std::fs::read(path).unwrap();
    let places = bytes.windows(4).enumerate().filter(|(_, bytes)| bytes == b"twos");
    let places: Vec<usize> = places.map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| bytes[at] ^= 1);
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn damaged_file_keeps_its_other_calls_and_is_reported() {
    let (rig, folder) = (Rig::new().await, tempfile::tempdir().unwrap());
    let path = folder.path().join("store");
    let client = rig.build(FileStore::open(&path).unwrap());
    damage(client, &path).await;

    let client = rig.build(FileStore::open(&path).unwrap());
    let aside = client.sync_state().get().put_aside.expect("the damaged file is kept");
    assert_eq!(aside, folder.path().join("store.damaged-1"));
    start(&client).await;
    settled(&client).await;
    assert_eq!(rig.titles(2).await, ["one", "three"]);
    assert!(client.dead_letters().is_empty());
    client.disconnect().await;
}

/// Which of its writes a damaged database has lost is not known, so any call may have been sent, as any user's.
#[tokio::test]
async fn damaged_database_keeps_its_other_calls_as_dead_letters() {
    let (rig, folder) = (Rig::new().await, tempfile::tempdir().unwrap());
    let path = folder.path().join("store");
    let client = rig.build(RedbStore::open(&path).unwrap());
    damage(client, &path).await;

    let client = rig.build(RedbStore::open(&path).unwrap());
    assert!(client.sync_state().get().put_aside.is_some());
    start(&client).await;
    let letters = client.dead_letters();
    assert_eq!(letters.len(), 2);
    assert!(letters.iter().all(|letter| letter.failure == Failure::Unknown));
    assert!(client.retry(letters[0].id));
    settled(&client).await;
    assert_eq!(rig.titles(1).await, ["one"]);
    client.disconnect().await;
}

#[tokio::test]
async fn another_users_calls_wait_for_that_user() {
    let (rig, store) = (Rig::new().await, MemoryStore::new());
    let ada = rig.online(store.clone()).await;
    let token = ada.token().unwrap();
    rig.cut(&ada).await;
    ada.call(title("ada's")).accepted().await.unwrap();
    ada.disconnect().await;
    rig.proxy.close(false);

    let grace = rig.target.connect().await.token().unwrap();
    let client = rig.builder(store.clone()).token(&grace).build().unwrap();
    assert!(client.queued_calls().is_empty());
    start(&client).await;
    client.call(title("grace's")).await.unwrap();
    client.disconnect().await;

    let client = rig.builder(store).token(&token).build().unwrap();
    assert_eq!(client.queued_calls().len(), 1);
    start(&client).await;
    settled(&client).await;
    assert_eq!(rig.titles(2).await, ["grace's", "ada's"]);
}

/// The store knows who a token is only when the server has said so.
#[tokio::test]
async fn persisted_calls_follow_their_user() {
    let (rig, store) = (Rig::new().await, MemoryStore::new());
    let first = rig.online(store.clone()).await;
    let token = first.token().unwrap();
    rig.cut(&first).await;
    first.call(title("kept")).accepted().await.unwrap();
    first.disconnect().await;
    rig.proxy.close(false);

    let http = lightlike::http::Http::new(&rig.target.uri()).unwrap().with_token(&token);
    let renewed = http.websocket_token().await.unwrap();
    let second = rig.builder(store).token(&renewed).build().unwrap();
    let mut outcomes = second.call_outcomes();
    assert!(second.queued_calls().is_empty());
    start(&second).await;
    let outcome = next(&mut outcomes).await;
    assert!(outcome.restored && outcome.end.is_committed(), "{outcome:?}");
    assert_eq!(rig.titles(1).await, ["kept"]);
}
