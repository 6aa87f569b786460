//! Messages of the server: the changes that each asks for, and what follows them.

use std::time::Instant;

use bytes::Bytes;

use super::Connection;
use crate::cache::Change;
use crate::conn::apply::changes::Then;
use crate::conn::apply::messages::{Violation, changes, excerpt, inserts};
use crate::conn::calls::{InFlight, Kind};
use crate::conn::event::{Cause, Event, Greeting, Reply, SetEnd};
use crate::conn::lifecycle::liveness::Liveness;
use crate::conn::lifecycle::phase::State;
use crate::conn::lifecycle::state::{ConnectionState, Lost};
use crate::conn::subscriptions::{
    Answer, Arrival, Ended, Refused, Released, Route, Stage, SubscriptionId,
};
use crate::conn::telemetry::times::CallTimes;
use crate::guard::log;
use crate::types::{TimeDuration, Timestamp};
use crate::wire::{
    BatchResult, ProcedureStatus, QueryRows, QuerySetId, ReducerOutcome, RequestId, ServerMessage,
    Text, TransactionUpdate,
};

const UNASKED: &str = "it answered a request that was not made";
const OTHER_KIND: &str = "its answer is not of the kind that was asked for";

impl Connection {
    pub(super) fn handle_message(
        &mut self,
        now: Instant,
        message: ServerMessage,
    ) -> Result<(), Violation> {
        let greeted = self.greeted_here();
        match message {
            ServerMessage::InitialConnection { identity, connection_id, token } if !greeted => {
                match self.credentials.token_to_keep(&token) {
                    Ok(token) => self.greeted(now, Greeting { identity, connection_id, token }),
                    Err(error) => self.lose(now, Lost::Token(error)),
                }
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
                self.query_result(request_id, result)
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

    /// Copies bytes of the message under way that the application may keep for long, if all of the frame would be kept for
    /// them.
    fn own(&self, bytes: Bytes) -> Bytes {
        if bytes.len() < self.inbox.frame().bytes / 2 {
            Bytes::copy_from_slice(&bytes)
        } else {
            bytes
        }
    }

    /// Returns `true` if the server has greeted on this socket.
    fn greeted_here(&self) -> bool {
        match self.state {
            State::Greeting { .. } => false,
            // A socket that ended before its greeting was applied.
            State::Draining { .. } => self.ready || self.resync.is_some(),
            _ => true,
        }
    }

    fn greeted(&mut self, now: Instant, greeting: Greeting) {
        let State::Greeting { protocol, .. } = self.state else { return };
        let checked = self.credentials.check(&greeting);
        if let Err(not_ours) = checked.and_then(|()| self.check_scope(&greeting)) {
            return self.lose(now, not_ours);
        }
        self.state = State::Online { protocol, liveness: Liveness::new(now) };
        self.credentials.greeted(greeting.clone());
        self.recovery.greeted();
        self.stats.connections += 1;
        self.events.push(Event::Connected(greeting));
        if self.start_resync(now) {
            self.events.announce(ConnectionState::Resyncing);
        } else {
            self.end_orphaned_predictions(now);
        }
        for set in self.subs.at(Stage::Waiting) {
            self.send_set(set);
        }
    }

    pub(super) fn become_ready(&mut self, now: Instant) {
        let State::Online { .. } = self.state else { return };
        self.ready = true;
        self.recovery.ready(now);
        self.events.announce(ConnectionState::Ready);
        if let Some(journal) = &mut self.journal {
            journal.start_unclaimed(now);
        }
        self.start_replay();
    }

    fn subscribe_applied(&mut self, wire: QuerySetId, rows: QueryRows) -> Result<(), Violation> {
        if self.compare_set(wire, Some(&rows)) {
            return Ok(());
        }
        match self.subs.answered(wire) {
            Answer::First(arrival) => {
                let change = Change::of(inserts(arrival.rows, rows).collect());
                self.bring(change, Cause::Applied(arrival.set), arrival);
                Ok(())
            }
            Answer::Again(arrival) => {
                self.resync_answered(arrival, inserts(arrival.rows, rows));
                Ok(())
            }
            Answer::Unwanted => Ok(()),
            Answer::Twice => Err(Violation("it applied a query set twice")),
            Answer::Unknown => Err(Violation("it applied a query set that was not asked for")),
        }
    }

    /// Makes a change that brings a set's rows in.
    pub(super) fn bring(&mut self, change: Change, cause: Cause, arrival: Arrival) {
        self.apply(change, cause, vec![Then::Arrived(vec![arrival])]);
    }

    fn batch_applied(&mut self, results: Vec<BatchResult>) -> Result<(), Violation> {
        self.recovery.batch_applied();
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
        match self.subs.ended(wire) {
            Ended::Over(set, rows) => {
                self.drop_set(set, rows, SetEnd::Unsubscribed);
                Ok(())
            }
            Ended::Failed => Ok(()),
            Ended::Unasked => Err(Violation("it ended a query set unasked")),
            Ended::Unknown => Err(Violation("it ended a query set that it does not have")),
        }
    }

    /// The server refused a query set, or could not keep it up.
    fn subscription_error(&mut self, wire: QuerySetId, error: &str) {
        if self.compare_set(wire, None) {
            return;
        }
        match self.subs.refused(wire) {
            // It may cross our own unsubscribing; there is nothing left to undo.
            Refused::Unknown => {
                let error = excerpt(error);
                log!(debug, ?wire, error, "the server refused a query set that is over");
            }
            Refused::KeepsRows(set) => self.resync_refused(set, error),
            // Wished for and gone: the application asked for its end, and that is what it gets.
            Refused::Over { set, rows, was_ending: true } => {
                self.drop_set(set, rows, SetEnd::Unsubscribed);
            }
            Refused::Over { set, rows, was_ending: false } => {
                self.drop_set(set, rows, SetEnd::Refused(excerpt(error)));
            }
        }
    }

    /// Drops the rows that a set owned, then says that it is over; at once, where it owned none and nothing is to be applied
    /// before.
    pub(super) fn drop_set(&mut self, set: SubscriptionId, rows: Released, reason: SetEnd) {
        let cause = match reason {
            SetEnd::Unsubscribed | SetEnd::Closed => Cause::Unsubscribed(set),
            _ => Cause::Failed(set),
        };
        let ended = Event::Ended { set, reason };
        // Behind changes that wait, so that events keep the server's order.
        if rows.is_empty() && !self.is_applying() {
            return self.say(ended);
        }
        self.apply(Change::of(rows.into_drops()), cause, vec![Then::Say(ended)]);
    }

    fn query_result(
        &mut self,
        request_id: RequestId,
        result: Result<QueryRows, Text>,
    ) -> Result<(), Violation> {
        if self.calls.kind(request_id) == Some(&Kind::Probe) {
            let _ = self.calls.answer(request_id);
            self.probed(result);
            return Ok(());
        }
        let call = self.answered(request_id, &Kind::Query)?;
        let reply = match result {
            Ok(rows) => Reply::Rows(rows),
            Err(error) => Reply::QueryRefused(excerpt(&error)),
        };
        self.complete_call(call, reply);
        Ok(())
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
        let (update, reply) = self.reply_of(outcome, timestamp);
        // The call is taken out last: whatever breaks the protocol leaves it to be completed with the others.
        let mut change = self.change_of(update)?;
        let call = self.calls.answer(request_id).ok_or(Violation(UNASKED))?;
        self.send_calls();
        let InFlight { call, timed_out, args, made, sent, .. } = call;
        let times = self.answered_now(made, sent);
        // The prediction ends in the transaction that has the server's rows: readers see one or the other, never neither.
        change.ends = self.mutation_of(call);
        if change.is_empty() && !self.is_applying() {
            // Nothing changes, as with many calls: the answer follows at once.
            if timed_out {
                self.ids_are_over(call);
            } else {
                self.say(Event::Answered { call, reply, times });
            }
            return Ok(());
        }
        let committed = matches!(reply, Reply::Committed { .. });
        let cause = match committed {
            true => Cause::Call { call, reducer, timestamp, args },
            false => Cause::Reverted([call].into()),
        };
        let then = match timed_out {
            true => Then::Over(call),
            false => Then::Say(Event::Answered { call, reply, times }),
        };
        self.apply_if_any(change, cause, vec![then]);
        Ok(())
    }

    /// The rows and the answer in a reducer's outcome.
    fn reply_of(
        &self,
        outcome: ReducerOutcome,
        timestamp: Timestamp,
    ) -> (TransactionUpdate, Reply) {
        match outcome {
            ReducerOutcome::Ok { ret_value, update } => {
                let returned = self.own(ret_value);
                (update, Reply::Committed { returned, timestamp })
            }
            ReducerOutcome::OkEmpty => {
                let returned = Bytes::new();
                (TransactionUpdate::default(), Reply::Committed { returned, timestamp })
            }
            ReducerOutcome::Err(error) => {
                let error = self.own(error);
                (TransactionUpdate::default(), Reply::Rejected { error, timestamp })
            }
            ReducerOutcome::InternalError(error) => {
                (TransactionUpdate::default(), Reply::Failed(excerpt(&error)))
            }
        }
    }

    fn procedure_result(
        &mut self,
        request_id: RequestId,
        status: ProcedureStatus,
        timestamp: Timestamp,
        duration: TimeDuration,
    ) -> Result<(), Violation> {
        let call = self.answered(request_id, &Kind::Procedure)?;
        self.complete_call(
            call,
            match status {
                ProcedureStatus::Returned(value) => {
                    let value = self.own(value);
                    Reply::Returned { value, timestamp, duration }
                }
                ProcedureStatus::InternalError(error) => Reply::Failed(excerpt(&error)),
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

    /// The times of a call that was made and sent then, and whose answer is the message that was just read.
    pub(super) fn answered_now(
        &mut self,
        made: Option<Instant>,
        sent: Option<Instant>,
    ) -> CallTimes {
        let now = self.calls.clock();
        let came = self.inbox.came().or(now);
        let took = sent.zip(came).map(|(sent, came)| came.saturating_duration_since(sent));
        self.stats.count_answer(took);
        CallTimes::answered(made, sent, took, (came, now))
    }

    /// Makes a change; where nothing changes, what follows it follows at once.
    fn apply_if_any(&mut self, change: Change, cause: Cause, then: Vec<Then>) {
        if change.is_empty() && !self.is_applying() {
            for then in then {
                match then {
                    Then::Say(event) => self.say(event),
                    Then::Over(call) => self.ids_are_over(call),
                    Then::Arrived(_) | Then::Reloaded | Then::Ready => (),
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
        let message = self.stats.messages_received;
        for update in update.query_sets {
            if self.verifying.has(update.query_set_id) {
                continue;
            }
            match self.subs.route(update.query_set_id) {
                Route::Cache(to) => parts.extend(changes(to, message, update)),
                Route::Gathered(to) => {
                    changes(to, message, update).for_each(|part| self.resync_changed(part));
                }
                Route::Nowhere => (),
                Route::Unknown => {
                    return Err(Violation("it updated a query set that it does not have"));
                }
            }
        }
        Ok(Change::of(parts))
    }
}
