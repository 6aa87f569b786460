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
mod ids;
mod layer;
mod mutation;
mod mutations;
mod new_ids;
mod overlay;
mod pending;
mod rebase;
mod shadow;
mod temp_id;
mod tx;

pub use self::ids::MutationId;
pub(super) use self::ids::{KeyId, Turn};
pub(super) use self::layer::any::AnyLayer;
pub use self::mutation::{Mutation, MutationError};
pub(super) use self::mutations::Mutations;
pub(super) use self::new_ids::Handed;
pub(super) use self::overlay::Overlay;
pub use self::pending::{Mutated, RowStatus};
pub(super) use self::rebase::Rebasing;
pub(super) use self::shadow::LOCAL;
pub use self::temp_id::{AnyId, IdKind, NewIds, TempId};
pub use self::tx::local_table::{LocalTable, LocalTableMut};
pub use self::tx::{LocalTx, is_mutating};
