//! Predicted effects of calls, until they are answered.
//!
//! A call's mutation has the call's number. It ends in the transaction in which the call is answered; with one
//! exception: where the outcome is unknown, because the socket was lost, what was expected stays until the server's
//! rows say what is true.

use std::time::Instant;

use super::Connection;
use crate::cache::{Change, Mutation, MutationError, MutationId, RowStatus, Step};
use crate::conn::apply::changes::Then;
use crate::conn::{CallId, Cause, Event, TransactionEvent};
use crate::guard::{Fenced, log};
use crate::schema::Table;

impl Connection {
    /// Shows what a call that was just [made](Self::call) is expected to do, until it is answered. Its rows are visible
    /// when this returns; [`Cause::Optimistic`] is the cause of their transaction.
    ///
    /// Does nothing if the call was refused. A change under way may be brought to its end first.
    ///
    /// # Errors
    ///
    /// Why the mutation contributes nothing, for now. The call is made all the same.
    pub fn optimistic(
        &mut self,
        now: Instant,
        call: CallId,
        mutation: Box<dyn Mutation>,
    ) -> Result<(), MutationError> {
        let mutation = Fenced::new("mutator", mutation);
        while self.cache.must_finish_first() {
            let _ = self.step_cache(now, usize::MAX);
        }
        if !self.calls.contains(call) {
            return Ok(());
        }
        let Some(mutation) = mutation.into_inner() else { return Ok(()) };
        let number = self.temp_ids.number(call);
        let mutated = self.cache.mutate_numbered(MutationId(call.0), number, mutation);
        self.tell_panics();
        if !mutated.transaction.is_empty() {
            let (transaction, cause) = (mutated.transaction, Cause::Optimistic(call));
            self.events.push_back(Event::Transaction(TransactionEvent { transaction, cause }));
        }
        for failure in mutated.failed {
            self.fail_set(failure);
        }
        mutated.error.map_or(Ok(()), Err)
    }

    /// Origin of a row: the server, or mutations, whose numbers are those of their calls. None if there is no such row
    /// now.
    pub fn row_status<T: Table>(&self, row: &T::Row) -> Option<RowStatus> {
        self.cache.row_status::<T>(row)
    }

    /// The mutations of calls that no server will answer any more.
    pub(super) fn orphaned_mutations(&self) -> Vec<MutationId> {
        if self.cache.mutations().next().is_none() {
            return Vec::new();
        }
        let unanswered = self.calls.unanswered();
        self.cache
            .mutations()
            .filter(|mutation| !unanswered.contains(&CallId(mutation.0)))
            .collect()
    }

    /// There is nothing to resync, so nothing more is to be learnt of calls whose outcome is unknown.
    pub(super) fn settle_orphans(&mut self, now: Instant) {
        let ends = self.orphaned_mutations();
        if ends.is_empty() {
            return self.become_ready(now);
        }
        let calls = ends.iter().map(|mutation| CallId(mutation.0)).collect();
        let change = Change { parts: Vec::new(), ends };
        self.apply(change, Cause::Reverted(calls), vec![Then::Ready]);
    }

    /// It is over: what was expected of calls is taken back at once, before the last event.
    pub(super) fn revert_all(&mut self, now: Instant) {
        while self.is_applying() && !self.cache.is_waiting_for_views() {
            let _ = self.step_change(now, usize::MAX);
        }
        // Nobody will wait for views to be let go any more.
        self.skip_all();
        let ends = self.orphaned_mutations();
        if ends.is_empty() {
            return;
        }
        let calls = ends.iter().map(|mutation| CallId(mutation.0)).collect();
        self.cache.begin(Change { parts: Vec::new(), ends });
        loop {
            match self.cache.step(usize::MAX) {
                Step::Committed(transaction) if transaction.is_empty() => return,
                Step::Committed(transaction) => {
                    let cause = Cause::Reverted(calls);
                    return self
                        .events
                        .push_back(Event::Transaction(TransactionEvent { transaction, cause }));
                }
                Step::More if self.cache.is_waiting_for_views() => {
                    drop(self.cache.abort());
                    return;
                }
                Step::More => (),
                Step::OutOfSync(error) => {
                    return log!(error, %error, "rows stay that were only expected");
                }
            }
        }
    }
}
