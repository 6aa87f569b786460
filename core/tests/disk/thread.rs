//! The thread that writes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use lightlike_core::conn::{
    CallOptions, CallRequest, Config, Connection, Event, OfflineConfig, Storage, WhileDisconnected,
};
use lightlike_core::driver::{Shared, time_of_day};
use lightlike_core::journal::{MemoryStore, Saved, Store, StoreError, Write};

/// Result of the disk's next write.
#[derive(Clone, Copy)]
enum Next {
    Works,
    Fails,
    Panics,
}

/// A disk that waits for a word before each write, and says when it is let go.
struct Told {
    disk: MemoryStore,
    words: Receiver<Next>,
    gone: Sender<()>,
}

impl Store for Told {
    fn load(&mut self, each: &mut dyn FnMut(&[u8], bytes::Bytes)) -> Result<(), StoreError> {
        self.disk.load(each)
    }

    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        match self.words.recv() {
            Ok(Next::Works) | Err(_) => self.disk.commit(writes),
            Ok(Next::Fails) => Err(StoreError::new("write to", "the disk", "it is full")),
            Ok(Next::Panics) => panic!("a store of the application's own"),
        }
    }

    fn put_aside(&mut self) -> Result<Option<PathBuf>, StoreError> {
        self.disk.put_aside()
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.gone.send(());
    }
}

struct Rig {
    shared: Arc<Shared>,
    disk: MemoryStore,
    words: Sender<Next>,
    told: Receiver<()>,
    gone: Receiver<()>,
}

impl Rig {
    fn new() -> Self {
        let mut config = Config::default();
        config.while_disconnected = WhileDisconnected::Wait;
        let shared = Shared::new(Connection::new(config, None, 1));
        let disk = MemoryStore::new();
        let opened = Saved::load(&mut disk.clone()).unwrap().open("server", "database", None);
        let log = opened.log_length();
        shared.command(|connection, now| {
            let offline = OfflineConfig::default();
            connection.open_journal(now, time_of_day(), opened, offline, 7);
        });
        let (words, heard) = channel();
        let (tell, told) = channel();
        let (going, gone) = channel();
        let store = Told { disk: disk.clone(), words: heard, gone: going };
        let told_one = move || {
            let _ = tell.send(());
        };
        shared.start_disk(Box::new(store), log, told_one).unwrap();
        Self { shared, disk, words, told, gone }
    }

    fn call(&self) {
        self.shared.command(|connection, now| {
            let request = CallRequest::Reducer { name: "f".into(), args: bytes::Bytes::new() };
            let options = CallOptions { tell_accepted: true, ..CallOptions::default() };
            connection.call_with(now, request, options);
        });
    }

    /// Lets the disk make its next write, and waits until the machine knows.
    fn write(&self, next: Next) {
        self.words.send(next).unwrap();
        self.told.recv_timeout(Duration::from_secs(10)).unwrap();
    }

    fn events(&self) -> Vec<String> {
        let events = std::iter::from_fn(|| self.shared.undriven_event());
        let told = events.filter_map(|event| match event {
            Event::Accepted { call, accepted } => Some(format!("{} {accepted:?}", call.0)),
            _ => None,
        });
        told.collect()
    }

    fn storage(&self) -> Storage {
        self.shared.read(|connection| connection.sync_state().storage)
    }
}

#[test]
fn call_is_queued_once_on_disk() {
    let rig = Rig::new();
    rig.write(Next::Works);
    rig.call();
    assert_eq!(rig.events(), [""; 0]);
    rig.write(Next::Works);
    assert_eq!(rig.events(), ["0 Queued"]);
    assert_eq!(rig.disk.len(), 3, "the format, the scope, and the call");
}

#[test]
fn failing_or_panicking_disk_is_reported() {
    for (next, words) in [
        (Next::Fails, "cannot write to the disk: it is full"),
        (
            Next::Panics,
            "cannot write to the store: store panicked: a store of the application's own",
        ),
    ] {
        let rig = Rig::new();
        rig.write(Next::Works);
        rig.call();
        rig.write(next);
        assert_eq!(rig.events(), ["0 Waiting"]);
        assert_eq!(rig.storage(), Storage::Degraded(words.into()));
    }
}

#[tokio::test]
async fn closing_flushes_writes_and_releases_store() {
    let rig = Rig::new();
    rig.call();
    for _ in 0..10 {
        let _ = rig.words.send(Next::Works);
    }
    rig.shared.close_disk().await;
    rig.gone.try_recv().expect("the store is dropped by now");
    assert_eq!(rig.disk.len(), 3);
}

#[test]
fn the_thread_ends_with_the_client() {
    let Rig { shared, words, gone, .. } = Rig::new();
    words.send(Next::Works).unwrap();
    drop(shared);
    drop(words);
    gone.recv_timeout(Duration::from_secs(10)).unwrap();
}
