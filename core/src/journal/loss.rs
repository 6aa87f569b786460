//! What follows from writes that a damaged store has lost: which records may not be taken at their word.

use std::collections::BTreeSet;

use super::Loss;
use super::format::Key;

/// Records that are in doubt: they may be older than the last of their keys, or deleted since.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// Calls that may be further than it seems.
    pub(super) calls: BTreeSet<u64>,
    /// Scopes that may have got an identity.
    pub(super) scopes: BTreeSet<u32>,
    /// Scopes of which the rows have a hole.
    pub(super) holed: BTreeSet<u32>,
    /// Whether the rows of every scope may have one.
    pub(super) all_holed: bool,
}

impl Doubts {
    pub(super) fn of(loss: &Loss) -> Self {
        let mut doubts = Self { all_holed: loss.unnamed, ..Self::default() };
        for key in loss.keys.iter().filter_map(|key| Key::parse(key)) {
            match key {
                Key::Entry(seq) => drop(doubts.calls.insert(seq)),
                Key::Scope(scope) => drop(doubts.scopes.insert(scope)),
                Key::Set(scope, _) | Key::Table(scope, _) | Key::Rows(scope, _) => {
                    doubts.holed.insert(scope);
                }
                Key::Format => (),
            }
        }
        doubts
    }

    pub(super) fn is_holed(&self, scope: u32) -> bool {
        self.all_holed || self.holed.contains(&scope)
    }
}
