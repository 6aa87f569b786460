//! Events that a message brings more than once.

use foldhash::HashSet;

/// Finds the events that a message brings more than once.
#[derive(Debug, Default)]
pub(super) enum Repeats {
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
    pub(super) fn expect(&mut self, message: u64, distinct: bool) {
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
