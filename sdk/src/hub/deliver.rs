//! Delivery of the machine's events.

use std::sync::{Arc, Weak};

use lightlike_core::conn::{
    self, CallId, CallTimes, Connection, ConnectionState, Reply, SetEnd, SubscriptionId,
    TransactionEvent,
};
use lightlike_core::guard::{self, Collector};

use super::Hub;
use crate::calls::making::function;
use crate::client::{Client, Handle};
use crate::events::changes::Changes;
use crate::events::event::Event;
use crate::events::listeners::{Called, Unhandled};
use crate::observe::panics::log;
use crate::observe::{self, spans};
use crate::subscriptions::{End, Stage};

impl Hub {
    /// Hands one event of the machine's to those who wait for it. Runs callbacks; no lock is held meanwhile.
    ///
    /// Never panics: whatever code of the application does, the events that follow are delivered.
    pub(crate) fn deliver(self: &Arc<Self>, handle: &Weak<Handle>, event: conn::Event) {
        let collector = Collector::start();
        if let Err(message) = guard::catch(|| self.deliver_one(handle, event)) {
            self.panics.note("delivery", None, message);
        }
        for noted in collector.finish() {
            self.panics.tell(noted.into());
        }
        guard::quietly("on_panic", || self.observers.report_panics(handle, &self.panics));
    }

    /// Delivers events where nothing drives the client: before there is a driver, and after it has ended. No callback hears
    /// of these: rows come from drivers.
    pub(crate) fn deliver_undriven(self: &Arc<Self>) {
        while let Some(event) = self.shared.undriven_event() {
            self.deliver(&Weak::new(), event);
        }
    }

    fn deliver_one(self: &Arc<Self>, handle: &Weak<Handle>, event: conn::Event) {
        let session = self.sessions.of(&event);
        let _in_session = session.enter();
        match event {
            conn::Event::State(state) => self.state_changed(state),
            conn::Event::Transaction(transaction) => self.transaction(handle, transaction),
            conn::Event::Applied(set) => {
                log!(debug, name: "lightlike.set.applied", set = set.0, "a query set is applied");
                self.sets.applied(set);
            }
            conn::Event::Stale { set, reason } => {
                log!(warn, name: "lightlike.set.stale", set = set.0, %reason, "a query set is stale");
                self.sets.set_stage(set, Stage::Stale(reason));
            }
            conn::Event::Ended { set, reason } => self.ended(set, reason),
            conn::Event::LostForLong => self.observers.lost_for_long(handle),
            conn::Event::UserChanged => self.sets.reset_stages().into_iter().for_each(guard::wake),
            conn::Event::Answered { call, reply, times } => {
                self.answered(handle, call, reply, times);
            }
            conn::Event::Accepted { call, accepted } => self.offline.accepted(call, accepted),
            conn::Event::BeforeReplay(calls) => {
                let verdicts = self.offline.before_replay(&calls);
                self.shared.command(|connection, _| connection.replay(&verdicts));
            }
            conn::Event::Restored(restored) => {
                let (call, again) = (restored.call, (*restored).into());
                let register = |connection: &mut Connection, now| {
                    self.register_call(connection, now, call, again);
                };
                self.shared.command(register);
            }
            conn::Event::ArgumentsChanged { call, args } => self.calls.set_args(call, args),
            #[cfg(feature = "http")]
            conn::Event::SchemaWanted => self.schema.wanted.notify_one(),
            #[cfg(not(feature = "http"))]
            conn::Event::SchemaWanted => (),
            conn::Event::Sync(state) => self.offline.sync_changed(state),
            conn::Event::Receiving(receiving) => self.status.received(receiving),
            conn::Event::Slow(notice) => self.observers.slow_consumer(handle, &notice),
            conn::Event::Verified { id, outcome } => self.verifiers.complete(id, outcome),
            conn::Event::Alarm(alarm) => self.alarms.ring(alarm),
            conn::Event::Panicked(panic) => self.panics.tell(panic),
            // Who we are is read from the machine.
            conn::Event::Connected(greeting) => self.session.keep(&greeting.token),
        }
    }

    fn state_changed(&self, state: ConnectionState) {
        observe::state(&self.sessions.origin, self.session.presented().as_deref(), &state);
        let closed = matches!(state, ConnectionState::Closed(_));
        self.status.set(state);
        self.hooks.changed.touch();
        if closed {
            #[cfg(feature = "http")]
            self.schema.wanted.notify_one();
            self.sets.close();
            self.status.end();
            self.alarms.end();
            self.offline.end_streams();
            self.hooks.end();
            self.observers.end();
        }
    }

    fn transaction(self: &Arc<Self>, handle: &Weak<Handle>, event: TransactionEvent) {
        // With the last handle gone nobody is left to be told.
        let Some(handle) = handle.upgrade().filter(|_| !self.panics.is_silenced()) else { return };
        let client = Client::from_handle(handle);
        let changes = Changes::new(event.transaction, event.cause);
        observe::transaction(&changes);
        let span = spans::transaction(&changes, |call| self.calls.span_of(call));
        let _in_transaction = span.enter();
        let after = self.view(changes.transaction().after().clone());
        let before = self.view(changes.transaction().before().clone());
        let event = Event::new(&client, changes.cause(), &before, &after);
        self.hooks.dispatch(&event, &changes);
        self.observers.broadcasts().rows(&changes);
    }

    fn answered(&self, handle: &Weak<Handle>, call: CallId, reply: Reply, times: CallTimes) {
        let Some(caller) = self.calls.take(call) else { return };
        self.offline.ended(&caller, &reply);
        let (request, sink, span) = caller.into_parts();
        span.answered(&reply);
        let _in_call = span.enter();
        observe::answered(function(&request), &reply, times);
        self.observers.called(handle, || Called::new(call, &request, &reply, times));
        let unheard = sink.answer(reply, times, || self.offline.take_accepting(call));
        if let Some(reply) = unheard
            && let Some(called) = Called::new(call, &request, &reply, times)
            && let Some(unhandled) = Unhandled::of(called)
        {
            self.observers.unhandled(handle, &unhandled);
        }
    }

    fn ended(&self, set: SubscriptionId, reason: SetEnd) {
        observe::set_ended(set, &reason);
        if let Some(stage) = self.sets.remove(set) {
            #[cfg(feature = "http")]
            if let Some(differences) = self.schema.take_differing(set) {
                stage.set(Stage::Ended(End::Differs(differences)));
                return;
            }
            stage.set(Stage::Ended(End::Set(reason)));
        }
    }
}
