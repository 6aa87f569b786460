//! Calls and rows that outlive the program: what is written of them, and what comes back. Pure: a [`Store`] does the
//! writing, on a thread of its own.
//!
//! What is kept is a list of records, each under a key, that are put and deleted in batches; a batch is kept whole or
//! not at all. So a call leaves the queue in the batch that brings the rows which it caused, and no crash can part them.
//!
//! | record | key | what |
//! | --- | --- | --- |
//! | format | `f` | the number of this format |
//! | scope | `s`, scope | one (server, database, identity), and the token that stands for it |
//! | entry | `c`, number | one call: queued, sent, held, or a dead letter |
//! | set | `q`, scope, set | the queries of a query set whose rows are kept |
//! | table | `t`, scope, name | the fingerprint of a table's rows |
//! | rows | `r`, scope, number | what one transaction said about rows, as the server said it |
//!
//! Rows are a log of what the server said, so that writing costs what changed and not what there is; when the log is
//! much longer than what it comes to, it is [folded](fold).

mod batch;
mod entry;
pub mod fold;
mod format;
mod loss;
mod memory;
mod saved;
mod store;

pub use self::batch::{Batch, KeptPart, Op};
pub use self::entry::{DeadLetter, Delivery, Entry, Failure, Held, QueuedCall, QueuedState};
pub(crate) use self::entry::{EntryState, wall_after};
pub use self::memory::MemoryStore;
pub(crate) use self::saved::Elsewhere;
pub use self::saved::{LoadError, LoadedSet, LogLength, Opened, Saved, Scope, SetRecord};
pub use self::store::{Loss, Store, StoreError, StoreErrorKind, Write};
