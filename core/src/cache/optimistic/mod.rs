//! Optimistic rows: what pending mutations make of the server's rows.
//!
//! What readers see is the server's rows with every pending [`Mutation`] run over them, in order. A mutation is a
//! closure: it runs when it is added, and again when a change makes another row of one that it read, until it
//! [ends](super::Change::ends).
//!
//! Each row that mutations wrote is a stack of versions over the server's row, one for each mutation that wrote it. The
//! topmost is shown as an ordinary version in an ordinary slot, so reading costs nothing extra; the server's row is
//! *shadowed*: kept beside the table, encoded, with the sets that hold it. A change of the server's that is about
//! shadowed rows is made between *lifting* (these come back into slots, in a version that no reader has yet) and *rebasing* (those
//! mutations run again that read what has really changed, and what they wrote is shown), all with one version: readers
//! see the outcome as if all mutations had run again, and the transaction lists the difference between what was
//! seen before and what is seen now.
//!
//! Runs are bounded: a mutation runs once when it is added, and at most once for each change that makes another row of
//! one that it read. A change that confirms a mutation's row as it was expected runs none, whatever number of others wrote
//! that row.

mod footprint;
mod layer;
mod new_ids;
mod overlay;
mod pending;
mod rebase;
mod shadow;
mod temp_id;
mod tx;

pub(super) use self::footprint::Turn;
pub(super) use self::layer::{AnyLayer, KeyId};
pub(super) use self::new_ids::Handed;
pub(super) use self::overlay::Overlay;
pub(super) use self::pending::Mutations;
pub use self::pending::{Mutated, RowStatus};
pub(super) use self::rebase::Rebasing;
pub(super) use self::shadow::LOCAL;
pub use self::temp_id::{AnyId, IdKind, NewIds, TempId};
pub(super) use self::tx::Want;
pub use self::tx::local_table::{LocalTable, LocalTableMut};
pub use self::tx::{LocalTx, is_mutating};

/// Names a pending mutation. Its order among the others is the order of their adding, not of these numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MutationId(pub u64);

/// Predicted effect of a call on the rows.
///
/// It runs more than once, on whichever thread changes the cache, under its lock: it must be quick, must depend on
/// nothing but what it reads through the [`LocalTx`], and must not use the client. A panic is caught, and the mutation
/// then contributes nothing, until it runs without one.
pub trait Mutation: Send {
    /// Reads and writes rows.
    fn run(&self, tx: &mut LocalTx);

    /// Returns `true` if it names temporary ids of other mutations, which [may be replaced](Self::with_ids).
    fn names_ids(&self) -> bool {
        false
    }

    /// The same mutation, with the server's ids in the places of temporary ones that it names; none if it names none of
    /// these.
    fn with_ids(&self, _ids: &NewIds) -> Option<Box<dyn Mutation>> {
        None
    }
}

impl<F: Fn(&mut LocalTx) + Send> Mutation for F {
    fn run(&self, tx: &mut LocalTx) {
        self(tx);
    }
}

/// Reason for which a mutation contributes nothing, for now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MutationError {
    /// It inserted a row whose primary key is taken.
    #[error("table `{table}` has a row with this primary key already; `upsert` replaces it")]
    KeyTaken {
        /// The table.
        table: &'static str,
    },
    /// It updated a row that is not there.
    #[error("table `{table}` has no row with this primary key; `upsert` inserts it")]
    NoSuchRow {
        /// The table.
        table: &'static str,
    },
    /// It wrote to an event table.
    #[error("`{table}` is an event table: it keeps no rows")]
    EventTable {
        /// The table.
        table: &'static str,
    },
    /// It asked for too many temporary ids.
    #[error("more than {limit} temporary ids")]
    TooManyTempIds {
        /// Maximal number.
        limit: u32,
    },
    /// A table that it names has another row type.
    #[error(transparent)]
    Table(#[from] super::RegisterError),
    /// It says that it cannot be.
    #[error("{0}")]
    Refused(Box<str>),
    /// It panicked.
    #[error("it panicked: {0}")]
    Panicked(Box<str>),
}
