//! In-memory MVCC store of the client's rows: one writer, snapshot readers.
//!
//! The writer, the connection's machine, owns a [`Cache`] and applies what the server sends, in steps: [`Cache::begin`],
//! then [`Cache::step`] until it returns that the change is committed, or out of sync. Any number of readers take
//! [`View`]s: all tables at one version, which neither wait for the writer nor make it wait.
//!
//! How it holds together:
//!
//! - A row lives in a *slot*, decoded, once (`storage`). Indexes (`index`), reference counts by query set
//!   (`membership`) and changes have its id. A slot says from which version on and up to which version its row is seen; a
//!   view is a version and the shared part of each table (`read`).
//! - A change is *staged* (rows decoded into slots that no view sees, indexed or linked at once), *netted* (by row and set),
//!   *committed* (slots stamped with the next version) and *published* (the next version becomes the current one): whole or
//!   not at all, over all tables (`transaction`; in one table, its write set).
//! - Which query sets hold a row, and how often, is the id of a shared list. A row is deleted with the last of them.
//! - A row's versions are linked from the oldest, which the index has, to the newest. When no view is held, the newest
//!   is compacted: it moves into the oldest one's slot.
//! - Deleted rows stay, as tombstones, while a view may see them. See [`Cache::reclaim`].
//! - What pending calls are expected to write lies over the rows (`optimistic`).
//!
//! A `table` combines storage, indexes, membership, write set and overlay, each of which owns its part alone; [`Cache`]
//! combines the tables, the versions and the states of query sets.
//!
//! Not here: what a set is on the wire, when to subscribe, who is notified of changes.

mod compare;
mod config;
mod error;
mod freezing;
mod held;
mod index;
mod membership;
mod optimistic;
mod query_sets;
mod read;
mod register;
mod registration;
mod reset;
mod storage;
mod table;
mod tables;
mod transaction;
mod writer;

pub use compare::Drift;
pub use config::CacheConfig;
pub use error::{OutOfSync, OutOfSyncKind, RegisterError, RowMismatch, SetFailure};
pub use held::Held;
pub use membership::sets::SetId;
pub use optimistic::{
    AnyId, IdKind, LocalTable, LocalTableMut, LocalTx, Mutated, Mutation, MutationError,
    MutationId, NewIds, RowStatus, TempId, is_mutating,
};
pub use read::epoch::{CacheReader, View};
pub use read::view::{Rows, TableView, UntypedTable};
pub use register::Registered;
pub use storage::row_id::RowId;
#[doc(hidden)]
pub use table::any::Usage;
pub use transaction::change::{Change, Part, Step};
pub use transaction::diff::{Changes, Retained, RowChange, TableDiff, Transaction};
pub use writer::Cache;

use crate::schema::{Row, Table};

/// Names a table within its cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub u32);
