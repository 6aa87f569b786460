//! Layers of whatever row type.

use core::any::Any;
use std::collections::BTreeSet;

use super::{Ground, Layer};
use crate::cache::optimistic::footprint::Footprint;
use crate::cache::optimistic::ids::{KeyId, Turn};
use crate::cache::read::snapshot::AnySnapshot;
use crate::cache::storage::stamp::Stamp;
use crate::schema::Row;

/// A [`Layer`] of whatever row type.
pub(in crate::cache) trait AnyLayer: Any + Send {
    fn watch(&mut self, turn: Turn, footprint: &Footprint);

    fn unwatch(&mut self, turn: Turn, footprint: &Footprint);

    /// Returns `true` if the change under way has to do with it.
    fn is_changed(&self) -> bool;

    /// As [`Layer::withdraw`], for the version `at`.
    fn withdraw_from(
        &mut self,
        keys: &[KeyId],
        turn: Turn,
        snapshot: &dyn AnySnapshot,
        at: Stamp,
        found: &mut BTreeSet<Turn>,
    );
}

impl<R: Row> AnyLayer for Layer<R> {
    fn watch(&mut self, turn: Turn, footprint: &Footprint) {
        self.watchers_mut().add(turn, footprint);
    }

    fn unwatch(&mut self, turn: Turn, footprint: &Footprint) {
        self.watchers_mut().remove(turn, footprint);
    }

    fn is_changed(&self) -> bool {
        !self.listed().is_empty()
    }

    fn withdraw_from(
        &mut self,
        keys: &[KeyId],
        turn: Turn,
        snapshot: &dyn AnySnapshot,
        at: Stamp,
        found: &mut BTreeSet<Turn>,
    ) {
        let snapshot: &dyn Any = snapshot;
        if let Some(snapshot) = snapshot.downcast_ref() {
            let ground = Ground::of(snapshot, at);
            keys.iter().for_each(|&key| self.withdraw(key, turn, &ground, found));
        }
    }
}
