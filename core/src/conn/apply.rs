//! Messages become changes of the cache, and those become events.

use std::time::Instant;

use super::event::{Cause, Greeting, SetEnd, TransactionEvent};
use super::state::ConnectionState;
use super::{Connection, Event, Liveness, Lost, Progress, Reply, State};
use crate::cache::{Change, Part, SetFailure, SetId, Step, Transaction};
use crate::calls::{InFlight, Kind};
use crate::subs::Stage;
use crate::types::{TimeDuration, Timestamp};
use crate::wire::{
    BatchResult, ProcedureStatus, QueryRows, QuerySetId, ReducerOutcome, RequestId, ServerMessage,
    TransactionUpdate, UpdateRows,
};

/// The message that is being applied: why, and what to say when it is.
#[derive(Debug, Default)]
pub(super) struct Applying {
    cause: Option<Cause>,
    then: Vec<Event>,
}

/// A message that the protocol does not allow.
struct Violation(&'static str);

impl Connection {
    /// Applies what came, about `max_rows` rows of it at most. Does nothing while events wait to be delivered.
    pub fn step(&mut self, now: Instant, max_rows: usize) -> Progress {
        if !self.events.is_empty() {
            return Progress::More;
        }
        if self.cache.is_applying() {
            return self.step_cache(max_rows);
        }
        let (State::Greeting { protocol, .. }
        | State::Online { protocol, .. }
        | State::Closing { protocol, .. }
        | State::Draining { protocol, .. }) = self.state
        else {
            return self.reclaim(max_rows);
        };
        match self.inbox.next(protocol, &self.config.limits) {
            Some(Ok(message)) => {
                if let Err(Violation(what)) = self.handle_message(now, message) {
                    self.lose(Lost::Violation(what));
                }
                Progress::More
            }
            Some(Err(error)) => {
                self.lose(Lost::Wire(error));
                Progress::More
            }
            None => match &self.state {
                State::Draining { reason, .. } => {
                    let reason = reason.clone();
                    self.end(reason);
                    Progress::More
                }
                _ => self.reclaim(max_rows),
            },
        }
    }

    fn reclaim(&mut self, max_rows: usize) -> Progress {
        if self.cache.reclaim(max_rows) { Progress::More } else { Progress::Idle }
    }

    fn step_cache(&mut self, max_rows: usize) -> Progress {
        match self.cache.step(max_rows) {
            Step::More if self.cache.is_waiting_for_views() => return Progress::Waiting,
            Step::More => (),
            Step::Committed(transaction) => self.committed(transaction),
            Step::OutOfSync(error) => self.lose(Lost::OutOfSync(error)),
        }
        Progress::More
    }

    /// A message was applied: says what changed, then what it answers.
    fn committed(&mut self, transaction: Transaction) {
        let Applying { cause, then } = std::mem::take(&mut self.applying);
        let failed: Vec<SetFailure> = transaction.failed_sets().to_vec();
        if !transaction.is_empty() {
            let cause = cause.unwrap_or(Cause::Other);
            self.events.push_back(Event::Transaction(TransactionEvent { transaction, cause }));
        }
        for event in then {
            match event {
                Event::Applied(set) if failed.iter().any(|failure| failure.set == set) => (),
                event => self.events.push_back(event),
            }
        }
        for failure in failed {
            self.fail_set(failure);
        }
    }

    /// A set's rows do not decode as their Rust type, and are gone: tells the server, and the application.
    pub(super) fn fail_set(&mut self, failure: SetFailure) {
        let set = failure.set;
        let told = matches!(self.subs.stage(set), Some(Stage::Ending { .. }));
        self.subs.set_stage(set, Stage::Failed);
        if !told {
            self.send_unsubscribe(set);
        }
        self.events.push_back(Event::Ended { set, reason: SetEnd::Undecodable(failure) });
    }

    /// Starts to apply `change`, or only says what follows where it is empty.
    fn apply(&mut self, change: Change, cause: Cause, then: Vec<Event>) {
        if change.parts.is_empty() {
            self.events.extend(then);
        } else {
            self.applying = Applying { cause: Some(cause), then };
            self.cache.begin(change);
        }
    }

    fn handle_message(&mut self, now: Instant, message: ServerMessage) -> Result<(), Violation> {
        let greeted = !matches!(self.state, State::Greeting { .. });
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
                self.apply(change, Cause::Other, Vec::new());
                Ok(())
            }
            ServerMessage::OneOffQueryResult { request_id, result } => {
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

    fn greeted(&mut self, now: Instant, greeting: Greeting) {
        let State::Greeting { protocol, .. } = self.state else { return };
        self.state = State::Online { protocol, liveness: Liveness { heard: now, pinged: None } };
        self.token = Some(greeting.token.clone());
        self.greeting = Some(greeting.clone());
        self.events.push_back(Event::Connected(greeting));
        self.announce(ConnectionState::Ready);
        for set in self.subs.waiting() {
            self.send_set(set);
        }
        self.send_calls();
    }

    fn subscribe_applied(&mut self, wire: QuerySetId, rows: QueryRows) -> Result<(), Violation> {
        let Some((set, stage)) = self.subs.by_wire(wire) else {
            return Err(Violation("it applied a query set that was not asked for"));
        };
        match stage {
            Stage::Sent => {
                self.subs.set_stage(set, Stage::Applied);
                let change = Change { parts: inserts(set, rows).collect() };
                self.apply(change, Cause::Applied(set), vec![Event::Applied(set)]);
                Ok(())
            }
            // It is not wanted any more: its rows need not come in to go out.
            Stage::Ending { holds_rows: false } | Stage::Failed => Ok(()),
            Stage::Waiting | Stage::Applied | Stage::Ending { holds_rows: true } => {
                Err(Violation("it applied a query set twice"))
            }
        }
    }

    fn batch_applied(&mut self, results: Vec<BatchResult>) -> Result<(), Violation> {
        let (mut parts, mut then) = (Vec::new(), Vec::new());
        let mut cause = None;
        for BatchResult { query_set_id, outcome } in results {
            let Some((set, stage)) = self.subs.by_wire(query_set_id) else {
                return Err(Violation("it applied a query set that was not asked for"));
            };
            match (stage, outcome) {
                (Stage::Sent, Ok(rows)) => {
                    self.subs.set_stage(set, Stage::Applied);
                    parts.extend(inserts(set, rows));
                    then.push(Event::Applied(set));
                    cause.get_or_insert(Cause::Applied(set));
                }
                (Stage::Sent, Err(error)) => {
                    self.subs.remove(set);
                    let reason = SetEnd::Refused((&*error).into());
                    then.push(Event::Ended { set, reason });
                }
                _ => (),
            }
        }
        self.apply(Change { parts }, cause.unwrap_or(Cause::Other), then);
        Ok(())
    }

    fn unsubscribe_applied(&mut self, wire: QuerySetId) -> Result<(), Violation> {
        let Some((set, stage)) = self.subs.by_wire(wire) else {
            return Err(Violation("it ended a query set that it does not have"));
        };
        self.subs.remove(set);
        match stage {
            Stage::Ending { holds_rows } => {
                self.drop_set(set, holds_rows, SetEnd::Unsubscribed);
                Ok(())
            }
            Stage::Failed => Ok(()),
            Stage::Waiting | Stage::Sent | Stage::Applied => {
                Err(Violation("it ended a query set unasked"))
            }
        }
    }

    /// The server refused a query set, or could not keep it up.
    fn subscription_error(&mut self, wire: QuerySetId, error: &str) {
        let Some((set, stage)) = self.subs.by_wire(wire) else {
            // It may cross our own unsubscribing; there is nothing left to undo.
            tracing::debug!(?wire, error, "the server refused a query set that is over");
            return;
        };
        self.subs.remove(set);
        match stage {
            Stage::Failed => (),
            // Wished for and gone: the application asked for its end, and that is what it gets.
            Stage::Ending { holds_rows } => self.drop_set(set, holds_rows, SetEnd::Unsubscribed),
            Stage::Waiting | Stage::Sent => {
                self.drop_set(set, false, SetEnd::Refused(error.into()));
            }
            Stage::Applied => self.drop_set(set, true, SetEnd::Refused(error.into())),
        }
    }

    fn drop_set(&mut self, set: SetId, holds_rows: bool, reason: SetEnd) {
        let parts = if holds_rows { vec![Part::DropSet { set }] } else { Vec::new() };
        self.apply(Change { parts }, Cause::Ended(set), vec![Event::Ended { set, reason }]);
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
        let change = self.change_of(update)?;
        let call = self.calls.answer(request_id).ok_or(Violation(UNASKED))?;
        self.send_calls();
        let cause = Cause::Call { call: call.call, reducer, timestamp };
        let then = if call.timed_out {
            Vec::new()
        } else {
            vec![Event::Answered { call: call.call, reply }]
        };
        self.apply(change, cause, then);
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
            self.answer(call.call, reply);
        }
    }

    /// A transaction's rows, without those of sets that are over here.
    fn change_of(&self, update: TransactionUpdate) -> Result<Change, Violation> {
        let mut parts = Vec::new();
        for set_update in update.query_sets {
            let Some((set, stage)) = self.subs.by_wire(set_update.query_set_id) else {
                return Err(Violation("it updated a query set that it does not have"));
            };
            if !stage.follows_updates() {
                continue;
            }
            for table_update in set_update.tables {
                let table = table_update.table;
                for rows in table_update.rows {
                    let table = table.clone();
                    match rows {
                        UpdateRows::Persistent { inserts, deletes } => {
                            if !inserts.is_empty() {
                                let table = table.clone();
                                parts.push(Part::Inserts { set, table, rows: inserts });
                            }
                            if !deletes.is_empty() {
                                parts.push(Part::Deletes { set, table, rows: deletes });
                            }
                        }
                        UpdateRows::Event { events: rows } => {
                            if !rows.is_empty() {
                                parts.push(Part::Events { set, table, rows });
                            }
                        }
                    }
                }
            }
        }
        Ok(Change { parts })
    }
}

const UNASKED: &str = "it answered a request that was not made";
const OTHER_KIND: &str = "its answer is not of the kind that was asked for";

fn inserts(set: SetId, rows: QueryRows) -> impl Iterator<Item = Part> {
    let lists = rows.tables.into_iter().filter(|list| !list.rows.is_empty());
    lists.map(move |list| Part::Inserts { set, table: list.table, rows: list.rows })
}
