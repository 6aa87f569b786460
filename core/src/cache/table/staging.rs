//! Effects of a message that is being staged on a table.

use foldhash::HashSet;

use crate::cache::membership::sets::ListId;
use crate::cache::storage::slots::RowId;
use crate::cache::transaction::diff::Pair;
use crate::guard::FencedRows;

/// Effects of a message on a table so far.
#[derive(Debug)]
pub(in crate::cache) struct Staging<R> {
    /// Rows that came, with the live rows that they replace; once settled, all changes.
    pub(in crate::cache) pairs: Vec<Pair>,
    /// The list that a live row had before each change of it.
    pub(in crate::cache) log: Vec<(RowId, ListId)>,
    /// Rows that came and went, and those of messages that failed.
    pub(in crate::cache) waste: Vec<u32>,
    /// Rows of an event table, and the size of their encodings.
    pub(in crate::cache) events: FencedRows<R>,
    pub(in crate::cache) repeats: Repeats,
    pub(in crate::cache) event_bytes: usize,
    pub(in crate::cache) settling: Settling,
    /// Number of committed pairs.
    pub(in crate::cache) committed: usize,
    /// The rows that left, as far as they are committed.
    pub(in crate::cache) died: Vec<u32>,
}

/// Finds the events that a message brings more than once.
#[derive(Debug, Default)]
pub(in crate::cache) enum Repeats {
    /// No list of events is expected.
    #[default]
    None,
    /// Each message has one list, without repeats: so the usual change hashes nothing. The last message.
    Impossible { message: u64 },
    /// The encodings that were staged of the last message.
    Possible { message: u64, seen: HashSet<Box<[u8]>> },
}

impl Repeats {
    /// Expects one more list of events.
    pub(in crate::cache) fn expect(&mut self, message: u64, distinct: bool) {
        let alone = match self {
            Self::None => true,
            Self::Impossible { message: last } => *last != message,
            Self::Possible { .. } => return,
        };
        *self = if alone && distinct {
            Self::Impossible { message }
        } else {
            Self::Possible { message, seen: HashSet::default() }
        };
    }
}

/// Progress of netting.
#[derive(Debug, Default, Clone, Copy)]
pub(in crate::cache) struct Settling {
    /// Number of rows that came and were looked at, and number of them that stay.
    pub(in crate::cache) looked_at: usize,
    pub(in crate::cache) kept: usize,
    /// `true` if all were: then `log` is next.
    pub(in crate::cache) came_done: bool,
    pub(in crate::cache) log_at: usize,
}

impl<R> Staging<R> {
    pub(in crate::cache) fn new() -> Self {
        Self {
            pairs: Vec::new(),
            log: Vec::new(),
            waste: Vec::new(),
            events: FencedRows::new(),
            repeats: Repeats::None,
            event_bytes: 0,
            settling: Settling::default(),
            committed: 0,
            died: Vec::new(),
        }
    }
}
