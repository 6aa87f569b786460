//! Calls that failed, kept to be looked at: bounded by number and by bytes.

use std::collections::VecDeque;

use super::OfflineConfig;
use crate::journal::Entry;
use crate::types::Uuid;

/// Failed calls, oldest first.
#[derive(Debug, Default)]
pub(super) struct DeadLetters {
    list: VecDeque<Entry>,
    bytes: usize,
}

impl DeadLetters {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.list.iter()
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.bytes += entry.bytes();
        self.list.push_back(entry);
    }

    /// Takes the oldest one if there are more than may be. The newest stays, however large it is, unless none may.
    pub(super) fn pop_beyond(&mut self, config: &OfflineConfig) -> Option<Entry> {
        let is_large = self.bytes > config.max_dead_letter_bytes && self.list.len() > 1;
        if self.list.len() <= config.max_dead_letters && !is_large {
            return None;
        }
        let oldest = self.list.pop_front()?;
        self.bytes -= oldest.bytes();
        Some(oldest)
    }

    /// Takes one by its call's name.
    pub(super) fn remove(&mut self, id: Uuid) -> Option<Entry> {
        let at = self.list.iter().position(|entry| entry.id() == id)?;
        let entry = self.list.remove(at)?;
        self.bytes -= entry.bytes();
        Some(entry)
    }
}
