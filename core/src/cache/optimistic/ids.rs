//! Names of mutations, by call and by order, and of the rows that they wrote.

/// Names a pending mutation. Its order among the others is the order of their adding, not of these numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MutationId(pub u64);

/// A mutation's position in the order in which mutations run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::cache) struct Turn(pub(in crate::cache::optimistic) u64);

/// Names a written row within its layer, as long as it has versions. Never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::cache) struct KeyId(pub(in crate::cache::optimistic) u64);
