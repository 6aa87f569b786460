//! Faults of rows that are staged.

use crate::cache::error::{OutOfSyncKind, RowMismatch};

/// Reason for which rows could not be staged.
#[derive(Debug)]
pub(in crate::cache) enum Fault {
    /// The server said something that cannot be.
    OutOfSync(OutOfSyncKind),
    /// A row is not what its Rust type says.
    Mismatch(RowMismatch),
}
