//! Snapshots of all tables at one version.

use std::sync::Arc;

use super::snapshot::AnySnapshot;

/// Snapshots by [`TableId`](crate::cache::TableId), in blocks that versions share: a copy with one table replaced costs one block
/// and a handle on each of the others, so that a server that names thousands of tables pays for it once.
#[derive(Clone, Default)]
pub(in crate::cache) struct Snapshots {
    blocks: Vec<Arc<[Arc<dyn AnySnapshot>]>>,
}

/// Number of tables in a block. A program that mentions fewer has one.
const BLOCK: usize = 64;

impl Snapshots {
    #[inline]
    pub(in crate::cache) fn get(&self, place: usize) -> Option<&dyn AnySnapshot> {
        self.blocks.get(place / BLOCK)?.get(place % BLOCK).map(|snapshot| &**snapshot)
    }

    /// The handle in its place, if no other version shares its block.
    pub(in crate::cache) fn get_unshared(
        &mut self,
        place: usize,
    ) -> Option<&mut Arc<dyn AnySnapshot>> {
        Arc::get_mut(self.blocks.get_mut(place / BLOCK)?)?.get_mut(place % BLOCK)
    }

    /// Replaces a snapshot, or adds one behind the last.
    pub(in crate::cache) fn set(&mut self, place: usize, snapshot: Arc<dyn AnySnapshot>) {
        let at = place % BLOCK;
        match self.blocks.get_mut(place / BLOCK) {
            Some(block) if at < block.len() => Arc::make_mut(block)[at] = snapshot,
            Some(block) => {
                debug_assert_eq!(at, block.len(), "tables are touched when made");
                *block = block.iter().cloned().chain([snapshot]).collect();
            }
            None => {
                debug_assert_eq!(place, self.blocks.len() * BLOCK, "tables are touched when made");
                self.blocks.push(Arc::new([snapshot]));
            }
        }
    }
}
