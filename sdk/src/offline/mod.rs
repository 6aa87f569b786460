//! Offline operation: rows and calls that are persisted in a store.
//!
//! A client with an [offline store](crate::ClientBuilder::offline) has the rows of its last run at once, and queues calls
//! while there is no connection. A call that failed for good is a [`DeadLetter`].

mod builder;
mod client;
mod hub;
mod outcome;

#[doc(inline)]
pub use lightlike_core::conn::{OfflineConfig, Overflow, Replay, Storage, SyncState};
#[cfg(feature = "redb")]
#[doc(inline)]
pub use lightlike_core::driver::RedbStore;
#[doc(inline)]
pub use lightlike_core::driver::{Coded, FileStore, RecordCodec};
#[doc(inline)]
pub use lightlike_core::journal::{
    DeadLetter, Failure, Held, LoadError, Loss, MemoryStore, QueuedCall, QueuedState, Store,
    StoreError, StoreErrorKind, Write,
};

pub use self::outcome::{CallEnd, CallOutcome};

pub(crate) use self::builder::Offline;
pub(crate) use self::hub::{AcceptedSender, OfflineHub};
