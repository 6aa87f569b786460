//! What all handles of one client share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use lightlike_core::cache::{CacheReader, Mutation, RegisterError, TableId};
use lightlike_core::conn::{
    self, AlarmId, CallId, CallOptions, CallRequest, CallTimes, CloseReason, Connection,
    ConnectionState, Reply, SetEnd, SubscriptionId, TransactionEvent,
};
use lightlike_core::driver::Shared;
use lightlike_core::in_order::InOrder;
use lightlike_core::schema::Table;
use lightlike_core::types::Uuid;
use lightlike_core::wire::Text;
use tokio::sync::{oneshot, watch};

use crate::broadcast::Broadcasts;
use crate::callbacks::Callbacks;
use crate::changes::Changes;
use crate::client::{Client, Handle};
use crate::error::Repr;
use crate::event::Event;
use crate::first_batch::FirstBatches;
use crate::hooks::Hooks;
use crate::listen::{Called, Listeners, Unhandled, UnhandledCallback};
use crate::observe::{self, SlowCallback};
use crate::offline::{AcceptedSender, OfflineHub};
use crate::optimistic::Mutators;
use crate::panics::{Panicked, Panics};
use crate::query::QueryList;
use crate::session::Session;
use crate::spans::{self, CallSpan, Origin, Sessions};
use crate::subscription::{End, Stage, Subscription};
use crate::verify::Verifiers;
use crate::view::View;
use crate::watch::Source;

/// The machine, and where its events go.
pub(crate) struct Hub {
    pub(crate) shared: Arc<Shared>,
    reader: CacheReader,
    pub(crate) hooks: Hooks,
    pub(crate) mutators: Mutators,
    sets: Mutex<HashMap<SubscriptionId, watch::Sender<Stage>>>,
    pub(crate) batches: FirstBatches,
    calls: Mutex<InOrder<Caller>>,
    pub(crate) offline: OfflineHub,
    alarms: Mutex<HashMap<AlarmId, oneshot::Sender<()>>>,
    pub(crate) verifiers: Verifiers,
    pub(crate) state: Source<ConnectionState>,
    /// What `state` says, for reads, which are many.
    is_ready: AtomicBool,
    pub(crate) listeners: Listeners,
    pub(crate) broadcasts: Broadcasts,
    pub(crate) unhandled: Arc<Callbacks<UnhandledCallback>>,
    pub(crate) lost_for_long: Arc<Callbacks<LostCallback>>,
    pub(crate) slow: Arc<Callbacks<SlowCallback>>,
    panics: Arc<Panics>,
    pub(crate) panicked: Arc<Callbacks<PanicCallback>>,
    pub(crate) session: Session,
    sessions: Sessions,
    #[cfg(feature = "http")]
    pub(crate) schema: crate::schema_check::SchemaState,
}

pub(crate) type LostCallback = dyn FnMut(&Client) + Send;
pub(crate) type PanicCallback = dyn FnMut(&Client, &Panicked) + Send;

/// A call or a query that is not answered.
pub(crate) struct Caller {
    pub(crate) request: CallRequest,
    sink: Sink,
    /// The call's name in the journal, if there is one.
    pub(crate) id: Option<Uuid>,
    /// An earlier run of the program made the call.
    pub(crate) restored: bool,
    span: CallSpan,
}

/// Who waits for an answer.
pub(crate) enum Sink {
    Tell(oneshot::Sender<Reply>),
    TellWhen(oneshot::Sender<(Reply, CallTimes)>),
    Forget,
    /// The call is of an earlier run of the program, or made again.
    Nobody,
}

impl Hub {
    pub(crate) fn new(
        connection: Connection,
        session: Session,
        mutators: Mutators,
        origin: Origin,
    ) -> Arc<Self> {
        let reader = connection.reader();
        let panics = Arc::default();
        let hub = Arc::new(Self {
            shared: Shared::new(connection),
            reader,
            hooks: Hooks::new(&panics),
            mutators,
            sets: Mutex::default(),
            batches: FirstBatches::default(),
            calls: Mutex::default(),
            offline: OfflineHub::default(),
            alarms: Mutex::default(),
            verifiers: Verifiers::default(),
            state: Source::new(ConnectionState::Idle),
            is_ready: AtomicBool::new(false),
            listeners: Listeners::new(&panics),
            broadcasts: Broadcasts::default(),
            unhandled: Callbacks::new("on_unhandled_rejection", None, &panics),
            lost_for_long: Callbacks::new("on_lost_for_long", None, &panics),
            slow: Callbacks::new("on_slow_consumer", None, &panics),
            #[cfg(feature = "http")]
            schema: crate::schema_check::SchemaState::default(),
            panics,
            // Its own panics are only logged: they could go on for ever.
            panicked: Callbacks::new("on_panic", None, &Arc::default()),
            session,
            sessions: Sessions::new(origin),
        });
        let owner: Weak<Self> = Arc::downgrade(&hub);
        hub.reader.set_owner(owner);
        hub
    }

    #[inline]
    pub(crate) fn read(&self) -> View {
        self.view(self.reader.read())
    }

    #[inline]
    pub(crate) fn view(&self, view: lightlike_core::cache::View) -> View {
        View { view, is_stale: !self.is_ready.load(Ordering::Relaxed) }
    }

    pub(crate) fn register<T: Table>(self: &Arc<Self>) -> Result<TableId, RegisterError> {
        let table = self.command(|connection, _| connection.register::<T>())?;
        #[cfg(feature = "http")]
        self.schema.table(T::DEF);
        Ok(table)
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
        if let Some(error) = &list.error {
            let end = End::Unwritable(error.clone());
            return Subscription::refused(Arc::clone(self), list, end);
        }
        let (sender, stage) = watch::channel(Stage::Pending);
        let set = self.command(|connection, _| {
            for register in &list.tables {
                register(connection)?;
            }
            let set = connection.subscribe(list.queries.clone());
            self.batches.asked(set, &list.queries);
            // Before the lock is let go: the answer finds whom to tell.
            lock(&self.sets).insert(set, sender);
            Ok(set)
        });
        #[cfg(feature = "http")]
        self.schema.tables(|| self.shared.read(crate::schema_check::definitions));
        match set {
            Ok(set) => Subscription::new(Arc::clone(self), set, list, stage),
            Err(error) => Subscription::refused(Arc::clone(self), list, End::Register(error)),
        }
    }

    pub(crate) fn call(
        self: &Arc<Self>,
        request: CallRequest,
        timeout: Option<Duration>,
    ) -> oneshot::Receiver<Reply> {
        let (sender, receiver) = oneshot::channel();
        let options = CallOptions::default();
        self.start_call(request, options, None, timeout, Sink::Tell(sender), None);
        receiver
    }

    /// As [`call`](Self::call), with the call's name, and its times with the answer.
    pub(crate) fn call_timed(
        self: &Arc<Self>,
        request: CallRequest,
        options: CallOptions,
        mutation: Option<Box<dyn Mutation>>,
        timeout: Option<Duration>,
    ) -> (CallId, oneshot::Receiver<(Reply, CallTimes)>) {
        let (sender, receiver) = oneshot::channel();
        let sink = Sink::TellWhen(sender);
        let call = self.start_call(request, options, mutation, timeout, sink, None);
        (call, receiver)
    }

    /// Makes a call. Whoever asks to be told is told where it is, or how it ended before it was anywhere.
    pub(crate) fn start_call(
        self: &Arc<Self>,
        request: CallRequest,
        mut options: CallOptions,
        mutation: Option<Box<dyn Mutation>>,
        timeout: Option<Duration>,
        sink: Sink,
        accepted: Option<AcceptedSender>,
    ) -> CallId {
        options.tell_accepted = accepted.is_some();
        let span = CallSpan::new(&request, !matches!(sink, Sink::Forget));
        let made = span.clone();
        let call = self.command(|connection, now| {
            options.deadline = timeout.and_then(|timeout| now.checked_add(timeout));
            if self.offline.is_enabled() && options.id.is_none() {
                options.id = connection.new_call_name(now);
            }
            let (kept, id) = (request.clone(), options.id);
            let caller = Caller { request: kept, sink, id, restored: false, span };
            let call = connection.call_with(now, request, options);
            // Before the lock is let go: so they come in their order, and the answer finds whom to tell.
            lock(&self.calls).push(call.0, caller);
            if let Some(accepted) = accepted {
                self.offline.expect_accepted(call, accepted);
            }
            expect(connection, now, call, mutation);
            call
        });
        made.made(call);
        call
    }

    /// The request of a call that is not answered.
    pub(crate) fn request_of(&self, call: CallId) -> Option<CallRequest> {
        lock(&self.calls).get(call.0).map(|caller| caller.request.clone())
    }

    /// The span of a call that is not answered.
    fn span_of(&self, call: CallId) -> CallSpan {
        lock(&self.calls).get(call.0).map(|caller| caller.span.clone()).unwrap_or_default()
    }

    /// A call that nobody waits for: of an earlier run of the program, or made again.
    pub(crate) fn register_call(
        &self,
        connection: &mut Connection,
        now: Instant,
        call: CallId,
        (id, reducer, args): (Uuid, Text, bytes::Bytes),
        restored: bool,
    ) {
        let mutation = self.mutators.mutation(&reducer, &args);
        let request = CallRequest::Reducer { name: reducer, args };
        // Nobody does anything that it could be a part of.
        let span = CallSpan::default();
        let caller = Caller { request, sink: Sink::Nobody, id: Some(id), restored, span };
        lock(&self.calls).push(call.0, caller);
        expect(connection, now, call, mutation);
    }

    /// Rings once, after this time; `None` if that is beyond all times. Ends without ringing if the connection is
    /// closed.
    pub(crate) fn set_alarm(
        self: &Arc<Self>,
        after: Duration,
    ) -> Option<(Instant, AlarmId, oneshot::Receiver<()>)> {
        let (sender, receiver) = oneshot::channel();
        self.command(|connection, now| {
            let at = now.checked_add(after)?;
            let alarm = connection.set_alarm(at);
            if !connection.is_closed() {
                lock(&self.alarms).insert(alarm, sender);
            }
            Some((at, alarm, receiver))
        })
    }

    pub(crate) fn clear_alarm(self: &Arc<Self>, at: Instant, alarm: AlarmId) {
        if lock(&self.alarms).remove(&alarm).is_some() {
            self.command(|connection, _| connection.clear_alarm(at, alarm));
        }
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
        let session = self.sessions.of(&event);
        let _in_session = session.enter();
        match event {
            conn::Event::State(state) => self.state_changed(state),
            conn::Event::Transaction(transaction) => self.transaction(handle, transaction),
            conn::Event::Applied(set) => {
                self.batches.applied(set);
                tracing::debug!(name: "lightlike.set.applied", set = set.0, "a query set is applied");
                if let Some(stage) = lock(&self.sets).get(&set) {
                    stage.send_replace(Stage::Applied);
                }
            }
            conn::Event::Stale { set, reason } => {
                tracing::warn!(name: "lightlike.set.stale", set = set.0, %reason, "a query set is stale");
                if let Some(stage) = lock(&self.sets).get(&set) {
                    stage.send_replace(Stage::Stale(reason));
                }
            }
            conn::Event::Ended { set, reason } => self.ended(set, reason),
            conn::Event::LostForLong => self.lost_for_long(handle),
            conn::Event::Answered { call, reply, times } => {
                self.answered(handle, call, reply, times);
            }
            conn::Event::Accepted { call, accepted } => self.offline.accepted(call, accepted),
            conn::Event::BeforeReplay(calls) => self.before_replay(&calls),
            conn::Event::Sync(state) => self.offline.sync_changed(state),
            conn::Event::Slow(notice) => self.slow_consumer(handle, &notice),
            conn::Event::Verified { id, outcome } => {
                if let Some(sender) = lock(&self.verifiers).remove(&id) {
                    // Whoever dropped the receiver does not want to know.
                    let _ = sender.send(outcome);
                }
            }
            conn::Event::Alarm(alarm) => {
                if let Some(sender) = lock(&self.alarms).remove(&alarm) {
                    // Whoever dropped the receiver does not wait any more.
                    let _ = sender.send(());
                }
            }
            // Who we are is read from the machine.
            conn::Event::Connected(greeting) => self.session.keep(&greeting.token),
        }
        self.report_panics(handle);
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
                callbacks.each(|callback| callback(&client, &panicked));
            }
        }
    }

    fn state_changed(&self, state: ConnectionState) {
        observe::state(&self.sessions.origin, &state);
        let closed = matches!(state, ConnectionState::Closed(_));
        self.is_ready.store(matches!(state, ConnectionState::Ready), Ordering::Relaxed);
        self.state.set(state);
        self.hooks.changed.touch();
        if closed {
            self.batches.close();
            self.state.end();
            lock(&self.alarms).clear();
            self.hooks.end_streams();
            self.offline.end_streams();
            self.broadcasts.end();
        }
    }

    fn transaction(self: &Arc<Self>, handle: &Weak<Handle>, event: TransactionEvent) {
        // With the last handle gone nobody is left to be told.
        let Some(handle) = handle.upgrade() else { return };
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

    fn ended(&self, set: SubscriptionId, reason: SetEnd) {
        self.batches.ended(set);
        observe::set_ended(set, &reason);
        if let Some(stage) = lock(&self.sets).remove(&set) {
            stage.send_replace(Stage::Ended(End::Set(reason)));
        }
    }

    fn answered(&self, handle: &Weak<Handle>, call: CallId, reply: Reply, times: CallTimes) {
        let Some(caller) = lock(&self.calls).take(call.0) else { return };
        self.offline.ended(&caller, &reply);
        let Caller { request, sink, span, .. } = caller;
        span.answered(&reply);
        let span = span.span();
        let _in_call = span.enter();
        observe::answered(function(&request), &reply, times);
        if !(self.listeners.is_empty() && self.broadcasts.is_empty())
            && let Some(called) = Called::new(call, &request, &reply, times)
        {
            if let Some(handle) = handle.upgrade() {
                self.listeners.tell(&Client::from_handle(handle), &called);
            }
            self.broadcasts.call(&called);
        }
        let unheard = match sink {
            Sink::Tell(sender) => sender.send(reply).err(),
            Sink::TellWhen(sender) => sender.send((reply, times)).err().map(|(reply, _)| reply),
            Sink::Forget => match self.offline.take_accepting(call) {
                Some(accepting) => accepting.send(Err(reply)).err().and_then(Result::err),
                // What is kept is not over, and what was to be dropped or was taken back needs no word.
                None => (!matches!(reply, Reply::Kept | Reply::Dropped | Reply::Cancelled))
                    .then_some(reply),
            },
            Sink::Nobody => None,
        };
        if let Some(reply) = unheard
            && let Some(called) = Called::new(call, &request, &reply, times)
            && let Some(unhandled) = Unhandled::of(called)
        {
            self.unhandled(handle, &unhandled);
        }
    }

    /// A call failed that nobody waits for: somebody ought to know.
    fn unhandled(&self, handle: &Weak<Handle>, unhandled: &Unhandled) {
        if self.unhandled.is_empty() {
            let Unhandled { function, message, .. } = unhandled;
            tracing::warn!(
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
}

/// Shows what a call is expected to do.
fn expect(
    connection: &mut Connection,
    now: Instant,
    call: CallId,
    mutation: Option<Box<dyn Mutation>>,
) {
    if let Some(mutation) = mutation
        && let Err(error) = connection.optimistic(now, call, mutation)
    {
        tracing::warn!(%error, "a mutator contributes nothing, for now");
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The function that a request calls; none of a query.
pub(crate) fn function(request: &CallRequest) -> Option<&str> {
    match request {
        CallRequest::Reducer { name, .. } | CallRequest::Procedure { name, .. } => {
            Some(name.as_str())
        }
        CallRequest::Query { .. } => None,
    }
}
