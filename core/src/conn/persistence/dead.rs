//! Dead letters: calls that failed, kept to be looked at, bounded by number and by bytes.

use std::collections::VecDeque;

use super::config::OfflineConfig;
use super::log::Log;
use crate::journal::{DeadLetter, Entry, Op};
use crate::types::Uuid;

/// Failed calls, oldest first.
#[derive(Debug, Default)]
pub(super) struct DeadLetters {
    list: VecDeque<Entry>,
    bytes: usize,
    /// Number of those that were forgotten in this run because there were too many.
    forgotten: usize,
}

impl DeadLetters {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Number of calls that failed in this run, or were dead letters at its beginning, and were not taken out.
    pub(super) fn failed(&self) -> usize {
        self.list.len() + self.forgotten
    }

    pub(super) fn shown(&self) -> Vec<DeadLetter> {
        self.list.iter().filter_map(Entry::dead_letter).collect()
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.bytes += entry.bytes();
        self.list.push_back(entry);
    }

    /// Forgets the oldest ones if there are more than may be. The newest stays, however large it is, unless none may.
    pub(super) fn bound(&mut self, log: &mut Log, config: &OfflineConfig) {
        while let Some(oldest) = self.pop_beyond(config) {
            self.forgotten += 1;
            log.write(Op::Forget(oldest.seq));
        }
    }

    fn pop_beyond(&mut self, config: &OfflineConfig) -> Option<Entry> {
        let is_large = self.bytes > config.max_dead_letter_bytes && self.list.len() > 1;
        if self.list.len() <= config.max_dead_letters && !is_large {
            return None;
        }
        let oldest = self.list.pop_front()?;
        self.bytes -= oldest.bytes();
        Some(oldest)
    }

    /// Takes one by its call's idempotency key.
    pub(super) fn remove(&mut self, id: Uuid) -> Option<Entry> {
        let at = self.list.iter().position(|entry| entry.id() == id)?;
        let entry = self.list.remove(at)?;
        self.bytes -= entry.bytes();
        Some(entry)
    }
}
