//! Interface of stores.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use bytes::Bytes;

use crate::whole::Whole;

/// A place that keeps records: bytes under a key, of a few dozen bytes. It knows nothing of what they mean.
///
/// Its methods block; a client calls them on a thread of their own, one at a time. It is dropped there too, after
/// everything that was asked for is written.
pub trait Store: Send + 'static {
    /// Shows every record, in no particular order.
    ///
    /// A record that is damaged is not shown: the store keeps the damaged whole where [`damaged`](Self::damaged) says, and
    /// goes on with what is left. [`loss`](Self::loss) says of which keys it may have lost the last write.
    ///
    /// # Errors
    ///
    /// Whatever the store's own are.
    fn load(&mut self, each: &mut dyn FnMut(&[u8], Bytes)) -> Result<(), StoreError>;

    /// Makes these writes, in their order: all of them or, on an error, none. They are durable when this returns.
    ///
    /// The first commit after a [`load`](Self::load) acknowledges the [loss](Self::loss) that was there then: it brings
    /// what follows from it, and no later load has to tell of it again.
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

    /// Path to which damaged contents were moved, if the store found damage by itself.
    fn damaged(&self) -> Option<PathBuf> {
        None
    }

    /// Writes that were committed and are lost by damage, unless a commit has acknowledged that. Asked for after a
    /// [`load`](Self::load).
    fn loss(&self) -> Loss {
        Loss::default()
    }
}

/// Writes that a damaged store has lost, as far as it can tell.
///
/// A store that has lost the last write of a key may show an older record of it, or one that was deleted since. What
/// follows from that is for the reader to say: a call that is kept as not sent may have been sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loss {
    /// Keys of which the last write is lost, or may be. What is shown of them is older; nothing may be.
    pub keys: BTreeSet<Box<[u8]>>,
    /// Whether writes are lost of which nobody knows the keys: then records of any key may be missing too.
    pub unnamed: bool,
}

impl Loss {
    /// Returns `true` if nothing is lost.
    pub fn is_none(&self) -> bool {
        self.keys.is_empty() && !self.unnamed
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.keys.len(), self.unnamed) {
            (0, false) => f.write_str("no write is lost"),
            (keys, false) => write!(f, "the last writes of {keys} keys are lost, or may be"),
            (keys, true) => write!(
                f,
                "the last writes of {keys} keys are lost, or may be, and writes of unknown keys"
            ),
        }
    }
}

/// One change of a record.
#[derive(Clone, PartialEq, Eq)]
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

/// Without what is in the record: there may be a token in it, and there are arguments and rows.
impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { key, value } => {
                let value = format_args!("{} bytes", value.len());
                f.debug_struct("Put").field("key", key).field("value", &value).finish()
            }
            Self::Delete { key } => f.debug_struct("Delete").field("key", key).finish(),
        }
    }
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
#[error("cannot {verb} {place}{kind}{}", behind(*.kind, &**.source))]
pub struct StoreError {
    verb: &'static str,
    place: Box<str>,
    kind: StoreErrorKind,
    r#source: Box<dyn std::error::Error + Send + Sync>,
}

/// What is known of why a store failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Another client, of this or another program, has it open.
    InUse,
    /// The file was deleted or replaced while it was open, so nothing that was written to it would be found again.
    Gone,
    /// It is a file of something else, and stays as it is.
    Foreign,
    /// What was read is not what was written.
    Damaged,
    /// Anything else: the [cause](StoreError::cause) says what.
    #[default]
    Other,
}

impl fmt::Display for StoreErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InUse => {
                ": another client has it open; close that one, or give each client a store of its own"
            }
            Self::Gone => {
                ": the file was deleted or replaced while it was open; open a store again to go on"
            }
            Self::Foreign => {
                ": the file is not a store of this library, and stays as it is; choose another path"
            }
            Self::Damaged => ": what was read is not what was written",
            Self::Other => "",
        })
    }
}

/// The cause, where the kind does not say it.
fn behind(kind: StoreErrorKind, cause: &(dyn std::error::Error + 'static)) -> String {
    let cause = Whole(cause).to_string();
    match kind {
        _ if cause.is_empty() => cause,
        StoreErrorKind::Other => format!(": {cause}"),
        _ => format!(" ({cause})"),
    }
}

impl StoreError {
    /// Makes an error from the operation (`"write to"`), its place, and its cause.
    pub fn new(
        verb: &'static str,
        place: impl Into<Box<str>>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let kind = StoreErrorKind::Other;
        Self { verb, place: place.into(), kind, source: source.into() }
    }

    /// The same error, of which more is known.
    #[must_use]
    pub fn of_kind(self, kind: StoreErrorKind) -> Self {
        Self { kind, ..self }
    }

    /// What the file system, or the store's library, said. Its text is in this error's own.
    pub fn cause(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        &*self.source
    }

    /// What is known of why it failed.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}
