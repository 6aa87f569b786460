//! Predicted effects of calls until they are answered, and temporary ids of predicted rows in other calls.
//!
//! A call's mutation has the call's number. It ends in the transaction in which the call is answered; with one
//! exception: where the outcome is unknown, because the socket was lost, what was expected stays until the server's
//! rows say what is true.

use std::time::Instant;

use bytes::Bytes;

use super::Connection;
use crate::cache::{
    AnyId, Change, Mutation, MutationError, MutationId, NewIds, RowStatus, Step, TempId,
};
use crate::conn::apply::changes::Then;
use crate::conn::calls::CallId;
use crate::conn::calls::temp_ids::NamedArgs;
use crate::conn::event::{Cause, Event, NotSent, Reply, TransactionEvent};
use crate::guard::{Fenced, log};
use crate::named_ids::{NamedId, each_id};
use crate::schema::{AnyType, Table};

/// Predicted effects.
impl Connection {
    /// Shows what a call that was just [made](Self::call) is expected to do, until it is answered. Its rows are visible
    /// when this returns; [`Cause::Optimistic`] is the cause of their transaction.
    ///
    /// Does nothing if the call was refused. A change under way may be brought to its end first.
    ///
    /// # Errors
    ///
    /// [`MutationError`] if the mutation contributes nothing, for now. The call is made all the same.
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
            self.events.push(Event::Transaction(TransactionEvent { transaction, cause }));
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
    pub(super) fn end_orphaned_predictions(&mut self, now: Instant) {
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
        // Left in the queue are changes that take predictions back, those of the calls that were just completed included.
        // This ends: nothing is received any more, and each round applies a piece or takes a change.
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
                        .push(Event::Transaction(TransactionEvent { transaction, cause }));
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

/// Temporary ids in calls that wait: replaced when the server's are known, and failed when they will not be.
impl Connection {
    /// Looks for temporary ids in arguments of these types that are to be called with.
    pub fn name_ids<'t>(
        &self,
        types: impl IntoIterator<Item = AnyType<'t>>,
        args: Bytes,
    ) -> NamedArgs {
        let mut named = NamedArgs { args, is_changed: false, names: Vec::new() };
        if !self.temp_ids.has_known() && !self.cache.has_temp_ids() {
            return named;
        }
        let mut known = Vec::new();
        each_id(types, &named.args, &mut |at, id| {
            if self.temp_ids.known(&id).is_some() {
                known.extend(NamedId::new(at, id, 0));
            } else if id.is_temp_id()
                && let Some(MutationId(owner)) = self.cache.temp_id_owner(id)
                && let Some(number) = self.temp_ids.number_of(CallId(owner))
            {
                named.names.extend(NamedId::new(at, id, number));
            }
        });
        if !known.is_empty() {
            named.args = self.temp_ids.replace(&named.args, &known).0;
            named.is_changed = true;
        }
        named
    }

    /// The id that the server gave in the place of a temporary one, if that is known. The last
    /// [65,536](crate::limits::MAX_KNOWN_IDS) of them are.
    pub fn server_id<K: TempId>(&self, temporary: &K) -> Option<K> {
        K::from_any(self.temp_ids.known(&temporary.to_any())?)
    }

    /// The number by which a call's temporary ids are told from those of others, while it is not over. For tests.
    #[doc(hidden)]
    pub fn temp_number(&self, call: CallId) -> Option<u64> {
        self.temp_ids.number_of(call)
    }

    /// The arguments of a call that waits, and the places in them with ids of calls that are not answered.
    pub fn waiting_args(&self, call: CallId) -> Option<(Bytes, Vec<NamedId>)> {
        let waiting = self.calls.get_waiting(call)?;
        let names =
            waiting.tracking.as_ref().map(|tracking| tracking.names().to_vec()).unwrap_or_default();
        Some((waiting.request.args()?.clone(), names))
    }

    /// The server has given ids to rows that calls had inserted under temporary ones.
    pub(super) fn learn_ids(&mut self, ids: &NewIds) {
        if ids.is_empty() {
            return;
        }
        self.temp_ids.learn(ids);
        for owner in ids.owners() {
            let naming = self.temp_ids.naming(owner);
            naming.into_iter().for_each(|call| self.name_known_ids(call));
        }
        self.temp_ids.unblock();
        self.send_calls();
    }

    /// Puts ids that are known into the arguments of a call that waits.
    fn name_known_ids(&mut self, call: CallId) {
        let Some(waiting) = self.calls.get_waiting_mut(call) else { return };
        let (Some(args), Some(tracking)) = (waiting.request.args(), &mut waiting.tracking) else {
            return;
        };
        let (args, names) = self.temp_ids.replace(args, tracking.names());
        if names.len() == tracking.names().len() {
            return;
        }
        let is_ready = names.is_empty();
        tracking.set_names(names.clone());
        waiting.request.set_args(args.clone());
        if let Some(journal) = &mut self.journal {
            journal.set_args(call, args.clone(), names);
        }
        self.events.push(Event::ArgumentsChanged { call, args });
        if is_ready {
            self.calls.bring_back(call);
        }
    }

    /// A call waits that may name ids which are known by now, or will never be.
    pub(super) fn name_or_fail(&mut self, call: CallId) {
        self.name_known_ids(call);
        self.fail_unknown_ids(vec![call]);
    }

    /// A call is over: those that name ids of it which are not known will not be made.
    pub(super) fn ids_are_over(&mut self, call: CallId) {
        if let Some(naming) = self.temp_ids.over(call) {
            self.fail_unknown_ids(naming);
        }
    }

    /// Ends those of the calls that name ids of calls which are over.
    pub(super) fn fail_unknown_ids(&mut self, calls: Vec<CallId>) {
        if !self.temp_ids.start_failing(calls) {
            return;
        }
        while let Some(call) = self.temp_ids.next_failing() {
            if let Some(id) = self.unknown_id(call) {
                let _ = self.calls.take_waiting(call);
                self.answer(call, Reply::NotSent(NotSent::TempId { id }));
            }
        }
        self.send_calls();
    }

    /// The first id in a call that waits which will not be known.
    fn unknown_id(&self, call: CallId) -> Option<AnyId> {
        let waiting = self.calls.get_waiting(call)?;
        let mut names = waiting.tracking.as_ref()?.names().iter();
        let has_no_owner = |name: &&NamedId| self.temp_ids.owner(name.number()).is_none();
        names.find(has_no_owner)?.id(waiting.request.args()?)
    }
}
