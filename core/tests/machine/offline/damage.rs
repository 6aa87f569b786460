//! Stores that lost some of what was written to them: what is still done, and what is not.

use std::path::PathBuf;

use bytes::Bytes;
use lightlike_core::journal::Delivery::{AtLeastOnce, AtMostOnce, Probe};
use lightlike_core::journal::{Failure, Loss, MemoryStore, Store, StoreError, Write};

use super::Offline;

/// A store that lost later writes of some records.
struct Lossy {
    disk: MemoryStore,
    loss: Loss,
}

impl Store for Lossy {
    fn load(&mut self, each: &mut dyn FnMut(&[u8], Bytes)) -> Result<(), StoreError> {
        self.disk.load(each)
    }

    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        self.disk.commit(writes)
    }

    fn put_aside(&mut self) -> Result<Option<PathBuf>, StoreError> {
        self.disk.put_aside()
    }

    fn loss(&self) -> Loss {
        self.loss.clone()
    }
}

/// The program is started again by a store that lost the last write of keys of these kinds.
fn restart_without(offline: Offline, kinds: &[u8]) -> Offline {
    let mut loss = Loss::default();
    let mut disk = offline.disk.copy();
    let mut see = |key: &[u8], _| {
        if kinds.contains(&key[0]) {
            loss.keys.insert(key.into());
        }
    };
    disk.load(&mut see).unwrap();
    offline.restart_with(&mut Lossy { disk, loss })
}

/// Calls of every kind that were made without a connection, and are on disk as not sent.
fn with_queued_calls() -> Offline {
    let mut offline = Offline::new();
    let _ = offline.connect();
    offline.lose();
    offline.call("once", AtMostOnce);
    offline.call("again", AtLeastOnce);
    offline.call("asked", Probe("SELECT 1".into()));
    offline.store();
    offline
}

#[test]
fn doubtful_calls_are_sent_only_if_repeatable() {
    let mut offline = restart_without(with_queued_calls(), b"c");
    assert_eq!(offline.restored.len(), 3);
    assert_eq!(offline.told(), ["call 0: Unknown"]);
    offline.store();
    // What follows is on disk: a run that is killed now does not send it either.
    let mut offline = offline.restart();
    let letters = offline.connection().dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!((&*letters[0].reducer, &letters[0].failure), ("once", &Failure::Unknown));
    let _ = offline.connect();
    assert_eq!(offline.called(), ["again", "probe: SELECT 1"]);
}

#[test]
fn calls_without_doubt_are_sent_beside_a_loss() {
    let mut offline = restart_without(with_queued_calls(), b"rqt");
    let _ = offline.connect();
    assert_eq!(offline.called(), ["once", "again", "asked"]);
}

#[test]
fn calls_of_possibly_identified_scope_are_not_sent() {
    let mut offline = Offline::new();
    offline.call("early", AtLeastOnce);
    offline.store();
    let mut offline = restart_without(offline, b"s");
    assert!(offline.restored.is_empty());
    let _ = offline.connect();
    assert_eq!(offline.called(), [""; 0]);
    let letters = offline.connection().dead_letters();
    assert_eq!(letters.len(), 1);
    let id = letters[0].id;
    assert!(offline.connection().retry_dead_letter(id).is_some());
    offline.store();
    assert_eq!(offline.called(), ["early"]);
}

#[test]
fn calls_of_lost_scope_become_dead_letters() {
    let offline = with_queued_calls();
    let mut disk = offline.disk.copy();
    let mut scope = Vec::new();
    disk.load(&mut |key, _| scope.extend((key[0] == b's').then(|| Box::from(key)))).unwrap();
    let mut loss = Loss::default();
    for key in scope {
        disk.commit(&[Write::Delete { key: Box::clone(&key) }]).unwrap();
        loss.keys.insert(key);
    }
    let mut offline = offline.restart_with(&mut Lossy { disk, loss });
    offline.store();
    let _ = offline.connect();
    assert_eq!(offline.called(), [""; 0], "nobody knows whose they are");
    assert_eq!(offline.restart().connection().dead_letters().len(), 3);
}

#[test]
fn rows_of_incomplete_log_are_dropped() {
    for kind in [b"r", b"q", b"t"] {
        let offline = super::rows::with_typed_rows();
        assert_eq!(offline.rig.rows().len(), 1);
        let mut offline = restart_without(offline, kind);
        assert!(offline.rig.rows().is_empty());
        offline.store();
        let mut offline = offline.restart();
        assert!(offline.rig.rows().is_empty());
        let _ = offline.connect();
    }
}

#[test]
fn unknown_loss_drops_rows_of_every_database() {
    let offline = super::rows::with_typed_rows();
    let mut loss = Loss::default();
    loss.unnamed = true;
    let disk = offline.disk.copy();
    let mut offline = offline.restart_with(&mut Lossy { disk, loss });
    assert!(offline.rig.rows().is_empty());
    offline.store();
    assert!(offline.restart().rig.rows().is_empty());
}
