//! The loop around the machine.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::dial::{Dialer, Dialing};
use super::disk::{Disk, has_room};
use super::socket::{Socket, SocketEvent};
use crate::cache::is_mutating;
use crate::conn::{Action, Connection, DialError, Event, Lost, Progress};
use crate::journal::Store;
use crate::limits::Limits;
use crate::types::Timestamp;
use crate::wire::{FrameOpener, Protocol};

/// How many rows are applied before the socket, the commands and the clock are looked at again: about a millisecond.
const ROWS_A_STEP: usize = 4096;

/// How long applying waits before it asks again whether a view was let go.
const VIEWS_PAUSE: Duration = Duration::from_millis(1);

/// A machine, shared by the handles that command it and the driver that runs it.
#[derive(Debug)]
pub struct Shared {
    connection: Mutex<Connection>,
    /// Whether a driver delivers the events. Changes under the lock only.
    driven: AtomicBool,
    wake: Notify,
    /// Where the journal is written, if there is one. Locked after `connection`.
    disk: Mutex<DiskState>,
}

/// Where the journal is written.
#[derive(Debug)]
enum DiskState {
    /// Nowhere yet: what is to be written waits in the machine.
    None,
    Open(Disk),
    Closed,
}

impl DiskState {
    fn open(&self) -> Option<&Disk> {
        match self {
            Self::Open(disk) => Some(disk),
            Self::None | Self::Closed => None,
        }
    }
}

impl Shared {
    /// Shares a machine.
    pub fn new(connection: Connection) -> Arc<Self> {
        let (connection, driven) = (Mutex::new(connection), AtomicBool::new(false));
        Arc::new(Self {
            connection,
            driven,
            wake: Notify::new(),
            disk: Mutex::new(DiskState::None),
        })
    }

    /// Commands the machine, and wakes its driver. The lock is held for one command or one step, never longer, and
    /// never while application code runs, but for [mutations](crate::cache::Mutation), which are kept from using it.
    ///
    /// Afterwards deliver what [`undriven_event`](Self::undriven_event) gives: before there is a driver and after it
    /// has ended, whoever commands is the one to do it.
    pub fn command<T>(&self, command: impl FnOnce(&mut Connection, Instant) -> T) -> T {
        let result = {
            let (now, mut connection) = (now(), self.lock());
            connection.set_clock(now);
            let result = command(&mut connection, now);
            self.write(&mut connection);
            result
        };
        self.wake.notify_one();
        result
    }

    /// Writes the machine's journal to `store` from now on, on a thread of its own. `told` is called, on that thread, after
    /// the machine was told something: as after a [`command`](Self::command), there may be events to deliver.
    ///
    /// # Errors
    ///
    /// The system's, if there can be no more threads.
    pub fn start_disk(
        self: &Arc<Self>,
        store: Box<dyn Store>,
        told: impl Fn() + Send + 'static,
    ) -> io::Result<()> {
        let disk = Disk::start(store, Arc::downgrade(self), told)?;
        *self.disk() = DiskState::Open(disk);
        self.write(&mut self.lock());
        Ok(())
    }

    /// Waits until everything is written and the store is closed. Nothing is written later.
    pub async fn close_disk(&self) {
        let disk = {
            let mut connection = self.lock();
            self.write(&mut connection);
            std::mem::replace(&mut *self.disk(), DiskState::Closed)
        };
        if let DiskState::Open(disk) = disk {
            disk.close().await;
        }
    }

    /// Hands to the disk what the machine wants written: under its lock, so that it is in order.
    fn write(&self, connection: &mut Connection) {
        if !connection.has_commits() || matches!(*self.disk(), DiskState::None) {
            return;
        }
        while let Some(batch) = connection.poll_commit() {
            let ticket = batch.ticket;
            let written = self.disk().open().is_some_and(|disk| disk.write(batch));
            if !written {
                connection.handle_stored(ticket, Err("the store is closed".into()));
            }
        }
    }

    fn disk(&self) -> MutexGuard<'_, DiskState> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next event, if no driver delivers it.
    pub fn undriven_event(&self) -> Option<Event> {
        // A driver that is there now delivers what was commanded before this: it looks again before it lets go.
        if self.driven.load(Ordering::Relaxed) {
            return None;
        }
        let mut connection = self.lock();
        if self.driven.load(Ordering::Relaxed) { None } else { connection.poll_event() }
    }

    /// Reads from the machine.
    pub fn read<T>(&self, read: impl FnOnce(&Connection) -> T) -> T {
        read(&self.lock())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Connection) -> T) -> T {
        let mut connection = self.lock();
        let result = act(&mut connection);
        self.write(&mut connection);
        result
    }

    /// Lets go of delivering, if the connection is closed and everything is delivered.
    fn retire(&self) -> bool {
        let connection = self.lock();
        if !connection.is_closed() || connection.has_events() {
            return false;
        }
        self.driven.store(false, Ordering::Relaxed);
        true
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // It would wait for itself. The mutation's runner catches this.
        assert!(!is_mutating(), "a mutator must not use the client, only its `LocalTx`");
        // The machine does not panic on what it is given; should it all the same, its state is as good as any.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A random number: what a client's jitter and its session come from.
pub fn random_seed() -> u128 {
    // The standard library's hasher has keys of the system's randomness; two of them are hashes of nothing.
    let half = || u128::from(RandomState::new().build_hasher().finish());
    half() << 64 | half()
}

/// Starts the machine and runs it until its connection is closed for good; hands every event to `deliver`. `None` if
/// it was started or closed before.
///
/// # Cancel safety
///
/// Dropping the future, even before it was polled, drops the socket: the machine is then told that the connection was
/// lost, and what follows from that is delivered.
pub fn drive(
    shared: Arc<Shared>,
    dialer: impl Dialer,
    deliver: impl FnMut(Event) + Send + 'static,
) -> Option<impl Future<Output = ()> + Send + 'static> {
    let limits = {
        let mut connection = shared.lock();
        if !connection.start(now()) {
            return None;
        }
        shared.driven.store(true, Ordering::Relaxed);
        connection.config().limits
    };
    let mut run =
        Run { shared, dialer, deliver, link: Link::None, opener: FrameOpener::default(), limits };
    Some(async move { while run.turn().await {} })
}

struct Run<C, D: FnMut(Event)> {
    shared: Arc<Shared>,
    dialer: C,
    deliver: D,
    link: Link,
    opener: FrameOpener,
    limits: Limits,
}

enum Link {
    None,
    Dialing(Dialing),
    Open(Box<Socket>),
}

/// What is to be done next.
enum Next {
    Act(Action),
    Deliver(Event),
    Rest(Rest),
}

/// Nothing is left to do or to deliver, and a little was applied.
struct Rest {
    progress: Progress,
    deadline: Option<Instant>,
    can_receive: bool,
}

impl Next {
    /// Asks the machine, and has it apply a little where it wants nothing.
    fn of(connection: &mut Connection) -> Self {
        if let Some(action) = connection.poll_action() {
            return Self::Act(action);
        }
        if let Some(event) = connection.poll_event() {
            return Self::Deliver(event);
        }
        let progress = connection.step(now(), ROWS_A_STEP);
        let deadline = connection.poll_timeout();
        Self::Rest(Rest { progress, deadline, can_receive: connection.can_receive() })
    }
}

enum LinkEvent {
    Opened(Box<Socket>, Protocol),
    NotOpened(DialError),
    Socket(SocketEvent),
}

impl<C: Dialer, D: FnMut(Event) + Send> Run<C, D> {
    /// One round: act, deliver, apply a little, wait for what comes next. False when all is over.
    async fn turn(&mut self) -> bool {
        let Rest { progress, deadline, mut can_receive } = loop {
            match self.shared.with(Next::of) {
                Next::Act(action) => self.act(action),
                Next::Deliver(event) => (self.deliver)(event),
                Next::Rest(rest) => break rest,
            }
        };
        if progress == Progress::Idle && matches!(self.link, Link::None) && self.shared.retire() {
            return false;
        }
        // A disk that is slower than the network is felt by the server.
        can_receive &= has_room(self.shared.disk().open());
        let pause = match progress {
            Progress::Waiting => Some(now() + VIEWS_PAUSE),
            Progress::Idle | Progress::More => None,
        };
        tokio::select! {
            biased;
            event = self.link.next(can_receive) => self.handle(event),
            () = self.shared.wake.notified() => (),
            () = tokio::task::yield_now(), if progress == Progress::More => (),
            () = at(pause) => (),
            () = at(deadline) => self.shared.with(|connection| connection.handle_timeout(now())),
        }
        true
    }

    fn act(&mut self, action: Action) {
        match (action, &mut self.link) {
            (Action::Dial(dial), _) => {
                // The clock may have been set meanwhile, and the machine may have slept.
                self.shared.with(|connection| connection.handle_clock(now(), time_of_day()));
                self.link = Link::Dialing(self.dialer.dial(&dial));
            }
            (Action::Send(frame), Link::Open(socket)) => socket.send(frame),
            (Action::Ping, Link::Open(socket)) => socket.ping(),
            (Action::Close, Link::Open(socket)) => socket.close(),
            (Action::Abandon, _) => self.link = Link::None,
            (Action::Send(_) | Action::Ping | Action::Close, Link::None | Link::Dialing(_)) => (),
        }
    }

    fn handle(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Opened(socket, protocol) => {
                self.link = Link::Open(socket);
                self.shared.with(|connection| connection.handle_opened(protocol));
            }
            LinkEvent::NotOpened(error) => self.lost(Lost::Dial(error)),
            LinkEvent::Socket(SocketEvent::Frame(frame)) => {
                let bytes = frame.len();
                // Outside the lock: a large frame takes a while to decompress.
                match self.opener.open(frame, &self.limits) {
                    Ok(body) => self.shared.with(|connection| {
                        connection.count_frame(bytes);
                        connection.handle_body(now(), body);
                    }),
                    Err(error) => self.lost(Lost::Frame(error)),
                }
            }
            LinkEvent::Socket(SocketEvent::Heard) => {
                self.shared.with(|connection| connection.handle_heard(now()));
            }
            LinkEvent::Socket(SocketEvent::Lost(reason)) => self.lost(reason),
        }
    }

    fn lost(&mut self, reason: Lost) {
        self.link = Link::None;
        self.shared.with(|connection| connection.handle_lost(now(), reason));
    }
}

impl<C, D: FnMut(Event)> Drop for Run<C, D> {
    fn drop(&mut self) {
        self.shared.with(|connection| {
            connection.close(now());
            connection.handle_lost(now(), Lost::HungUp);
            while connection.poll_action().is_some() {}
        });
        while !self.shared.retire() {
            while let Some(event) = self.shared.with(Connection::poll_event) {
                (self.deliver)(event);
            }
            let _ = self.shared.with(|connection| connection.step(now(), ROWS_A_STEP));
        }
    }
}

impl Link {
    /// The next thing that happens to the socket; never, while there is none.
    async fn next(&mut self, can_receive: bool) -> LinkEvent {
        std::future::poll_fn(|cx| match self {
            Self::None => Poll::Pending,
            Self::Dialing(dialing) => dialing.as_mut().poll(cx).map(|outcome| match outcome {
                Ok((socket, protocol)) => LinkEvent::Opened(Box::new(socket), protocol),
                Err(error) => LinkEvent::NotOpened(error),
            }),
            Self::Open(socket) => socket.poll_event(cx, can_receive).map(LinkEvent::Socket),
        })
        .await
    }
}

/// Sleeps until `deadline`, or for ever if there is none.
#[expect(clippy::disallowed_methods, reason = "this is the driver")]
async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "this is the driver")]
pub fn time_of_day() -> Timestamp {
    // A clock before the first or after the last microsecond there is: any time is as good.
    Timestamp::from_system_time(std::time::SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The clock: `tokio::time` and not `std::time`, so that tests with a paused clock control it.
#[expect(clippy::disallowed_methods, reason = "this is the driver")]
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
