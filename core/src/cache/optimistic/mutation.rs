//! Mutations: predicted effects of calls.

use super::temp_id::NewIds;
use super::tx::LocalTx;
use crate::cache::error::RegisterError;

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
    Table(#[from] RegisterError),
    /// It says that it cannot be.
    #[error("{0}")]
    Refused(Box<str>),
    /// It panicked.
    #[error("it panicked: {0}")]
    Panicked(Box<str>),
}
