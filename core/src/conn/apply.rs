//! Messages become changes of the cache, and those become events.

use std::collections::VecDeque;
use std::time::Instant;

use super::recovery::BatchSupport;
use super::{
    CallId, CallTimes, Cause, Connection, ConnectionState, Event, Greeting, Liveness, Lost,
    Progress, Reply, SetEnd, State, TransactionEvent,
};
use crate::cache::{Change, Part, SetFailure, SetId, Step, TableDiff, Transaction};
use crate::calls::{InFlight, Kind};
use crate::subs::{Stage, SubscriptionId};
use crate::types::{TimeDuration, Timestamp};
use crate::wire::{
    BatchResult, ProcedureStatus, QueryRows, QuerySetId, QuerySetUpdate, ReducerOutcome, RequestId,
    ServerMessage, TransactionUpdate, UpdateRows,
};

/// Changes that are to be applied, in order, and the one that is being applied.
#[derive(Debug, Default)]
pub(super) struct Applying {
    queue: VecDeque<(Change, Why)>,
    under_way: Option<Why>,
}

impl Applying {
    /// How many changes are not made.
    pub(super) fn len(&self) -> usize {
        self.queue.len() + usize::from(self.under_way.is_some())
    }
}

/// Why a change is made, and what follows it.
#[derive(Debug)]
struct Why {
    cause: Cause,
    then: Vec<Then>,
    /// What of it outlives the program.
    kept: Option<Vec<Part>>,
}

/// What follows a change, once it is visible.
#[derive(Debug)]
pub(super) enum Then {
    /// The application is told.
    Say(Event),
    /// These sets are in step again.
    Resynced(Vec<SubscriptionId>),
    /// Every set is.
    Ready,
}

/// A message that the protocol does not allow.
struct Violation(&'static str);

/// Stepping.
impl Connection {
    /// Applies what came, about `max_rows` rows of it at most. Does nothing while events wait to be delivered.
    pub fn step(&mut self, now: Instant, max_rows: usize) -> Progress {
        self.set_clock(now);
        self.pace_step(now);
        if !self.events.is_empty() {
            return Progress::More;
        }
        let progress = if self.is_applying() {
            self.step_change(now, max_rows)
        } else {
            self.step_inbox(now, max_rows)
        };
        self.pace_rest(now, progress == Progress::Idle);
        progress
    }

    /// Goes on with the change under way, or starts the next one.
    pub(super) fn step_change(&mut self, now: Instant, max_rows: usize) -> Progress {
        if self.cache.is_applying() {
            return self.step_cache(now, max_rows);
        }
        if let Some((change, mut why)) = self.applying.queue.pop_front() {
            if change.is_empty() {
                self.follow(now, why.then, &[]);
            } else {
                why.kept = self.parts_to_keep(&change);
                self.applying.under_way = Some(why);
                self.cache.begin(change);
                return self.step_cache(now, max_rows);
            }
        }
        Progress::More
    }

    fn step_inbox(&mut self, now: Instant, max_rows: usize) -> Progress {
        let (State::Greeting { protocol, .. }
        | State::Online { protocol, .. }
        | State::Closing { protocol, .. }
        | State::Draining { protocol, .. }) = self.state
        else {
            return self.rest(now, max_rows);
        };
        match self.inbox.next(protocol, &self.config.limits) {
            Some(Ok(message)) => {
                self.stats.messages_received += 1;
                self.pace_message(now);
                if let Err(Violation(what)) = self.handle_message(now, message) {
                    self.fault(now, Lost::Violation(what));
                }
            }
            Some(Err(error)) => self.fault(now, Lost::Wire(error)),
            None if matches!(self.state, State::Draining { .. }) => self.drained(now),
            None => return self.rest(now, max_rows),
        }
        Progress::More
    }

    fn rest(&mut self, now: Instant, max_rows: usize) -> Progress {
        if self.close_if_finished(now) {
            return Progress::More;
        }
        if self.cache.reclaim(max_rows) { Progress::More } else { Progress::Idle }
    }

    pub(super) fn step_cache(&mut self, now: Instant, max_rows: usize) -> Progress {
        match self.cache.step(max_rows) {
            Step::More if self.cache.is_waiting_for_views() => {
                self.pace_views(now, true);
                return Progress::Waiting;
            }
            Step::More => (),
            Step::Committed(transaction) => self.committed(now, transaction),
            Step::OutOfSync(error) => {
                let why = self.applying.under_way.take();
                let then = why.into_iter().flat_map(|why| why.then);
                then.filter_map(unapplied).for_each(|event| self.say(event));
                self.fault(now, Lost::OutOfSync(error));
            }
        }
        Progress::More
    }

    /// Whether a change is under way or waits.
    pub fn is_applying(&self) -> bool {
        self.applying.under_way.is_some() || !self.applying.queue.is_empty()
    }

    /// Makes a change, and then what follows it.
    pub(super) fn apply(&mut self, change: Change, cause: Cause, then: Vec<Then>) {
        self.applying.queue.push_back((change, Why { cause, then, kept: None }));
    }

    /// Gives up every change that is not made, and says what was to be told of them all the same.
    pub(super) fn abort_all(&mut self) -> Vec<Event> {
        self.cache.abort();
        let Applying { queue, under_way } = std::mem::take(&mut self.applying);
        let why = under_way.into_iter().chain(queue.into_iter().map(|(_, why)| why));
        why.flat_map(|why| why.then).filter_map(unapplied).collect()
    }

    /// Gives up every change that is not made, and says what was to be told of them, as it was to be told.
    pub(super) fn skip_all(&mut self) {
        self.cache.abort();
        let Applying { queue, under_way } = std::mem::take(&mut self.applying);
        let why = under_way.into_iter().chain(queue.into_iter().map(|(_, why)| why));
        let events = why.flat_map(|why| why.then).filter_map(|then| match then {
            Then::Say(event) => Some(event),
            Then::Resynced(_) | Then::Ready => None,
        });
        events.for_each(|event| self.say(event));
    }

    /// The server said something that cannot be: nothing more of this socket's is believed.
    fn fault(&mut self, now: Instant, reason: Lost) {
        self.inbox.clear();
        self.lose(now, reason);
    }

    /// A change was made: says what changed, then what follows.
    fn committed(&mut self, now: Instant, transaction: Transaction) {
        let Some(Why { cause, then, kept }) = self.applying.under_way.take() else { return };
        self.recovery.progress();
        self.pace_views(now, false);
        let failed: Vec<SetFailure> = transaction.failed_sets().to_vec();
        if let Some(parts) = kept {
            let failed: Vec<SetId> = failed.iter().map(|failure| failure.set).collect();
            self.keep_rows(parts, &failed);
        }
        if !transaction.is_empty() {
            self.stats.transactions += 1;
            let rows: usize = transaction.tables().iter().map(TableDiff::len).sum();
            self.stats.rows_changed += rows as u64;
            self.events.push_back(Event::Transaction(TransactionEvent { transaction, cause }));
        }
        self.follow(now, then, &failed);
        for failure in failed {
            self.fail_set(failure);
        }
    }

    fn follow(&mut self, now: Instant, then: Vec<Then>, failed: &[SetFailure]) {
        let failed: Vec<_> =
            failed.iter().filter_map(|failure| self.subs.by_rows(failure.set)).collect();
        for then in then {
            match then {
                Then::Say(Event::Applied(set)) if failed.contains(&set) => (),
                Then::Say(event) => {
                    let event = self.applied_now(event, now);
                    self.say(event);
                }
                Then::Resynced(sets) => {
                    for set in sets {
                        if self.subs.resynced(set) && !failed.contains(&set) {
                            self.events.push_back(Event::Applied(set));
                        }
                    }
                }
                Then::Ready => self.become_ready(now),
            }
        }
    }

    /// A set's rows do not decode as their Rust type, and are gone: tells the server, and the application.
    pub(super) fn fail_set(&mut self, failure: SetFailure) {
        if self.is_loaded(failure.set) {
            tracing::info!(%failure, "kept rows are dropped");
            return self.drop_loaded(failure.set);
        }
        let Some(set) = self.subs.by_rows(failure.set) else { return };
        let stage = self.subs.get(set).map(|set| set.stage);
        match stage {
            Some(Stage::Ending { .. }) | None => (),
            Some(Stage::Waiting | Stage::Stale) => drop(self.subs.remove(set)),
            Some(_) => self.send_unsubscribe(set),
        }
        self.subs.set_stage(set, Stage::Failed);
        self.events.push_back(Event::Ended { set, reason: SetEnd::Undecodable(failure) });
    }
}

/// Messages.
impl Connection {
    fn handle_message(&mut self, now: Instant, message: ServerMessage) -> Result<(), Violation> {
        let greeted = self.greeted_here();
        match message {
            ServerMessage::InitialConnection { identity, connection_id, token } if !greeted => {
                let token = Box::from(&*token);
                self.greeted(now, Greeting { identity, connection_id, token });
                Ok(())
            }
            ServerMessage::InitialConnection { .. } => Err(Violation("it greeted twice")),
            _ if !greeted => Err(Violation("its first message is not InitialConnection")),
            ServerMessage::SubscribeApplied { query_set_id, rows, .. } => {
                self.subscribe_applied(query_set_id, rows)
            }
            ServerMessage::UnsubscribeApplied { query_set_id, .. } => {
                self.unsubscribe_applied(query_set_id)
            }
            ServerMessage::SubscriptionError { query_set_id, error, .. } => {
                self.subscription_error(query_set_id, &error);
                Ok(())
            }
            ServerMessage::TransactionUpdate(update) => {
                let change = self.change_of(update)?;
                self.apply_if_any(change, Cause::Other, Vec::new());
                Ok(())
            }
            ServerMessage::OneOffQueryResult { request_id, result } => {
                if self.calls.kind(request_id) == Some(&Kind::Probe) {
                    let _ = self.calls.answer(request_id);
                    self.probed(result);
                    return Ok(());
                }
                let call = self.answered(request_id, &Kind::Query)?;
                self.settle(
                    call,
                    match result {
                        Ok(rows) => Reply::Rows(rows),
                        Err(error) => Reply::QueryRefused((&*error).into()),
                    },
                );
                Ok(())
            }
            ServerMessage::ReducerResult { request_id, timestamp, outcome } => {
                self.reducer_result(request_id, timestamp, outcome)
            }
            ServerMessage::ProcedureResult { status, timestamp, duration, request_id } => {
                self.procedure_result(request_id, status, timestamp, duration)
            }
            ServerMessage::SubscribeBatchApplied { results, .. } => self.batch_applied(results),
        }
    }

    /// Whether the server has greeted on this socket.
    fn greeted_here(&self) -> bool {
        match self.state {
            State::Greeting { .. } => false,
            // A socket that ended before its greeting was applied.
            State::Draining { .. } => self.ready || self.resync.is_some(),
            _ => true,
        }
    }

    fn greeted(&mut self, now: Instant, mut greeting: Greeting) {
        let State::Greeting { protocol, .. } = self.state else { return };
        if let Some(token) = self.kept_token.take() {
            greeting.token = token;
        }
        if let Some(before) = &self.greeting
            && before.identity != greeting.identity
        {
            let (before, now_identity) = (before.identity, greeting.identity);
            return self.lose(now, Lost::IdentityChanged { before, now: now_identity });
        }
        if let Err(not_ours) = self.check_scope(&greeting) {
            return self.lose(now, not_ours);
        }
        self.state = State::Online { protocol, liveness: Liveness { heard: now, pinged: None } };
        self.token = Some(greeting.token.clone());
        self.greeting = Some(greeting.clone());
        self.recovery.greeted();
        self.stats.connections += 1;
        self.events.push_back(Event::Connected(greeting));
        if self.start_resync(now) {
            self.announce(ConnectionState::Resyncing);
        } else {
            self.settle_orphans(now);
        }
        for set in self.subs.at(Stage::Waiting) {
            self.send_set(set);
        }
    }

    pub(super) fn become_ready(&mut self, now: Instant) {
        let State::Online { .. } = self.state else { return };
        self.ready = true;
        self.recovery.ready(now);
        self.announce(ConnectionState::Ready);
        self.start_unclaimed(now);
        self.start_replay();
    }

    fn subscribe_applied(&mut self, wire: QuerySetId, rows: QueryRows) -> Result<(), Violation> {
        if self.compare_set(wire, Some(&rows)) {
            return Ok(());
        }
        let Some((set, query_set)) = self.subs.by_wire(wire) else {
            return Err(Violation("it applied a query set that was not asked for"));
        };
        let (stage, held) = (query_set.stage, query_set.rows);
        match stage {
            Stage::Sent => {
                self.subs.set_stage(set, Stage::Applied);
                let change = Change::of(inserts(held, rows).collect());
                self.apply(change, Cause::Applied(set), vec![Then::Say(Event::Applied(set))]);
                Ok(())
            }
            Stage::Resyncing(new) => {
                self.resync_answered(set, held, inserts(new, rows));
                Ok(())
            }
            // It is not wanted any more: its rows need not come in to go out.
            Stage::Ending { holds_rows: false } | Stage::Failed => Ok(()),
            Stage::Waiting | Stage::Applied | Stage::Stale | Stage::Ending { holds_rows: true } => {
                Err(Violation("it applied a query set twice"))
            }
        }
    }

    fn batch_applied(&mut self, results: Vec<BatchResult>) -> Result<(), Violation> {
        self.recovery.batch = BatchSupport::Yes;
        for BatchResult { query_set_id, outcome } in results {
            match outcome {
                Ok(rows) => self.subscribe_applied(query_set_id, rows)?,
                Err(error) => self.subscription_error(query_set_id, &error),
            }
        }
        Ok(())
    }

    fn unsubscribe_applied(&mut self, wire: QuerySetId) -> Result<(), Violation> {
        if self.verifying.ended(wire) {
            return Ok(());
        }
        let Some((set, query_set)) = self.subs.by_wire(wire) else {
            return Err(Violation("it ended a query set that it does not have"));
        };
        let (stage, rows) = (query_set.stage, query_set.rows);
        match stage {
            Stage::Ending { holds_rows } => {
                self.subs.remove(set);
                self.drop_set(set, holds_rows.then_some(rows), SetEnd::Unsubscribed);
                Ok(())
            }
            Stage::Failed => {
                self.subs.remove(set);
                Ok(())
            }
            Stage::Waiting | Stage::Sent | Stage::Applied | Stage::Stale | Stage::Resyncing(_) => {
                Err(Violation("it ended a query set unasked"))
            }
        }
    }

    /// The server refused a query set, or could not keep it up.
    fn subscription_error(&mut self, wire: QuerySetId, error: &str) {
        if self.compare_set(wire, None) {
            return;
        }
        let Some((set, query_set)) = self.subs.by_wire(wire) else {
            // It may cross our own unsubscribing; there is nothing left to undo.
            tracing::debug!(?wire, error, "the server refused a query set that is over");
            return;
        };
        let (stage, rows) = (query_set.stage, query_set.rows);
        if let Stage::Resyncing(_) = stage {
            return self.resync_refused(set, error);
        }
        self.subs.remove(set);
        match stage {
            Stage::Failed => (),
            // Wished for and gone: the application asked for its end, and that is what it gets.
            Stage::Ending { holds_rows } => {
                self.drop_set(set, holds_rows.then_some(rows), SetEnd::Unsubscribed);
            }
            Stage::Waiting | Stage::Sent => {
                self.drop_set(set, None, SetEnd::Refused(error.into()));
            }
            Stage::Applied | Stage::Stale | Stage::Resyncing(_) => {
                self.drop_set(set, Some(rows), SetEnd::Refused(error.into()));
            }
        }
    }

    pub(super) fn drop_set(&mut self, set: SubscriptionId, rows: Option<SetId>, reason: SetEnd) {
        let parts = rows.map(|set| Part::DropSet { set }).into_iter().collect();
        let cause = match reason {
            SetEnd::Unsubscribed | SetEnd::Closed => Cause::Unsubscribed(set),
            _ => Cause::Failed(set),
        };
        let ended = Then::Say(Event::Ended { set, reason });
        self.apply(Change::of(parts), cause, vec![ended]);
    }

    fn reducer_result(
        &mut self,
        request_id: RequestId,
        timestamp: Timestamp,
        outcome: ReducerOutcome,
    ) -> Result<(), Violation> {
        let Kind::Reducer(reducer) = self.calls.kind(request_id).ok_or(Violation(UNASKED))?.clone()
        else {
            return Err(Violation(OTHER_KIND));
        };
        let (update, reply) = match outcome {
            ReducerOutcome::Ok { ret_value: returned, update } => {
                (update, Reply::Committed { returned, timestamp })
            }
            ReducerOutcome::OkEmpty => {
                let returned = bytes::Bytes::new();
                (TransactionUpdate::default(), Reply::Committed { returned, timestamp })
            }
            ReducerOutcome::Err(error) => {
                (TransactionUpdate::default(), Reply::Rejected { error, timestamp })
            }
            ReducerOutcome::InternalError(error) => {
                (TransactionUpdate::default(), Reply::Failed((&*error).into()))
            }
        };
        // The call is taken out last: whatever breaks the protocol leaves it to be settled with the others.
        let mut change = self.change_of(update)?;
        let call = self.calls.answer(request_id).ok_or(Violation(UNASKED))?;
        self.send_calls();
        let InFlight { call, timed_out, args, made, sent, .. } = call;
        let times = self.answered_now(made, sent);
        change.ends = self.mutation_of(call);
        if change.is_empty() && !self.is_applying() {
            // Nothing changes, as with many calls: the answer follows at once.
            if !timed_out {
                self.say(Event::Answered { call, reply, times });
            }
            return Ok(());
        }
        let committed = matches!(reply, Reply::Committed { .. });
        let cause = match committed {
            true => Cause::Call { call, reducer, timestamp, args },
            false => Cause::Reverted([call].into()),
        };
        let answer = (!timed_out).then_some(Then::Say(Event::Answered { call, reply, times }));
        self.apply_if_any(change, cause, answer.into_iter().collect());
        Ok(())
    }

    fn procedure_result(
        &mut self,
        request_id: RequestId,
        status: ProcedureStatus,
        timestamp: Timestamp,
        duration: TimeDuration,
    ) -> Result<(), Violation> {
        let call = self.answered(request_id, &Kind::Procedure)?;
        self.settle(
            call,
            match status {
                ProcedureStatus::Returned(value) => Reply::Returned { value, timestamp, duration },
                ProcedureStatus::InternalError(error) => Reply::Failed((&*error).into()),
            },
        );
        Ok(())
    }

    /// The call that the server answers, which must be of this kind.
    fn answered(&mut self, request_id: RequestId, kind: &Kind) -> Result<InFlight, Violation> {
        if self.calls.kind(request_id).ok_or(Violation(UNASKED))? != kind {
            return Err(Violation(OTHER_KIND));
        }
        let call = self.calls.answer(request_id).ok_or(Violation(UNASKED))?;
        self.send_calls();
        Ok(call)
    }

    fn settle(&mut self, call: InFlight, reply: Reply) {
        if !call.timed_out {
            let times = self.answered_now(call.made, call.sent);
            self.answer_timed(call.call, reply, times);
        }
    }

    /// Makes a change; where nothing changes, what follows it follows at once.
    fn apply_if_any(&mut self, change: Change, cause: Cause, then: Vec<Then>) {
        if change.is_empty() && !self.is_applying() {
            for then in then {
                if let Then::Say(event) = then {
                    self.say(event);
                }
            }
        } else {
            self.apply(change, cause, then);
        }
    }

    /// A transaction's rows, without those of sets that are over here; those of sets that are being resynced join
    /// what came of these before.
    fn change_of(&mut self, update: TransactionUpdate) -> Result<Change, Violation> {
        let mut parts = Vec::new();
        for update in update.query_sets {
            if self.verifying.has(update.query_set_id) {
                continue;
            }
            let Some((_, query_set)) = self.subs.by_wire(update.query_set_id) else {
                return Err(Violation("it updated a query set that it does not have"));
            };
            match query_set.stage {
                Stage::Applied | Stage::Ending { holds_rows: true } => {
                    parts.extend(changes(query_set.rows, update));
                }
                Stage::Resyncing(new) => {
                    changes(new, update).for_each(|part| self.resync_changed(part));
                }
                _ => (),
            }
        }
        Ok(Change::of(parts))
    }
}

const UNASKED: &str = "it answered a request that was not made";
const OTHER_KIND: &str = "its answer is not of the kind that was asked for";

/// What is told of a change that was not made.
fn unapplied(then: Then) -> Option<Event> {
    match then {
        // It was committed or not; its rows are not here, so nobody can rely on it.
        Then::Say(Event::Answered { call, .. }) => Some(unknown(call)),
        Then::Say(event @ Event::Ended { .. }) => Some(event),
        Then::Say(_) | Then::Resynced(_) | Then::Ready => None,
    }
}

fn unknown(call: CallId) -> Event {
    Event::Answered { call, reply: Reply::Unknown, times: CallTimes::default() }
}

fn inserts(set: SetId, rows: QueryRows) -> impl Iterator<Item = Part> {
    let lists = rows.tables.into_iter().filter(|list| !list.rows.is_empty());
    lists.map(move |list| Part::Inserts { set, table: list.table, rows: list.rows })
}

fn changes(set: SetId, update: QuerySetUpdate) -> impl Iterator<Item = Part> {
    let lists = update.tables.into_iter().flat_map(move |update| {
        let table = update.table;
        update.rows.into_iter().map(move |rows| (table.clone(), rows))
    });
    lists
        .flat_map(move |(table, rows)| match rows {
            UpdateRows::Persistent { inserts, deletes } => {
                let came = (!inserts.is_empty()).then(|| Part::Inserts {
                    set,
                    table: table.clone(),
                    rows: inserts,
                });
                let left =
                    (!deletes.is_empty()).then_some(Part::Deletes { set, table, rows: deletes });
                [came, left]
            }
            UpdateRows::Event { events: rows } => {
                [(!rows.is_empty()).then_some(Part::Events { set, table, rows }), None]
            }
        })
        .flatten()
}
