//! Observers of a client as a whole: of its calls, of what it broadcasts, of slowness, losses and panics.

use std::sync::{Arc, Weak};

use lightlike_core::conn::SlowConsumer;

use crate::client::{Client, Handle};
use crate::events::broadcast::Broadcasts;
use crate::events::callbacks::{CallbackId, Callbacks};
use crate::events::listeners::{Called, Listeners, Unhandled, UnhandledCallback};
use crate::observe::panics::{Panicked, Panics, log};

pub(crate) type LostCallback = dyn FnMut(&Client) + Send;
pub(crate) type PanicCallback = dyn FnMut(&Client, &Panicked) + Send;
pub(crate) type SlowCallback = dyn FnMut(&Client, &SlowConsumer) + Send;

/// Callbacks and streams that are of no single table. They run with a handle on the client, while there is one.
pub(crate) struct Observers {
    listeners: Listeners,
    broadcasts: Broadcasts,
    unhandled: Arc<Callbacks<UnhandledCallback>>,
    lost_for_long: Arc<Callbacks<LostCallback>>,
    slow: Arc<Callbacks<SlowCallback>>,
    panicked: Arc<Callbacks<PanicCallback>>,
}

impl Observers {
    pub(crate) fn new(panics: &Arc<Panics>) -> Self {
        Self {
            listeners: Listeners::new(panics),
            broadcasts: Broadcasts::new(panics),
            unhandled: Callbacks::new("on_unhandled_rejection", None, panics),
            lost_for_long: Callbacks::new("on_lost_for_long", None, panics),
            slow: Callbacks::new("on_slow_consumer", None, panics),
            // Its own panics are only logged: they could go on for ever.
            panicked: Callbacks::new("on_panic", None, &Arc::default()),
        }
    }

    pub(crate) fn listeners(&self) -> &Listeners {
        &self.listeners
    }

    pub(crate) fn broadcasts(&self) -> &Broadcasts {
        &self.broadcasts
    }

    pub(crate) fn on_unhandled(&self, callback: Box<UnhandledCallback>) -> CallbackId {
        self.unhandled.register(callback)
    }

    pub(crate) fn on_lost_for_long(&self, callback: Box<LostCallback>) -> CallbackId {
        self.lost_for_long.register(callback)
    }

    pub(crate) fn on_slow(&self, callback: Box<SlowCallback>) -> CallbackId {
        self.slow.register(callback)
    }

    pub(crate) fn on_panic(&self, callback: Box<PanicCallback>) -> CallbackId {
        self.panicked.register(callback)
    }

    /// Reports a call that is answered, which `called` makes if there is an observer of calls.
    pub(crate) fn called(&self, handle: &Weak<Handle>, called: impl FnOnce() -> Option<Called>) {
        if self.listeners.is_empty() && self.broadcasts.is_empty() {
            return;
        }
        let Some(called) = called() else { return };
        if let Some(handle) = handle.upgrade() {
            self.listeners.tell(&Client::from_handle(handle), &called);
        }
        self.broadcasts.call(&called);
    }

    /// Reports a call that failed and has no waiter, to the log where there is no callback.
    pub(crate) fn unhandled(&self, handle: &Weak<Handle>, unhandled: &Unhandled) {
        if self.unhandled.is_empty() {
            let Unhandled { function, message, .. } = unhandled;
            log!(
                warn,
                name: "lightlike.call.unhandled",
                %function,
                %message,
                "a call failed and nobody waited for it"
            );
        } else if let Some(handle) = handle.upgrade() {
            let client = Client::from_handle(handle);
            self.unhandled.run().each(|callback| callback(&client, unhandled));
        }
    }

    pub(crate) fn lost_for_long(&self, handle: &Weak<Handle>) {
        if let Some(handle) = handle.upgrade() {
            let client = Client::from_handle(handle);
            self.lost_for_long.run().each(|callback| callback(&client));
        }
    }

    /// Reports that the application does not keep up, to the log in any case.
    pub(crate) fn slow_consumer(&self, handle: &Weak<Handle>, notice: &SlowConsumer) {
        let SlowConsumer { reason, behind, bytes_waiting, .. } = notice;
        log!(
            warn,
            name: "lightlike.slow_consumer",
            ?reason,
            ?behind,
            bytes_waiting,
            "the application does not keep up"
        );
        if !self.slow.is_empty()
            && let Some(handle) = handle.upgrade()
        {
            let client = Client::from_handle(handle);
            self.slow.run().each(|callback| callback(&client, notice));
        }
    }

    /// Reports the panics of callbacks in the event that was just delivered.
    pub(crate) fn report_panics(&self, handle: &Weak<Handle>, panics: &Panics) {
        let caught = panics.take();
        if !caught.is_empty()
            && !self.panicked.is_empty()
            && let Some(handle) = handle.upgrade()
        {
            let client = Client::from_handle(handle);
            let mut callbacks = self.panicked.run();
            for panicked in caught {
                callbacks.each(|callback| {
                    if !panics.is_silenced() {
                        callback(&client, &panicked);
                    }
                });
            }
        }
    }

    /// Ends streams and drops callbacks: one of them may hold the client, which holds them.
    pub(crate) fn end(&self) {
        self.broadcasts.end();
        self.listeners.end();
        self.unhandled.end();
        self.lost_for_long.end();
        self.slow.end();
        self.panicked.end();
    }
}
