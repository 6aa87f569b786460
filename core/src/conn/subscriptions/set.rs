//! One query set and its stages.

use crate::cache::SetId;
use crate::wire::QuerySetId;

/// One query set.
#[derive(Debug)]
pub(crate) struct QuerySet {
    pub(super) queries: Vec<Box<str>>,
    pub(super) stage: Stage,
    /// Its name on this connection, once it was sent.
    pub(super) wire: Option<QuerySetId>,
    /// The name of the rows that the cache has of it, or will have first.
    pub(super) rows: SetId,
    /// Asked for again after a reconnect, its rows come in under a new name, in place of those.
    pub(super) incoming: Option<SetId>,
    /// `true` if a message may bring a row of it more than once: it has several queries, or a join.
    pub(super) may_repeat: bool,
}

/// Returns `true` if the word JOIN is anywhere in a query; in a text too, which costs a little time and nothing else.
fn has_join(query: &str) -> bool {
    query.as_bytes().windows(4).any(|word| word.eq_ignore_ascii_case(b"join"))
}

/// Bytes that a set of these queries takes.
pub(crate) fn queries_bytes(queries: &[Box<str>]) -> usize {
    /// A set's entries, with its waiter.
    const SET_BYTES: usize = 1024;
    SET_BYTES + queries.iter().map(|query| size_of::<Box<str>>() + query.len()).sum::<usize>()
}

/// State of a query set when every change that is queued has been made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Not sent yet: there is no connection.
    Waiting,
    /// Sent, not answered.
    Sent,
    /// Its rows are in the cache, or queued to come in, and are kept in step.
    Applied,
    /// Its rows are in the cache as they were when the connection was lost, or when the server refused to resync it.
    Stale,
    /// As `Stale`, and it was asked for again.
    Resyncing,
    /// As `Stale`, and its new rows have come: they wait for those of other sets.
    Answered,
    /// The application ended it, and the server has not confirmed that. Until then it is kept in step if it holds rows.
    Ending {
        /// `true` if its rows are in the cache, or queued to come in.
        holds_rows: bool,
    },
    /// It is over here and owns no rows, and the server has not confirmed yet that it sends no more of it.
    Failed,
}

impl QuerySet {
    pub(super) fn new(queries: Vec<Box<str>>, stage: Stage, rows: SetId) -> Self {
        let may_repeat = queries.len() > 1 || queries.iter().any(|query| has_join(query));
        Self { queries, stage, wire: None, rows, incoming: None, may_repeat }
    }

    /// Bytes that it takes until it is over: its queries, and what is kept of it here and in the facade.
    pub(super) fn bytes(&self) -> usize {
        queries_bytes(&self.queries)
    }

    pub(crate) fn queries(&self) -> &[Box<str>] {
        &self.queries
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// The name of the rows that the cache has of it now, if it has any.
    pub(crate) fn rows(&self) -> SetId {
        self.rows
    }

    /// The name of the rows that the cache has of it when every change that is queued has been made.
    pub(crate) fn latest(&self) -> SetId {
        let incoming = self.incoming.filter(|_| self.is_in_step());
        incoming.unwrap_or(self.rows)
    }

    /// Its first rows do not come in: it is as if the server had not answered.
    pub(super) fn unanswer(&mut self) {
        match &mut self.stage {
            Stage::Ending { holds_rows } => *holds_rows = false,
            stage @ Stage::Applied => *stage = Stage::Sent,
            _ => (),
        }
    }

    /// Returns `true` if the server tells of its changes, and they are applied.
    pub(super) fn is_in_step(&self) -> bool {
        matches!(self.stage, Stage::Applied | Stage::Ending { holds_rows: true })
    }

    /// Returns `true` if rows of this name are as they were when the connection was lost: it has not caught up, or the change with
    /// which it does is not made.
    pub(super) fn is_stale(&self, rows: SetId) -> bool {
        let waits = matches!(self.stage, Stage::Stale | Stage::Resyncing | Stage::Answered);
        rows == self.rows && (waits || self.incoming.is_some())
    }

    /// Returns `true` if the cache has rows of it, or will have when every change that is queued has been made.
    pub(super) fn holds_rows(&self) -> bool {
        match self.stage {
            Stage::Waiting | Stage::Sent | Stage::Failed => false,
            Stage::Ending { holds_rows } => holds_rows,
            Stage::Applied | Stage::Stale | Stage::Resyncing | Stage::Answered => true,
        }
    }
}
