//! Drivers of a client: a task, a thread, a future of the caller's, or a frame loop.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use lightlike_core::conn::{CloseReason, ConnectionState};
use lightlike_core::deadline::after;
use lightlike_core::driver::{AppliedBy, Budget, drive, has_timers, sleep};
use tokio::runtime::RuntimeFlavor;

use crate::client::blocking::{block_on, yield_now};
use crate::client::io_thread::IoThread;
use crate::client::link::Route;
use crate::client::{Client, Handle};
use crate::error::{Error, Repr};
use crate::hub::Hub;

/// Budget of a thread or a future before it looks around. Others of the caller's executor wait no longer.
const TURN: Budget = Budget::time(Duration::from_millis(2));

/// Result of a [tick](Client::tick).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Tick {
    /// Something that came is not applied or delivered yet: the budget was used up, or views are held that keep more
    /// rows than [`Limits::max_dead_rows`](crate::connection::Limits::max_dead_rows).
    pub work_left: bool,
    /// Number of the server's messages that it began with.
    pub messages: u64,
}

/// The thread that [`Client::start_thread`] started. Dropping this leaves the thread to itself.
#[must_use = "`join` says how the connection ended"]
pub struct DriverThread {
    thread: JoinHandle<()>,
    hub: Arc<Hub>,
}

/// Drivers.
impl Client {
    /// Connects in the background: a task on the tokio runtime that this is called in, of either kind.
    ///
    /// The task ends with the connection. The runtime needs its timers, and its I/O unless there is a
    /// [`transport`](crate::ClientBuilder::transport); without I/O the connection closes with an error that says so.
    ///
    /// # Errors
    ///
    /// - [`NoRuntime`](crate::ErrorKind::NoRuntime) outside a tokio runtime, or in one without timers.
    /// - [`Driver`](crate::ErrorKind::Driver) if the client was started before; once the connection is closed, why it is.
    pub fn start(&self) -> Result<(), Error> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| Repr::NoRuntime)?;
        check_timers()?;
        let Some(driver) = self.driver(AppliedBy::Loop) else {
            return Err(second_driver(self.hub()));
        };
        // It was not started before.
        let _ = self.hub().runtime.set(runtime.clone());
        self.check_schema_on(&runtime);
        runtime.spawn(driver);
        Ok(())
    }

    /// Connects, and runs the client in the future that this returns, until the connection is closed: callbacks run
    /// where it is polled. Within tokio that includes the I/O; elsewhere, in any executor, that is left to a thread which
    /// all clients of the process share.
    ///
    /// It keeps no connection open: it ends when the last handle on the client goes.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # async fn example() -> Result<(), lightlike::Error> {
    /// let db = Client::builder("http://127.0.0.1:3000", "chat").build()?;
    /// let run = db.run();
    /// let work = async move {
    ///     // .. with `db`, which closes the connection when it goes.
    ///     db.reconnect_now();
    /// };
    /// let (outcome, ()) = tokio::join!(run, work);
    /// outcome
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// - Why the connection could not be made or was lost for good: [`Auth`](crate::ErrorKind::Auth),
    ///   [`NotFound`](crate::ErrorKind::NotFound) or [`Disconnected`](crate::ErrorKind::Disconnected). A connection that
    ///   the application closed is no error.
    /// - [`NoRuntime`](crate::ErrorKind::NoRuntime) in a tokio runtime without timers.
    /// - [`Driver`](crate::ErrorKind::Driver) if the client was started before, or the system has no thread left.
    ///
    /// # Cancel safety
    ///
    /// Dropping it closes the connection.
    pub fn run(&self) -> impl Future<Output = Result<(), Error>> + Send + 'static + use<> {
        let (hub, handle) = (Arc::clone(self.hub()), Arc::downgrade(self.handle()));
        let route = self.handle().route.clone();
        async move {
            let client = || handle.upgrade().map(Self::from_handle);
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                check_timers()?;
                match driver(&hub, Weak::clone(&handle), route, AppliedBy::Loop) {
                    Some(driver) => {
                        let _ = hub.runtime.set(runtime.clone());
                        client().iter().for_each(|client| client.check_schema_on(&runtime));
                        driver.await;
                    }
                    None => refuse_second_driver(&hub)?,
                }
            } else {
                let io = IoThread::get().map_err(Repr::NoThread)?;
                match driver(&hub, Weak::clone(&handle), route, AppliedBy::Ticks) {
                    Some(driver) => {
                        client().iter().for_each(|client| client.check_schema_on(io.runtime()));
                        io.spawn(driver);
                        let ticking = Ticking(Arc::clone(&hub));
                        while turn(&hub, &handle) {
                            hub.shared.work().await;
                            yield_now().await;
                        }
                        drop(ticking);
                    }
                    None => refuse_second_driver(&hub)?,
                }
            }
            outcome(&hub)
        }
    }

    /// Connects, and runs the client on a thread of its own, which ends with the connection: callbacks run there. Needs
    /// no runtime, and works inside one. The I/O is done by a thread which all clients of the process share.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # fn example() -> Result<(), lightlike::Error> {
    /// let db = Client::builder("http://127.0.0.1:3000", "chat").build()?;
    /// let thread = db.start_thread()?;
    /// // .. work with `db`; then
    /// drop(db);
    /// thread.join()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Driver`](crate::ErrorKind::Driver) if the client was started before, or the system has no thread left; once the
    /// connection is closed, why it is.
    pub fn start_thread(&self) -> Result<DriverThread, Error> {
        let io = IoThread::get().map_err(Repr::NoThread)?;
        let Some(driver) = self.driver(AppliedBy::Ticks) else {
            return Err(second_driver(self.hub()));
        };
        let (hub, handle) = (Arc::clone(self.hub()), Arc::downgrade(self.handle()));
        let ticking = Ticking(Arc::clone(&hub));
        let run = move || {
            while turn(&ticking.0, &handle) {
                block_on(ticking.0.shared.work());
            }
        };
        self.check_schema_on(io.runtime());
        io.spawn(driver);
        let thread = std::thread::Builder::new().name("lightlike".to_owned()).spawn(run);
        Ok(DriverThread { thread: thread.map_err(Repr::NoThread)?, hub })
    }

    /// Applies what came since the last tick and runs callbacks, on this thread, until the budget is used up or nothing is
    /// left. For clients that were made by [`build_manual`](crate::ClientBuilder::build_manual).
    ///
    /// It never waits for the network, inside a runtime or outside. Between two ticks nothing is applied and no callback
    /// runs; calls and query sets may be made at any time, and leave at once. Their futures resolve in ticks.
    ///
    /// A transaction's callbacks run in one go, however many rows it has.
    ///
    /// # Errors
    ///
    /// - Once the connection is closed and the last callback has run: why, as [`run`](Self::run) says it, and
    ///   [`Disconnected`](crate::ErrorKind::Disconnected) if the application closed it.
    /// - [`Driver`](crate::ErrorKind::Driver) if the client was not made for ticks, or a tick is under way already: on
    ///   another thread, or around the callback that this is called in.
    pub fn tick(&self, budget: Budget) -> Result<Tick, Error> {
        if !self.handle().manual {
            return Err(Repr::NotManual.into());
        }
        let (hub, handle) = (self.hub(), Arc::downgrade(self.handle()));
        let ticked = hub.shared.tick(budget, |event| hub.deliver(&handle, event));
        let ticked = ticked.map_err(Repr::Busy)?;
        if ticked.closed {
            return Err(hub.status.closed().into());
        }
        Ok(Tick { work_left: ticked.work_left, messages: ticked.messages })
    }

    /// Closes the connection when all calls and queries that were made are answered, and after `within` at the latest
    /// ([`Duration::MAX`]: however long that takes). New ones are refused. A lost connection is made again for those that wait for it.
    ///
    /// Returns how many had no answer by then; they end as [`Unknown`](crate::CallError::Unknown) or
    /// [`NotSent`](crate::CallError::NotSent).
    ///
    /// # Cancel safety
    ///
    /// Once polled, the connection closes even if this is dropped.
    pub async fn close(&self, within: Duration) -> usize {
        let mut state = self.state();
        self.hub().command(|connection, now| connection.finish(now, after(now, within)));
        self.end_after(within);
        let _ = state.wait_for(|state| matches!(state, ConnectionState::Closed(_))).await;
        self.hub().shared.read(lightlike_core::conn::Connection::unanswered)
    }

    /// As [`close`](Self::close), for programs without a runtime: this thread waits. A client that is made for ticks is
    /// ticked meanwhile, so that its callbacks run here. Not to be called in asynchronous code, nor in a callback, which
    /// holds up what it would wait for.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use lightlike::prelude::*;
    /// # #[reducer]
    /// # fn set_name(name: String) -> Result<(), String>;
    /// # fn example() -> Result<(), lightlike::Error> {
    /// let db = Client::builder("http://127.0.0.1:3000", "chat").connect_blocking()?;
    /// db.call(set_name("Ada".into())).forget();
    /// let unanswered = db.close_blocking(Duration::from_secs(5));
    /// # let _ = unanswered;
    /// # Ok(())
    /// # }
    /// ```
    pub fn close_blocking(&self, within: Duration) -> usize {
        let mut closing = pin!(self.close(within));
        if self.handle().manual {
            // It begins when it is polled.
            let _ = closing.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            let (hub, handle) = (self.hub(), Arc::downgrade(self.handle()));
            while turn(hub, &handle) {
                block_on(hub.shared.work());
            }
        }
        block_on(closing)
    }

    /// Lets a client that is made for ticks connect.
    pub(crate) fn attach_to_io_thread(&self) -> Result<(), Error> {
        let io = IoThread::get().map_err(Repr::NoThread)?;
        if let Some(driver) = self.driver(AppliedBy::Ticks) {
            self.check_schema_on(io.runtime());
            io.spawn(driver);
        }
        Ok(())
    }

    /// Begins to compare the program with the module's schema, where that is wanted.
    #[cfg(feature = "http")]
    fn check_schema_on(&self, runtime: &tokio::runtime::Handle) {
        crate::schema_check::start(self, runtime);
    }

    #[cfg(not(feature = "http"))]
    fn check_schema_on(&self, _: &tokio::runtime::Handle) {}

    fn driver(
        &self,
        applied_by: AppliedBy,
    ) -> Option<impl Future<Output = ()> + Send + 'static + use<>> {
        let route = self.handle().route.clone();
        driver(self.hub(), Arc::downgrade(self.handle()), route, applied_by)
    }
}

fn driver(
    hub: &Arc<Hub>,
    handle: Weak<Handle>,
    route: Route,
    applied_by: AppliedBy,
) -> Option<impl Future<Output = ()> + Send + 'static + use<>> {
    let (teller, shared) = (Arc::clone(hub), Arc::clone(&hub.shared));
    let deliver = move |event| teller.deliver(&handle, event);
    let driver = drive(shared, applied_by, route.dialer, deliver)?;
    #[cfg(feature = "auth")]
    let driver = crate::auth::with_renewal(driver, Arc::clone(hub), route.refresh);
    Some(driver)
}

fn check_timers() -> Result<(), Error> {
    if has_timers() { Ok(()) } else { Err(Repr::NoTimers.into()) }
}

impl DriverThread {
    /// Waits until the connection is closed and the thread has ended. It does not close the connection: drop all handles
    /// on the client, or [`disconnect`](Client::disconnect), for that.
    ///
    /// # Errors
    ///
    /// - As [`Client::run`].
    /// - [`Driver`](crate::ErrorKind::Driver) if the thread panicked, or is the one that waits: a callback cannot wait
    ///   for the end of what runs it.
    pub fn join(self) -> Result<(), Error> {
        if self.thread.thread().id() == std::thread::current().id() {
            return Err(Repr::JoinsItself.into());
        }
        match self.thread.join() {
            Ok(()) => outcome(&self.hub),
            Err(panic) => {
                let text = lightlike_core::guard::panic_text(&*panic);
                Err(Repr::DriverPanicked(text.into()).into())
            }
        }
    }

    /// Returns `true` if the thread has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

impl fmt::Debug for DriverThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriverThread")
            .field("is_finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

/// Whoever has it ticks. Dropping it closes the connection, if it is not, and leaves the rest to the I/O's loop.
struct Ticking(Arc<Hub>);

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.shared.stop_ticking();
        self.0.command(|connection, now| connection.close(now));
    }
}

/// Applies and delivers a little; false when all is over. If nothing is left to do, wait for work.
fn turn(hub: &Arc<Hub>, handle: &Weak<Handle>) -> bool {
    match hub.shared.tick(TURN, |event| hub.deliver(handle, event)) {
        Ok(ticked) => {
            if ticked.more {
                hub.shared.more_work();
            }
            !ticked.closed
        }
        // Nobody else ticks this client; should it be, it is not for us to.
        Err(_) => false,
    }
}

/// Result of the connection.
fn outcome(hub: &Hub) -> Result<(), Error> {
    match &*hub.status.now() {
        ConnectionState::Closed(CloseReason::Requested) => Ok(()),
        _ => Err(hub.status.closed().into()),
    }
}

fn refuse_second_driver(hub: &Hub) -> Result<(), Error> {
    let closed = hub.shared.read(lightlike_core::conn::Connection::is_closed);
    if closed { Ok(()) } else { Err(Repr::AlreadyDriven.into()) }
}

/// The error of a driver too many: there is or was one, or the connection is closed.
fn second_driver(hub: &Hub) -> Error {
    let closed = hub.shared.read(lightlike_core::conn::Connection::is_closed);
    if closed { hub.status.closed() } else { Repr::AlreadyDriven }.into()
}

/// Sees to it that a connection which is being closed is closed after `within` at the latest, though code of the
/// application may block whoever drives the client: then what is left is delivered from here, without callbacks.
pub(crate) fn end_within(hub: &Arc<Hub>, within: Duration) {
    let is_closed = |state: &ConnectionState| matches!(state, ConnectionState::Closed(_));
    if is_closed(&hub.status.now()) || !hub.shared.is_driven() {
        return;
    }
    let (weak, mut state) = (Arc::downgrade(hub), hub.status.state());
    let watchdog = async move {
        let mut closed = pin!(state.wait_for(is_closed));
        let mut late = pin!(sleep(within));
        let is_late = poll_fn(|cx| match closed.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(false),
            Poll::Pending => late.as_mut().poll(cx).map(|()| true),
        });
        if is_late.await
            && let Some(hub) = weak.upgrade()
        {
            cut_off(&hub);
        }
    };
    // A runtime of one thread is what may be blocked.
    let runtime = hub.runtime.get();
    match runtime.filter(|it| it.runtime_flavor() != RuntimeFlavor::CurrentThread) {
        Some(runtime) => {
            runtime.spawn(watchdog);
        }
        None => {
            // Without a thread for it, whoever drives the client is relied upon.
            if let Ok(io) = IoThread::get() {
                io.spawn(watchdog);
            }
        }
    }
}

fn cut_off(hub: &Arc<Hub>) {
    hub.shared.cut_off();
    hub.deliver_undriven();
}

/// The time beyond the machine's own that a driver may take to close a client.
const END_SLACK: Duration = Duration::from_millis(500);

impl Client {
    /// As [`end_within`], counted from the time at which the machine is closed.
    pub(crate) fn end_after(&self, within: Duration) {
        let close = self.hub().shared.read(|connection| connection.config().close_timeout);
        end_within(self.hub(), within.saturating_add(close).saturating_add(END_SLACK));
    }
}
