//! A store behind a codec: for encryption.

use std::path::PathBuf;

use bytes::Bytes;

use super::BoxError;
use crate::journal::{Loss, Store, StoreError, Write};

/// Turns records into what is kept of them, and back: encryption, or compression.
pub trait RecordCodec: Send + 'static {
    /// Encodes a record for the store. The key it is under is kept as it is: bind the record to it, if it must not be
    /// moved.
    ///
    /// # Errors
    ///
    /// The codec's own: nothing of the batch is written then.
    fn encode(&self, key: &[u8], record: &[u8]) -> Result<Vec<u8>, BoxError>;

    /// The record of what was kept.
    ///
    /// # Errors
    ///
    /// The codec's own, such as another secret: the store cannot be used then, and stays as it is.
    fn decode(&self, key: &[u8], kept: &[u8]) -> Result<Vec<u8>, BoxError>;
}

/// A [`Store`] in which records lie as a [`RecordCodec`] makes them. Keys have the kinds and numbers of records, and the
/// names of tables; all else is in the records.
#[derive(Debug)]
pub struct Coded<S, C> {
    store: S,
    codec: C,
}

impl<S: Store, C: RecordCodec> Coded<S, C> {
    /// Puts `codec` in front of `store`.
    pub fn new(store: S, codec: C) -> Self {
        Self { store, codec }
    }
}

impl<S: Store, C: RecordCodec> Store for Coded<S, C> {
    fn load(&mut self, each: &mut dyn FnMut(&[u8], Bytes)) -> Result<(), StoreError> {
        let mut failed = None;
        self.store.load(&mut |key, kept| match self.codec.decode(key, &kept) {
            Ok(record) => each(key, record.into()),
            Err(error) => failed = failed.take().or(Some(error)),
        })?;
        match failed {
            None => Ok(()),
            Some(error) => Err(StoreError::new("decode", "a record of the store", error)),
        }
    }

    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let coded: Result<Vec<Write>, BoxError> = (writes.iter().cloned())
            .map(|write| match write {
                Write::Put { key, value } => {
                    let value = self.codec.encode(&key, &value)?.into();
                    Ok(Write::Put { key, value })
                }
                delete @ Write::Delete { .. } => Ok(delete),
            })
            .collect();
        let coded = coded.map_err(|error| StoreError::new("encode", "a record", error))?;
        self.store.commit(&coded)
    }

    fn compact(&mut self) -> Result<(), StoreError> {
        self.store.compact()
    }

    fn put_aside(&mut self) -> Result<Option<PathBuf>, StoreError> {
        self.store.put_aside()
    }

    fn damaged(&self) -> Option<PathBuf> {
        self.store.damaged()
    }

    fn loss(&self) -> Loss {
        self.store.loss()
    }
}
