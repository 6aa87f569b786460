//! A store that lives as long as the program.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::{Store, StoreError, Write};

/// Keeps everything in memory: for tests, and for calls that only have to outlive a client. Clones share what they keep.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    records: Arc<Mutex<BTreeMap<Box<[u8]>, Bytes>>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A store of its own with what this one keeps now.
    pub fn copy(&self) -> Self {
        Self { records: Arc::new(Mutex::new(self.lock().clone())) }
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Returns `true` if there are no records.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Box<[u8]>, Bytes>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn load(&mut self, each: &mut dyn FnMut(&[u8], Bytes)) -> Result<(), StoreError> {
        self.lock().iter().for_each(|(key, value)| each(key, value.clone()));
        Ok(())
    }

    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let mut records = self.lock();
        for write in writes {
            match write {
                Write::Put { key, value } => drop(records.insert(key.clone(), value.clone())),
                Write::Delete { key } => drop(records.remove(key)),
            }
        }
        Ok(())
    }

    fn put_aside(&mut self) -> Result<Option<PathBuf>, StoreError> {
        self.lock().clear();
        Ok(None)
    }
}
