//! Names of rows that have lost their owner.

use crate::cache::{Part, SetId};

/// Names of rows that no set owns any more. The cache keeps the rows until a [drop](Self::into_drops) is committed, which
/// is to be queued behind everything that may still bring rows in under these names.
#[derive(Debug, Default)]
#[must_use = "the cache keeps rows that nobody owns until they are dropped"]
pub(crate) struct Released([Option<SetId>; 2]);

impl Released {
    pub(super) fn new(names: [Option<SetId>; 2]) -> Self {
        Self(names)
    }

    /// One name that never had an owner, or whose owner is gone.
    pub(crate) fn one(rows: SetId) -> Self {
        Self([Some(rows), None])
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// The names, for rows that are dropped at once.
    pub(crate) fn into_names(self) -> Vec<SetId> {
        self.0.into_iter().flatten().collect()
    }

    /// Parts of a change that drop the rows.
    pub(crate) fn into_drops(self) -> Vec<Part> {
        self.0.into_iter().flatten().map(|set| Part::DropSet { set }).collect()
    }
}
