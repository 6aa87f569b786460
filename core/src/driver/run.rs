//! The loop around the machine.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::dial::Dialer;
use super::socket::{Socket, SocketEvent};
use crate::conn::{Action, Connection, DialError, Event, Lost, Progress};
use crate::limits::Limits;
use crate::wire::{Protocol, open_frame};

/// How many rows are applied before the socket, the commands and the clock are looked at again: about a millisecond.
const ROWS_A_STEP: usize = 4096;

/// How long applying waits before it asks again whether a view was let go.
const VIEWS_PAUSE: Duration = Duration::from_millis(1);

/// A machine, shared by the handles that command it and the driver that runs it.
#[derive(Debug)]
pub struct Shared {
    connection: Mutex<Connection>,
    wake: Notify,
}

impl Shared {
    /// Shares a machine.
    pub fn new(connection: Connection) -> Arc<Self> {
        Arc::new(Self { connection: Mutex::new(connection), wake: Notify::new() })
    }

    /// Commands the machine, and wakes its driver. The lock is held for one command or one step, never longer, and
    /// never while application code runs.
    pub fn command<T>(&self, command: impl FnOnce(&mut Connection, Instant) -> T) -> T {
        let result = command(&mut self.lock(), now());
        self.wake.notify_one();
        result
    }

    /// Reads from the machine.
    pub fn read<T>(&self, read: impl FnOnce(&Connection) -> T) -> T {
        read(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // The machine does not panic on what it is given; should it all the same, its state is as good as any.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a started machine until its connection is closed for good, and hands every event to `deliver`.
///
/// # Cancel safety
///
/// Dropping the future drops the socket: the machine is then told that the connection was lost, and what follows from
/// that is delivered.
pub async fn drive(shared: Arc<Shared>, dialer: impl Dialer, deliver: impl FnMut(Event) + Send) {
    let limits = shared.read(|connection| connection.config().limits);
    let mut run = Run { shared, dialer, deliver, link: Link::None, limits };
    while run.turn().await {}
}

struct Run<C, D: FnMut(Event)> {
    shared: Arc<Shared>,
    dialer: C,
    deliver: D,
    link: Link,
    limits: Limits,
}

type Dialing = Pin<Box<dyn Future<Output = Result<(Socket, Protocol), DialError>> + Send>>;

enum Link {
    None,
    Dialing(Dialing),
    Open(Box<Socket>),
}

enum LinkEvent {
    Opened(Box<Socket>, Protocol),
    NotOpened(DialError),
    Socket(SocketEvent),
}

impl<C: Dialer, D: FnMut(Event) + Send> Run<C, D> {
    /// One round: act, deliver, apply a little, wait for what comes next. False when all is over.
    async fn turn(&mut self) -> bool {
        self.act();
        self.deliver_all();
        let progress = self.shared.lock().step(now(), ROWS_A_STEP);
        if progress == Progress::Idle && matches!(self.link, Link::None) {
            let connection = self.shared.lock();
            if connection.is_closed() {
                return false;
            }
        }
        let (deadline, can_receive) = {
            let connection = self.shared.lock();
            (connection.poll_timeout(), connection.can_receive())
        };
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
            () = at(deadline) => self.shared.lock().handle_timeout(now()),
        }
        true
    }

    fn act(&mut self) {
        loop {
            let Some(action) = self.shared.lock().poll_action() else { return };
            match (action, &mut self.link) {
                (Action::Dial(dial), _) => self.link = Link::Dialing(self.dialer.dial(&dial)),
                (Action::Send(frame), Link::Open(socket)) => socket.send(frame),
                (Action::Ping, Link::Open(socket)) => socket.ping(),
                (Action::Close, Link::Open(socket)) => socket.close(),
                (Action::Abandon, _) => self.link = Link::None,
                (Action::Send(_) | Action::Ping | Action::Close, Link::None | Link::Dialing(_)) => {
                    ()
                }
            }
        }
    }

    fn deliver_all(&mut self) {
        loop {
            let Some(event) = self.shared.lock().poll_event() else { return };
            (self.deliver)(event);
        }
    }

    fn handle(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Opened(socket, protocol) => {
                self.link = Link::Open(socket);
                self.shared.lock().handle_opened(now(), protocol);
            }
            LinkEvent::NotOpened(error) => self.lost(Lost::Dial(error)),
            LinkEvent::Socket(SocketEvent::Frame(frame)) => {
                // Outside the lock: a large frame takes a while to decompress.
                match open_frame(frame, &self.limits) {
                    Ok(body) => self.shared.lock().handle_body(now(), body),
                    Err(error) => self.lost(Lost::Frame(error)),
                }
            }
            LinkEvent::Socket(SocketEvent::Heard) => self.shared.lock().handle_heard(now()),
            LinkEvent::Socket(SocketEvent::Lost(reason)) => self.lost(reason),
        }
    }

    fn lost(&mut self, reason: Lost) {
        self.link = Link::None;
        self.shared.lock().handle_lost(reason);
    }
}

impl<C, D: FnMut(Event)> Drop for Run<C, D> {
    fn drop(&mut self) {
        loop {
            let event = {
                let mut connection = self.shared.lock();
                if !connection.is_closed() {
                    connection.close(now());
                    connection.handle_lost(Lost::HungUp);
                    while connection.poll_action().is_some() {}
                }
                connection.poll_event()
            };
            match event {
                Some(event) => (self.deliver)(event),
                None if self.shared.lock().step(now(), ROWS_A_STEP) == Progress::Idle => return,
                None => (),
            }
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

/// The clock: `tokio::time` and not `std::time`, so that tests with a paused clock control it.
#[expect(clippy::disallowed_methods, reason = "this is the driver")]
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
