//! State that all handles of one client share.

mod deliver;

use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use lightlike_core::cache::{CacheReader, RegisterError, TableId};
use lightlike_core::conn::{
    AlarmId, CallId, CallRequest, CallTimes, CannotSwitch, Connection, NotSent, Reply, SetEnd,
};
use lightlike_core::deadline;
use lightlike_core::driver::Shared;
use lightlike_core::guard;
use lightlike_core::schema::Table;
use tokio::sync::oneshot;

use crate::calls::callers::Callers;
use crate::calls::making::{Caller, MadeAgain, Making, Sink, expect, function, name_ids, refuse};
use crate::client::alarms::Alarms;
use crate::client::session::Session;
use crate::client::status::Status;
use crate::events::hooks::Hooks;
use crate::events::observers::Observers;
use crate::observe::panics::Panics;
use crate::observe::spans::{CallSpan, Origin, Sessions};
use crate::offline::{AcceptedSender, OfflineHub};
use crate::optimistic::Mutators;
use crate::query::QueryList;
use crate::subscriptions::sets::Sets;
use crate::subscriptions::verify::Verifiers;
use crate::subscriptions::{End, Subscription};
use crate::tables::view::View;

/// The machine, and where its events go.
pub(crate) struct Hub {
    pub(crate) shared: Arc<Shared>,
    reader: CacheReader,
    pub(crate) hooks: Hooks,
    pub(crate) mutators: Mutators,
    pub(crate) sets: Sets,
    pub(crate) calls: Callers,
    pub(crate) offline: OfflineHub,
    alarms: Alarms,
    pub(crate) verifiers: Verifiers,
    pub(crate) status: Status,
    pub(crate) observers: Observers,
    /// The runtime that the client's driver is a task of, if it is one.
    pub(crate) runtime: OnceLock<tokio::runtime::Handle>,
    pub(crate) panics: Arc<Panics>,
    pub(crate) session: Session,
    sessions: Sessions,
    #[cfg(feature = "http")]
    pub(crate) schema: crate::schema_check::SchemaState,
}

impl Hub {
    pub(crate) fn new(
        connection: Connection,
        session: Session,
        mutators: Mutators,
        origin: Origin,
    ) -> Arc<Self> {
        let (reader, limits) = (connection.reader(), connection.config().limits);
        let panics = Arc::new(Panics::default());
        let shared = Shared::new(connection);
        panics.tell_by(&shared);
        let hub = Arc::new(Self {
            shared,
            reader,
            hooks: Hooks::new(&panics, &limits),
            mutators,
            sets: Sets::default(),
            calls: Callers::new(limits),
            offline: OfflineHub::new(&panics, &limits),
            alarms: Alarms::default(),
            verifiers: Verifiers::default(),
            status: Status::default(),
            observers: Observers::new(&panics),
            #[cfg(feature = "http")]
            schema: crate::schema_check::SchemaState::default(),
            runtime: OnceLock::new(),
            panics,
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
        View { view, is_stale: !self.status.is_ready() }
    }

    pub(crate) fn register<T: Table>(self: &Arc<Self>) -> Result<TableId, RegisterError> {
        let table = self.command(|connection, _| connection.register::<T>())?;
        #[cfg(feature = "http")]
        self.schema.tables(&[T::DEF]);
        Ok(table)
    }

    /// Commands the machine.
    pub(crate) fn command<T>(
        self: &Arc<Self>,
        command: impl FnOnce(&mut Connection, Instant) -> T,
    ) -> T {
        let result = self.shared.command(command);
        // Before there is a driver and after it has ended. No callback hears of these: rows come from drivers.
        self.deliver_undriven();
        result
    }

    pub(crate) fn subscribe(self: &Arc<Self>, list: QueryList) -> Subscription {
        if let Some(error) = &list.error {
            let end = End::Unwritable(error.clone());
            return Subscription::refused(Arc::clone(self), list, end);
        }
        #[cfg(feature = "http")]
        if let Some(differences) = self.schema.refusal(&list.definitions) {
            return Subscription::refused(Arc::clone(self), list, End::Differs(differences));
        }
        let set = self.command(|connection, _| {
            if let Some(why) = self.refuses_sets(connection) {
                return Err(End::Set(SetEnd::NotSent(why)));
            }
            for register in &list.tables {
                register(connection).map_err(End::Register)?;
            }
            let set = connection.subscribe(list.queries.clone());
            // Before the lock is released: the answer finds its waiter.
            Ok((set, self.sets.add(set, &list.queries)))
        });
        match set {
            Ok((set, stage)) => {
                #[cfg(feature = "http")]
                if self.schema.compare_set(set, &list.definitions, |set| self.sets.contains(set)) {
                    self.command(|connection, _| connection.unsubscribe(set));
                }
                Subscription::new(Arc::clone(self), set, list, stage)
            }
            Err(end) => Subscription::refused(Arc::clone(self), list, end),
        }
    }

    /// Reason for which a set is refused at once: where nobody ticks, the ends of sets wait to be delivered, and the machine
    /// counts only those that are not over.
    fn refuses_sets(&self, connection: &Connection) -> Option<NotSent> {
        /// A set's entries here, and the events of its life.
        const SET_BYTES: usize = 1024;
        let limit = connection.config().limits.max_query_set_bytes;
        let bytes = self.sets.len() * SET_BYTES;
        (bytes > limit.saturating_mul(2)).then_some(NotSent::TooManySets { bytes, limit })
    }

    /// Becomes another user.
    pub(crate) fn switch_user(
        self: &Arc<Self>,
        token: Option<Box<str>>,
    ) -> Result<(), CannotSwitch> {
        let wakers = self.command(|connection, now| {
            connection.switch_user(now, token)?;
            // Before the lock is let go: the answers find everything as it was before the first.
            self.session.presents_another();
            Ok(self.sets.restart_all(|set| connection.queries(set)))
        })?;
        wakers.into_iter().for_each(guard::wake);
        Ok(())
    }

    /// Rings once, after this time; `None` if that is beyond all times. Ends without ringing if the connection is
    /// closed.
    pub(crate) fn set_alarm(
        self: &Arc<Self>,
        after: Duration,
    ) -> Option<(Instant, AlarmId, oneshot::Receiver<()>)> {
        let (sender, receiver) = oneshot::channel();
        self.command(|connection, now| {
            let at = deadline::after(now, after)?;
            let alarm = connection.set_alarm(at);
            if !connection.is_closed() {
                self.alarms.add(alarm, sender);
            }
            Some((at, alarm, receiver))
        })
    }

    pub(crate) fn clear_alarm(self: &Arc<Self>, at: Instant, alarm: AlarmId) {
        if self.alarms.remove(alarm) {
            self.command(|connection, _| connection.clear_alarm(at, alarm));
        }
    }

    pub(crate) fn call(
        self: &Arc<Self>,
        request: CallRequest,
        timeout: Option<Duration>,
    ) -> oneshot::Receiver<Reply> {
        let (sender, receiver) = oneshot::channel();
        self.start_call(request, Making::of(&[], timeout), Sink::Tell(sender), None);
        receiver
    }

    /// As [`call`](Self::call), with the call's name, and its times with the answer.
    pub(crate) fn call_timed(
        self: &Arc<Self>,
        request: CallRequest,
        making: Making,
    ) -> (CallId, oneshot::Receiver<(Reply, CallTimes)>) {
        let (sender, receiver) = oneshot::channel();
        let call = self.start_call(request, making, Sink::TellWhen(sender), None);
        (call, receiver)
    }

    /// Makes a call. Whoever asks to be told is told where it is, or how it ended before it was anywhere.
    pub(crate) fn start_call(
        self: &Arc<Self>,
        mut request: CallRequest,
        making: Making,
        sink: Sink,
        accepted: Option<AcceptedSender>,
    ) -> CallId {
        let Making { mut options, params, mutation, timeout } = making;
        options.tell_accepted = accepted.is_some();
        let span = CallSpan::new(&request, !matches!(sink, Sink::Forget));
        let made = span.clone();
        if let Some(why) = self.calls.refusal(&request) {
            let call = self.command(|connection, _| connection.skip_call());
            made.made(call);
            made.answered(&Reply::NotSent(why.clone()));
            refuse(function(&request), why, sink, accepted);
            return call;
        }
        let call = self.command(|connection, now| {
            options.deadline = timeout.and_then(|timeout| deadline::after(now, timeout));
            if self.offline.is_enabled() && options.id.is_none() {
                options.id = connection.new_call_name(now);
            }
            let named = name_ids(connection, params, &mut request);
            options.names.clone_from(&named.names);
            let (kept, id) = (request.clone(), options.id);
            let caller = Caller::new(kept, sink, id, span);
            let call = connection.call_with(now, request, options);
            // Before the lock is let go: so they come in their order, and the answer finds whom to tell.
            self.calls.push(call, caller);
            if let Some(accepted) = accepted {
                self.offline.expect_accepted(call, accepted);
            }
            expect(connection, now, call, mutation(named));
            call
        });
        made.made(call);
        call
    }

    /// Registers a call that is in the machine again.
    pub(crate) fn register_call(
        &self,
        connection: &mut Connection,
        now: Instant,
        call: CallId,
        again: MadeAgain,
    ) {
        let (caller, mutation) = again.into_caller(&self.mutators);
        caller.span().made(call);
        self.calls.push(call, caller);
        expect(connection, now, call, mutation);
    }
}
