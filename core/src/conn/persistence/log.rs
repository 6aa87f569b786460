//! Operations on their way to the disk: batches, and what is known to be written.

use crate::journal::{Batch, Op};

/// Write-ahead log of the journal: operations that are to be written, and the numbers of batches.
///
/// Everything that is written between two batches taken is one batch, which the disk has whole or not at all.
#[derive(Debug)]
pub(super) struct Log {
    ops: Vec<Op>,
    urgent: bool,
    /// The number of the next batch.
    ticket: u64,
    /// The last one that a call waits for.
    urgent_ticket: u64,
    /// The last one that is written.
    stored: u64,
    /// Text of the disk's failure, after which nothing is written.
    failure: Option<Box<str>>,
}

impl Log {
    /// A log that begins with these operations.
    pub(super) fn new(first: Vec<Op>) -> Self {
        Self { ops: first, urgent: true, ticket: 1, urgent_ticket: 0, stored: 0, failure: None }
    }

    pub(super) fn write(&mut self, op: Op) {
        if self.is_good() {
            self.ops.push(op);
        }
    }

    /// Writes what a call waits for.
    pub(super) fn write_urgently(&mut self, op: Op) {
        self.write(op);
        self.urgent = true;
    }

    /// Returns `true` unless the disk has failed.
    pub(super) fn is_good(&self) -> bool {
        self.failure.is_none()
    }

    /// Text of the disk's failure.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    pub(super) fn has_ops(&self) -> bool {
        !self.ops.is_empty()
    }

    /// The number of the batch that has what is written now.
    pub(super) fn ticket(&self) -> u64 {
        self.ticket
    }

    /// Takes the next batch, if it is not empty.
    pub(super) fn take_batch(&mut self) -> Option<Batch> {
        if self.ops.is_empty() {
            return None;
        }
        let ops = std::mem::take(&mut self.ops);
        let urgent = std::mem::take(&mut self.urgent);
        let ticket = self.ticket;
        self.ticket += 1;
        if urgent {
            self.urgent_ticket = ticket;
        }
        Some(Batch { ticket, ops, urgent })
    }

    /// A batch, and all before it, are written.
    pub(super) fn stored(&mut self, ticket: u64) {
        self.stored = self.stored.max(ticket);
    }

    /// The disk failed.
    pub(super) fn fail(&mut self, why: Box<str>) {
        self.failure = Some(why);
        self.ops.clear();
        self.urgent = false;
    }

    /// Returns `true` if a batch is written.
    pub(super) fn is_stored(&self, ticket: u64) -> bool {
        ticket <= self.stored
    }

    /// Returns `true` if everything that calls wait for is written, or cannot be.
    pub(super) fn has_stored(&self) -> bool {
        !self.is_good() || !self.urgent && self.is_stored(self.urgent_ticket)
    }
}
