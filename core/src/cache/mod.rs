//! The client cache: rows once, in typed tables, behind a machine that knows no row type.
//!
//! One writer, the connection's machine, owns a [`Cache`] and applies what the server says, in steps: [`Cache::begin`],
//! then [`Cache::step`] until it says that the change is committed, or out of sync. Any number of readers take
//! [`View`]s: all tables at one version, which neither wait for the writer nor make it wait.
//!
//! How it holds together:
//!
//! - A row lives in a *slot*, decoded, once. Indexes, counts and changes have its id. A slot says from which version on
//!   and up to which version its row is seen; a view is a version and the shared part of each table.
//! - A change is *staged* (rows decoded into slots that nobody sees, indexed or linked at once), *settled* (what it comes to,
//!   netted by row and set), *committed* (slots stamped with the next version) and *published* (the next version
//!   becomes the current one): whole or not at all, over all tables.
//! - Which query sets hold a row, and how often, is the id of a shared list. A row leaves with the last of them.
//! - A row's versions are linked from the oldest, which the index has, to the newest. When nobody looks, the newest
//!   moves into the oldest one's slot.
//! - Rows that left stay while a view may see them. See [`Cache::reclaim`].
//!
//! Not here: what a set is on the wire, when to subscribe, who is told of changes.

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
pub use storage::slots::RowId;
#[doc(hidden)]
pub use table::any::Usage;
pub use transaction::change::{Change, Part, Step};
pub use transaction::diff::{Changes, Retained, RowChange, TableDiff, Transaction};
pub use writer::Cache;

use crate::schema::{Row, Table};

/// Names a table within its cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub u32);
