//! State that all handles of one client share.

mod callers;
mod calls;
mod deliver;

use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use lightlike_core::cache::{CacheReader, RegisterError, TableId};
use lightlike_core::conn::{AlarmId, CannotSwitch, Connection, NotSent, SetEnd};
use lightlike_core::deadline;
use lightlike_core::driver::Shared;
use lightlike_core::guard;
use lightlike_core::schema::Table;
use tokio::sync::oneshot;

use self::callers::Callers;
pub(crate) use self::calls::{Caller, MadeAgain, MakeMutation, Making, Sink, function};
use crate::client::alarms::Alarms;
use crate::client::session::Session;
use crate::client::status::Status;
use crate::events::hooks::Hooks;
use crate::events::observers::Observers;
use crate::observe::panics::Panics;
use crate::observe::spans::{Origin, Sessions};
use crate::offline::OfflineHub;
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
    calls: Mutex<Callers>,
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
            calls: Mutex::new(Callers::new(limits)),
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
                self.compare_set(set, &list.definitions);
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
}
