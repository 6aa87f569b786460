//! Delivery of the machine's events.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use lightlike_core::conn::{self, ConnectionState, SetEnd, SubscriptionId, TransactionEvent};
use lightlike_core::guard::{self, Collector};

use super::{Hub, lock, send};
use crate::client::{Client, Handle};
use crate::events::changes::Changes;
use crate::events::event::Event;
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
        guard::quietly("on_panic", || self.report_panics(handle));
    }

    fn deliver_one(self: &Arc<Self>, handle: &Weak<Handle>, event: conn::Event) {
        let session = self.sessions.of(&event);
        let _in_session = session.enter();
        match event {
            conn::Event::State(state) => self.state_changed(state),
            conn::Event::Transaction(transaction) => self.transaction(handle, transaction),
            conn::Event::Applied(set) => {
                self.batches.applied(set);
                log!(debug, name: "lightlike.set.applied", set = set.0, "a query set is applied");
                self.set_stage(set, Stage::Applied);
            }
            conn::Event::Stale { set, reason } => {
                log!(warn, name: "lightlike.set.stale", set = set.0, %reason, "a query set is stale");
                self.set_stage(set, Stage::Stale(reason));
            }
            conn::Event::Ended { set, reason } => self.ended(set, reason),
            conn::Event::LostForLong => self.lost_for_long(handle),
            conn::Event::UserChanged => self.restart_sets().into_iter().for_each(guard::wake),
            conn::Event::Answered { call, reply, times } => {
                self.answered(handle, call, reply, times);
            }
            conn::Event::Accepted { call, accepted } => self.offline.accepted(call, accepted),
            conn::Event::BeforeReplay(calls) => self.before_replay(&calls),
            conn::Event::Restored(call) => self.restored(*call),
            conn::Event::ArgumentsChanged { call, args } => self.arguments_changed(call, args),
            #[cfg(feature = "http")]
            conn::Event::SchemaWanted => self.schema.wanted.notify_one(),
            #[cfg(not(feature = "http"))]
            conn::Event::SchemaWanted => (),
            conn::Event::Sync(state) => self.offline.sync_changed(state),
            conn::Event::Receiving(receiving) => self.received(receiving),
            conn::Event::Slow(notice) => self.slow_consumer(handle, &notice),
            conn::Event::Verified { id, outcome } => {
                let sender = lock(&self.verifiers).remove(&id);
                if let Some(sender) = sender {
                    // Whoever dropped the receiver does not want to know.
                    let _ = send(sender, outcome);
                }
            }
            conn::Event::Alarm(alarm) => {
                let sender = lock(&self.alarms).remove(&alarm);
                if let Some(sender) = sender {
                    // Whoever dropped the receiver does not wait any more.
                    let _ = send(sender, ());
                }
            }
            conn::Event::Panicked(panic) => self.panics.tell(panic),
            // Who we are is read from the machine.
            conn::Event::Connected(greeting) => self.session.keep(&greeting.token),
        }
    }

    /// Tells of the callbacks that panicked in the event that was just delivered.
    fn report_panics(&self, handle: &Weak<Handle>) {
        let panics = self.panics.take();
        if !panics.is_empty()
            && !self.panicked.is_empty()
            && let Some(handle) = handle.upgrade()
        {
            let client = Client::from_handle(handle);
            let mut callbacks = self.panicked.run();
            for panicked in panics {
                callbacks.each(|callback| {
                    if !self.panics.is_silenced() {
                        callback(&client, &panicked);
                    }
                });
            }
        }
    }

    fn state_changed(&self, state: ConnectionState) {
        observe::state(&self.sessions.origin, self.session.presented().as_deref(), &state);
        let closed = matches!(state, ConnectionState::Closed(_));
        self.is_ready.store(matches!(state, ConnectionState::Ready), Ordering::Relaxed);
        self.state.set(state);
        self.hooks.changed.touch();
        if closed {
            #[cfg(feature = "http")]
            self.schema.wanted.notify_one();
            self.batches.close();
            self.state.end();
            self.receiving.end();
            let alarms = std::mem::take(&mut *lock(&self.alarms));
            alarms.into_values().for_each(|alarm| guard::drop_quietly("waker", alarm));
            self.offline.end_streams();
            self.end_callbacks();
        }
    }

    /// Streams end, and callbacks are dropped: one of them may hold the client, which holds them.
    fn end_callbacks(&self) {
        self.hooks.end();
        self.broadcasts.end();
        self.listeners.end();
        self.unhandled.end();
        self.lost_for_long.end();
        self.slow.end();
        self.panicked.end();
    }

    fn transaction(self: &Arc<Self>, handle: &Weak<Handle>, event: TransactionEvent) {
        // With the last handle gone nobody is left to be told.
        let Some(handle) = handle.upgrade().filter(|_| !self.panics.is_silenced()) else { return };
        let client = Client::from_handle(handle);
        let changes = Changes::new(event.transaction, event.cause);
        observe::transaction(&changes);
        let span = spans::transaction(&changes, |call| self.span_of(call));
        let _in_transaction = span.enter();
        let after = self.view(changes.transaction().after().clone());
        let before = self.view(changes.transaction().before().clone());
        let event = Event::new(&client, changes.cause(), &before, &after);
        self.hooks.dispatch(&event, &changes);
        self.broadcasts.rows(&changes);
    }

    fn lost_for_long(&self, handle: &Weak<Handle>) {
        if let Some(handle) = handle.upgrade() {
            let client = Client::from_handle(handle);
            self.lost_for_long.run().each(|callback| callback(&client));
        }
    }

    /// Returns `true` if a set is not over.
    #[cfg(feature = "http")]
    pub(crate) fn has_set(&self, set: SubscriptionId) -> bool {
        lock(&self.sets).contains_key(&set)
    }

    fn set_stage(&self, set: SubscriptionId, stage: Stage) {
        let told = lock(&self.sets).get(&set).map(|source| source.set_quietly(stage));
        // Nothing is locked any more: wakers may do anything.
        told.into_iter().flatten().for_each(guard::wake);
    }

    fn ended(&self, set: SubscriptionId, reason: SetEnd) {
        self.batches.ended(set);
        observe::set_ended(set, &reason);
        let stage = lock(&self.sets).remove(&set);
        if let Some(stage) = stage {
            #[cfg(feature = "http")]
            if let Some(differences) = self.schema.take_differing(set) {
                stage.set(Stage::Ended(End::Differs(differences)));
                return;
            }
            stage.set(Stage::Ended(End::Set(reason)));
        }
    }
}
