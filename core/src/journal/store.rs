//! What a place to keep things in must be able to do.

use std::path::PathBuf;

use bytes::Bytes;

/// A place that keeps records: bytes under a key, of a few dozen bytes. It knows nothing of what they mean.
///
/// Its methods block; a client calls them on a thread of their own, one at a time. It is dropped there too, after
/// everything that was asked for is written.
pub trait Store: Send + 'static {
    /// Shows every record, in no particular order.
    ///
    /// What is damaged is not shown in part: the store puts all of it aside, as [`put_aside`](Self::put_aside) does, and
    /// is empty.
    ///
    /// # Errors
    ///
    /// Whatever the store's own are.
    fn load(&mut self, each: &mut dyn FnMut(&[u8], Bytes)) -> Result<(), StoreError>;

    /// Makes these writes, in their order: all of them or, on an error, none. They are durable when this returns.
    ///
    /// # Errors
    ///
    /// Whatever the store's own are. The client asks for no more writes then, and goes on without it.
    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError>;

    /// Gives back the space of what was deleted and replaced. Called when there is nothing else to do.
    ///
    /// # Errors
    ///
    /// Whatever the store's own are.
    fn compact(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Moves everything out of the way, for somebody to look at, and is empty from then on: it was found to make no
    /// sense. Says where it is, if it is anywhere.
    ///
    /// # Errors
    ///
    /// Whatever the store's own are.
    fn put_aside(&mut self) -> Result<Option<PathBuf>, StoreError>;

    /// Where what was damaged was put, if the store found damage by itself.
    fn damaged(&self) -> Option<PathBuf> {
        None
    }
}

/// One change of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// This is under that key from now on.
    Put {
        /// The key.
        key: Box<[u8]>,
        /// The record.
        value: Bytes,
    },
    /// Nothing is under that key any more.
    Delete {
        /// The key.
        key: Box<[u8]>,
    },
}

impl Write {
    /// The key that it is about.
    pub fn key(&self) -> &[u8] {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }
}

/// A store failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {place}")]
pub struct StoreError {
    verb: &'static str,
    place: Box<str>,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl StoreError {
    /// What could not be done (`"write to"`), where, and why.
    pub fn new(
        verb: &'static str,
        place: impl Into<Box<str>>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { verb, place: place.into(), source: source.into() }
    }
}
