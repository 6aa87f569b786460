//! What all handles of one client share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use lightlike_core::cache::{CacheReader, Mutation, RegisterError, TableId};
use lightlike_core::conn::{
    self, CallId, CallRequest, CloseReason, Connection, ConnectionState, Reply, SetEnd,
    SubscriptionId, TransactionEvent,
};
use lightlike_core::driver::Shared;
use lightlike_core::in_order::InOrder;
use lightlike_core::schema::Table;
use tokio::sync::{oneshot, watch};

use crate::call::{CallError, CallErrorKind, failure};
use crate::callbacks::Callbacks;
use crate::changes::Changes;
use crate::client::{Client, Handle};
use crate::error::Repr;
use crate::event::Event;
use crate::hooks::Hooks;
use crate::optimistic::Mutators;
use crate::query::QueryList;
use crate::session::Session;
use crate::subscription::{End, Stage, Subscription};
use crate::view::View;

/// The machine, and where its events go.
pub(crate) struct Hub {
    pub(crate) shared: Arc<Shared>,
    reader: CacheReader,
    pub(crate) hooks: Hooks,
    pub(crate) mutators: Mutators,
    sets: Mutex<HashMap<SubscriptionId, watch::Sender<Stage>>>,
    calls: Mutex<InOrder<Sink>>,
    pub(crate) state: watch::Sender<ConnectionState>,
    /// What `state` says, for reads, which are many.
    is_ready: AtomicBool,
    pub(crate) unhandled: Callbacks<UnhandledCallback>,
    pub(crate) lost_for_long: Callbacks<LostCallback>,
    pub(crate) session: Session,
}

pub(crate) type LostCallback = dyn FnMut(&Client) + Send;
pub(crate) type UnhandledCallback = dyn FnMut(&Client, &Unhandled) + Send;

/// A forgotten call that was not committed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Unhandled {
    /// The reducer's name.
    pub reducer: &'static str,
    /// How the call ended.
    pub kind: CallErrorKind,
    /// The server's words or ours. What a reducer rejected a call with is of its own type, and not in here.
    pub message: Box<str>,
}

/// Who waits for an answer.
enum Sink {
    Tell(oneshot::Sender<Reply>),
    Forget(&'static str),
}

impl Hub {
    pub(crate) fn new(connection: Connection, session: Session, mutators: Mutators) -> Arc<Self> {
        let reader = connection.reader();
        Arc::new(Self {
            shared: Shared::new(connection),
            reader,
            hooks: Hooks::default(),
            mutators,
            sets: Mutex::default(),
            calls: Mutex::default(),
            state: watch::Sender::new(ConnectionState::Idle),
            is_ready: AtomicBool::new(false),
            unhandled: Callbacks::default(),
            lost_for_long: Callbacks::default(),
            session,
        })
    }

    pub(crate) fn read(self: &Arc<Self>) -> View {
        self.view(self.reader.read())
    }

    pub(crate) fn view(self: &Arc<Self>, view: lightlike_core::cache::View) -> View {
        View { view, hub: Arc::clone(self), is_stale: !self.is_ready.load(Ordering::Relaxed) }
    }

    pub(crate) fn register<T: Table>(self: &Arc<Self>) -> Result<TableId, RegisterError> {
        self.command(|connection, _| connection.register::<T>())
    }

    /// Commands the machine.
    pub(crate) fn command<T>(
        self: &Arc<Self>,
        command: impl FnOnce(&mut Connection, Instant) -> T,
    ) -> T {
        let result = self.shared.command(command);
        // Before there is a driver and after it has ended. No callback hears of these: rows come from drivers.
        while let Some(event) = self.shared.undriven_event() {
            self.deliver(&Weak::new(), event);
        }
        result
    }

    pub(crate) fn subscribe(self: &Arc<Self>, list: QueryList) -> Subscription {
        let queries = list.queries.clone().into_boxed_slice();
        let (sender, stage) = watch::channel(Stage::Pending);
        let set = self.command(|connection, _| {
            for register in list.tables {
                register(connection)?;
            }
            let set = connection.subscribe(list.queries);
            // Before the lock is let go: the answer finds whom to tell.
            lock(&self.sets).insert(set, sender);
            Ok(set)
        });
        match set {
            Ok(set) => Subscription::new(Arc::clone(self), set, queries, stage),
            Err(error) => Subscription::refused(Arc::clone(self), queries, error),
        }
    }

    pub(crate) fn call(
        self: &Arc<Self>,
        request: CallRequest,
        mutation: Option<Box<dyn Mutation>>,
        timeout: Option<Duration>,
    ) -> oneshot::Receiver<Reply> {
        let (sender, receiver) = oneshot::channel();
        self.start_call(request, mutation, timeout, Sink::Tell(sender));
        receiver
    }

    pub(crate) fn forget(
        self: &Arc<Self>,
        name: &'static str,
        request: CallRequest,
        mutation: Option<Box<dyn Mutation>>,
        timeout: Option<Duration>,
    ) {
        self.start_call(request, mutation, timeout, Sink::Forget(name));
    }

    fn start_call(
        self: &Arc<Self>,
        request: CallRequest,
        mutation: Option<Box<dyn Mutation>>,
        timeout: Option<Duration>,
        sink: Sink,
    ) {
        self.command(|connection, now| {
            let deadline = timeout.and_then(|timeout| now.checked_add(timeout));
            let call = connection.call(request, deadline);
            // Before the lock is let go: so they come in their order, and the answer finds whom to tell.
            lock(&self.calls).push(call.0, sink);
            if let Some(mutation) = mutation
                && let Err(error) = connection.optimistic(now, call, mutation)
            {
                tracing::warn!(%error, "a mutator contributes nothing, for now");
            }
        });
    }

    /// Why nothing more will come.
    pub(crate) fn closed(&self) -> Repr {
        match &*self.state.borrow() {
            ConnectionState::Closed(CloseReason::Lost(lost)) => Repr::Lost(lost.clone()),
            _ => Repr::Closed,
        }
    }

    /// Hands one event of the machine's to those who wait for it. Runs callbacks; no lock is held meanwhile.
    pub(crate) fn deliver(self: &Arc<Self>, handle: &Weak<Handle>, event: conn::Event) {
        match event {
            conn::Event::State(state) => self.state_changed(state),
            conn::Event::Transaction(transaction) => self.transaction(handle, transaction),
            conn::Event::Applied(set) => {
                if let Some(stage) = lock(&self.sets).get(&set) {
                    stage.send_replace(Stage::Applied);
                }
            }
            conn::Event::Stale { set, reason } => {
                if let Some(stage) = lock(&self.sets).get(&set) {
                    stage.send_replace(Stage::Stale(reason));
                }
            }
            conn::Event::Ended { set, reason } => self.ended(set, reason),
            conn::Event::LostForLong => self.lost_for_long(handle),
            conn::Event::Answered { call, reply } => self.answered(handle, call, reply),
            // Who we are is read from the machine.
            conn::Event::Connected(greeting) => self.session.keep(&greeting.token),
        }
    }

    fn state_changed(&self, state: ConnectionState) {
        let closed = matches!(state, ConnectionState::Closed(_));
        self.is_ready.store(matches!(state, ConnectionState::Ready), Ordering::Relaxed);
        self.state.send_replace(state);
        if closed {
            self.hooks.end_streams();
        }
    }

    fn transaction(self: &Arc<Self>, handle: &Weak<Handle>, event: TransactionEvent) {
        // With the last handle gone nobody is left to be told.
        let Some(handle) = handle.upgrade() else { return };
        let client = Client::from_handle(handle);
        let changes = Changes::new(event.transaction, event.cause);
        let after = self.view(changes.transaction().after().clone());
        let before = self.view(changes.transaction().before().clone());
        let event =
            Event { client: &client, cause: changes.cause(), after: &after, before: &before };
        self.hooks.dispatch(&event, &changes);
    }

    fn lost_for_long(&self, handle: &Weak<Handle>) {
        if let Some(handle) = handle.upgrade() {
            let client = Client::from_handle(handle);
            self.lost_for_long.run().each(|callback| callback(&client));
        }
    }

    fn ended(&self, set: SubscriptionId, reason: SetEnd) {
        if let Some(stage) = lock(&self.sets).remove(&set) {
            stage.send_replace(Stage::Ended(End::Set(reason)));
        }
    }

    fn answered(&self, handle: &Weak<Handle>, call: CallId, reply: Reply) {
        let sink = lock(&self.calls).take(call.0);
        match sink {
            Some(Sink::Tell(sender)) => {
                // Whoever dropped the receiver does not want to know.
                let _ = sender.send(reply);
            }
            Some(Sink::Forget(reducer)) => self.forgotten(handle, reducer, reply),
            None => (),
        }
    }

    /// A call that nobody waits for is answered: unless it was committed, somebody ought to know.
    fn forgotten(&self, handle: &Weak<Handle>, reducer: &'static str, reply: Reply) {
        let error: CallError<()> = match reply {
            Reply::Committed { .. } => return,
            Reply::Rejected { .. } => CallError::Rejected(()),
            other => failure(other),
        };
        let unhandled =
            Unhandled { reducer, kind: error.kind(), message: error.to_string().into() };
        if self.unhandled.is_empty() {
            tracing::warn!(reducer, message = %unhandled.message, "a forgotten call was not committed");
        } else if let Some(handle) = handle.upgrade() {
            let client = Client::from_handle(handle);
            self.unhandled.run().each(|callback| callback(&client, &unhandled));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
