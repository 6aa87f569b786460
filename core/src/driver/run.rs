//! The loop around the machine.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::clock::{now, sleep_until, time_of_day};
use super::dial::tcp::Unattended;
use super::dial::{Dialer, Dialing, Opened};
use super::disk::has_room;
use super::linger::{self, LeftBehind};
use super::shared::{AppliedBy, MACHINE, Shared};
use super::socket::{Socket, SocketEvent};
use super::span;
use crate::conn::{Action, Connection, DialError, Event, Lost, Progress};
use crate::deadline::{after, at_last, earlier, has_passed};
use crate::guard::{self, Collector, Fenced, Panic};
use crate::limits::Limits;
use crate::wire::{FrameError, FrameOpener};

/// Time for which the loop applies messages before it looks at the socket and the clock again, and lets other tasks
/// run; and the number of rows of one, which takes about as long.
const TURN: Duration = Duration::from_millis(1);
const ROWS_A_STEP: usize = 4096;

/// Most rounds of the loop before it lets other tasks run, should a millisecond not pass: so often it can be
/// asked whether there is more, and there be more.
const ROUNDS: u32 = 16;

/// Time for which applying waits before it asks again whether a view was let go.
const VIEWS_PAUSE: Duration = Duration::from_millis(1);

/// Bytes of a compressed frame that are opened before the loop looks at what else there is to do: half a millisecond's work.
const PIECE_BYTES: usize = 256 * 1024;

/// After how many turns that panicked the loop ends, whatever is left to do.
const BROKEN_TURNS_MAX: u32 = 8;

/// Giving the memory of a larger frame back takes longer than a tick has time for.
const LARGE_FRAME_BYTES: usize = 256 * 1024;

/// Starts the machine and runs it until its connection is closed for good. Hands every event to `deliver`, unless
/// somebody ticks: then to whom they give. `None` if it was started or closed before.
///
/// # Cancel safety
///
/// Dropping the future, even before it was polled, drops the socket: the machine is then told that the connection was
/// lost, and what follows from that is delivered. That waits for nothing, neither for views nor for the application.
///
/// # Panics
///
/// Never, whatever `dialer`, its streams or `deliver` do: see [`guard`].
pub fn drive(
    shared: Arc<Shared>,
    applied_by: AppliedBy,
    dialer: impl Dialer,
    deliver: impl FnMut(Event) + Send + 'static,
) -> Option<impl Future<Output = ()> + Send + 'static> {
    if !shared.start(applied_by) {
        return None;
    }
    let limits = shared.read(|connection| connection.config().limits);
    let mut run = Run {
        shared,
        dialer: Fenced::new("dialer", dialer),
        deliver: Fenced::new("delivery", deliver),
        link: Link::None,
        opener: FrameOpener::default(),
        limits,
        large: Vec::new(),
        rounds: 0,
        yielded: now(),
        broken: 0,
    };
    Some(async move {
        while run.guarded_turn().await {}
        linger::stored(&run.shared).await;
    })
}

struct Run<C: Dialer, D: FnMut(Event) + Send> {
    shared: Arc<Shared>,
    dialer: Fenced<C>,
    deliver: Fenced<D>,
    link: Link,
    opener: FrameOpener,
    limits: Limits,
    /// Large frames that a tick applies, held so that their memory is given back here and not in the tick.
    large: Vec<Bytes>,
    /// Number and start of the rounds without letting others run.
    rounds: u32,
    yielded: Instant,
    /// The number of turns that ended in a panic of unknown origin.
    broken: u32,
}

enum Link {
    None,
    Dialing(Dialing),
    Open(Box<Socket>),
}

/// Next thing to do.
enum Next {
    Act(Action),
    Deliver(Event),
    /// A little was applied: ask again.
    Again,
    Rest(Rest),
}

/// Nothing is left to do or to deliver, or the turn has been long enough.
struct Rest {
    progress: Progress,
    deadline: Option<Instant>,
    can_receive: bool,
}

impl Next {
    /// Asks the machine, and has it apply a little where it wants nothing and nobody else is to.
    fn of(connection: &mut Connection, shared: &Shared, turn_ends: Instant) -> Self {
        let now = now();
        // At every look, and not only when there is nothing else: a server that never stops must not put them off.
        if connection.poll_timeout().is_some_and(|due| now >= due) {
            connection.handle_timeout(now);
            shared.tell_ticks();
        }
        if let Some(action) = connection.poll_action() {
            shared.set_unwritten(true);
            return Self::Act(action);
        }
        let progress = if shared.is_ticked() {
            if shared.take_held_up() { Progress::Waiting } else { Progress::Idle }
        } else if now >= turn_ends && connection.has_work() {
            Progress::More
        } else {
            if let Some(event) = connection.poll_event() {
                return Self::Deliver(event);
            }
            let was_applying = connection.is_applying();
            let progress = span::applying(connection, |machine| machine.step(now, ROWS_A_STEP));
            // What a step does not finish is large enough to look around in between.
            let is_large = was_applying && connection.is_applying();
            if progress == Progress::More && !is_large && now < turn_ends {
                return Self::Again;
            }
            progress
        };
        let deadline = connection.poll_timeout();
        Self::Rest(Rest { progress, deadline, can_receive: connection.can_receive() })
    }
}

/// Event that ended a wait.
enum Woken {
    Link(LinkEvent),
    Command,
    /// Others have run meanwhile.
    More,
    Time,
}

enum LinkEvent {
    Opened(Opened),
    NotOpened(DialError),
    /// A message, and the bytes that it came in.
    Body {
        body: Bytes,
        frame_bytes: usize,
    },
    Socket(SocketEvent),
    /// Code of the application's panicked, with this text.
    Panicked(Box<str>),
}

impl<C: Dialer, D: FnMut(Event) + Send> Run<C, D> {
    /// One round, whatever panics in it. False when all is over.
    ///
    /// Code of the application that is known for such is guarded where it is called; here, nothing is known of the state
    /// that is left behind, and the connection is broken off.
    async fn guarded_turn(&mut self) -> bool {
        let mut noted = Vec::new();
        let turned = {
            let mut turn = pin!(self.turn());
            poll_fn(|cx| {
                let collector = Collector::start();
                let polled = guard::catch(|| turn.as_mut().poll(cx));
                noted.extend(collector.finish());
                match polled {
                    // Those of a dialer, say, are told of before what came of it.
                    Ok(polled) if noted.is_empty() || polled.is_ready() => polled.map(Ok),
                    Ok(_) => Poll::Ready(Ok(true)),
                    Err(message) => Poll::Ready(Err(message)),
                }
            })
            .await
        };
        for noted in noted {
            self.shared.with(|connection| connection.note_panic(noted.into()));
        }
        turned.unwrap_or_else(|message| {
            self.shared.break_off(Panic::new(MACHINE, message));
            self.broken += 1;
            // What panics even of a connection that is closed is not asked for ever: dropping this does the rest.
            self.broken < BROKEN_TURNS_MAX
        })
    }

    /// One round: act, deliver, apply a little, wait for what comes next. False when all is over.
    async fn turn(&mut self) -> bool {
        self.let_others_run().await;
        let ends = at_last(now(), TURN);
        let Rest { progress, deadline, mut can_receive } = self.work(ends);
        self.large.retain(|frame| !frame.is_unique());
        if matches!(self.link, Link::None) && self.shared.retire_loop() {
            return false;
        }
        // A disk that is slower than the network is felt by the server.
        can_receive &= has_room(self.shared.disk().open());
        self.shared.set_reading(can_receive);
        let pause = match progress {
            Progress::Waiting => after(now(), VIEWS_PAUSE),
            Progress::Idle | Progress::More => None,
        };
        let has_more = progress == Progress::More;
        match self.wait(can_receive, has_more, earlier(pause, deadline)).await {
            Woken::Link(event) => self.handle(event),
            Woken::Command | Woken::More => return true,
            Woken::Time => (),
        }
        self.shared.tell_ticks();
        true
    }

    /// Acts, delivers and applies until nothing is left to do, or `ends`.
    fn work(&mut self, ends: Instant) -> Rest {
        loop {
            match self.shared.with(|connection| Next::of(connection, &self.shared, ends)) {
                Next::Act(action) => self.act(action),
                Next::Deliver(event) => deliver_one(&self.shared, &mut self.deliver, event),
                Next::Again => (),
                Next::Rest(rest) => return rest,
            }
        }
    }

    /// Waits for what comes next.
    async fn wait(&mut self, can_receive: bool, has_more: bool, until: Option<Instant>) -> Woken {
        let Self { link, shared, opener, limits, .. } = self;
        let mut woken = pin!(async {
            tokio::select! {
                biased;
                event = link.next(can_receive, opener, limits, shared) => Woken::Link(event),
                () = shared.woken() => Woken::Command,
                () = tokio::task::yield_now(), if has_more => Woken::More,
                () = sleep_until(until) => Woken::Time,
            }
        });
        let mut waited = false;
        let woken = poll_fn(|cx| {
            let polled = woken.as_mut().poll(cx);
            waited |= polled.is_pending();
            polled
        });
        let woken = woken.await;
        if waited {
            (self.rounds, self.yielded) = (0, now());
        }
        woken
    }

    /// Yields, if there was no occasion to for a while: while there is always something to read, nothing else would.
    async fn let_others_run(&mut self) {
        self.rounds += 1;
        if self.rounds >= ROUNDS || has_passed(self.yielded, TURN, now()) {
            tokio::task::yield_now().await;
            (self.rounds, self.yielded) = (0, now());
        }
    }

    fn act(&mut self, action: Action) {
        match (action, &mut self.link) {
            (Action::Dial(dial), _) => {
                // The clock may have been set meanwhile, and the machine may have slept.
                self.shared.with(|connection| connection.handle_clock(now(), time_of_day()));
                match guard::catch(|| self.dialer.get().map(|dialer| dialer.dial(&dial))) {
                    Ok(None) => (),
                    Ok(Some(dialing)) => self.set_link(Link::Dialing(dialing)),
                    Err(message) => self.panicked(message),
                }
            }
            (Action::Abandon, _) => self.drop_link(),
            (action, Link::Open(socket)) => socket.act(action),
            (Action::Send(_) | Action::Ping | Action::Close, Link::None | Link::Dialing(_)) => (),
        }
    }

    fn handle(&mut self, event: LinkEvent) {
        let (bytes_read, partial) = match &mut self.link {
            Link::Open(socket) => socket.take_arrived(),
            Link::None | Link::Dialing(_) => (0, None),
        };
        match event {
            LinkEvent::Opened(Opened { socket, protocol, token }) => {
                self.set_link(Link::Open(socket));
                self.shared.with(|connection| {
                    connection.handle_opened(protocol);
                    if let Some(token) = token {
                        connection.keep_token(token);
                    }
                });
            }
            LinkEvent::NotOpened(error) => self.lost(Lost::Dial(error)),
            LinkEvent::Body { body, frame_bytes } => {
                if body.len() > LARGE_FRAME_BYTES && self.shared.is_ticked() {
                    self.large.push(body.clone());
                }
                self.shared.with(|connection| {
                    connection.count_frame(frame_bytes);
                    let now = now();
                    connection.handle_body(now, body);
                    connection.handle_bytes(now, bytes_read, partial);
                });
            }
            LinkEvent::Socket(SocketEvent::Heard) => {
                // A server that pings has had nothing else to say for a while.
                self.opener.rest();
                self.shared.with(|connection| {
                    let now = now();
                    connection.handle_activity(now);
                    connection.handle_bytes(now, bytes_read, partial);
                });
            }
            // Frames are opened before they get here.
            LinkEvent::Socket(SocketEvent::Part | SocketEvent::Frame(_)) => {
                self.shared.with(|connection| connection.handle_bytes(now(), bytes_read, partial));
            }
            LinkEvent::Socket(SocketEvent::Lost(reason)) => self.lost(reason),
            LinkEvent::Panicked(message) => self.panicked(message),
        }
    }

    fn drop_link(&mut self) {
        self.set_link(Link::None);
        self.opener.stop();
    }

    /// Counts the socket as lost, or the attempt as failed, because its code panicked.
    fn panicked(&mut self, message: Box<str>) {
        let (what, reason) = match self.link {
            Link::Open(_) => {
                let error = io::Error::other(format!("the transport panicked: {message}"));
                ("transport", Lost::Io(Arc::new(error)))
            }
            Link::None | Link::Dialing(_) => {
                ("dialer", Lost::Dial(DialError::Panicked(message.clone())))
            }
        };
        self.note(what, message);
        self.lost(reason);
    }

    fn lost(&mut self, reason: Lost) {
        self.drop_link();
        self.shared.with(|connection| connection.handle_lost(now(), reason));
    }
}

impl<C: Dialer, D: FnMut(Event) + Send> Run<C, D> {
    /// Closes the connection as one that is [left](Connection::leave), without the runtime: it may be ending, and takes no more
    /// orders then.
    fn leave(&mut self) {
        self.shared.command(Connection::leave);
        let _unattended = Unattended::begin();
        let mut left = linger::until(self.shared.linger_time(), || self.has_left());
        let calls = self.shared.unanswered_yet();
        if !left {
            self.shared.command(|connection, now| connection.close(now));
            left = self.has_left();
        }
        LeftBehind { calls, frames: !left, unsaved: !self.shared.until_stored() }.log();
    }

    /// Goes on without waiting for anything; returns `true` if nothing is left to be answered or written.
    fn has_left(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..ROUNDS {
            let rest = self.work(at_last(now(), TURN));
            if !matches!(self.link, Link::Open(_)) {
                return true;
            }
            let Self { link, shared, opener, limits, .. } = self;
            match link.poll_guarded(&mut cx, rest.can_receive, opener, limits, shared) {
                Poll::Ready(event) => self.handle(event),
                Poll::Pending if rest.progress == Progress::More => (),
                Poll::Pending => break,
            }
        }
        !self.shared.read(|machine| machine.is_leaving() || machine.has_actions())
            && !self.link.is_unwritten()
    }
}

impl<C: Dialer, D: FnMut(Event) + Send> Drop for Run<C, D> {
    /// Ends the connection. What was received is applied as far as that goes on by itself: nothing is waited for.
    fn drop(&mut self) {
        let ended = guard::catch(|| self.end());
        if let Err(message) = ended {
            self.shared.break_off(Panic::new(MACHINE, message));
            self.deliver_rest();
        }
        self.shared.tell_ticks();
    }
}

impl<C: Dialer, D: FnMut(Event) + Send> Run<C, D> {
    fn set_link(&mut self, link: Link) {
        let old = std::mem::replace(&mut self.link, link);
        // A stream of the application's may do anything when it is dropped.
        if let Err(message) = guard::catch(|| drop(old)) {
            self.note("transport", message);
        }
    }

    fn note(&self, what: &'static str, message: Box<str>) {
        self.shared.with(|connection| connection.note_panic(Panic::new(what, message)));
    }

    fn end(&mut self) {
        if self.shared.read(Connection::is_closed) {
            self.shared.linger_for_store();
        } else if let Err(message) = guard::catch(|| self.leave()) {
            self.note("transport", message);
        }
        self.set_link(Link::None);
        self.shared.with(|connection| {
            connection.handle_lost(now(), Lost::HungUp);
        });
        loop {
            if self.shared.leave_to_ticks() {
                return;
            }
            self.deliver_events();
            let progress = self.shared.with(|connection| connection.step(now(), ROWS_A_STEP));
            if progress != Progress::More {
                break;
            }
        }
        self.shared.with(|connection| connection.close_at_once(now()));
        self.deliver_rest();
    }

    /// Delivers until nothing is left, of a connection that is closed.
    fn deliver_rest(&mut self) {
        self.shared.with(|connection| while connection.poll_action().is_some() {});
        while !self.shared.leave_to_ticks() && !self.shared.retire_loop() {
            self.deliver_events();
        }
    }

    fn deliver_events(&mut self) {
        while let Some(event) = self.shared.with(Connection::poll_event) {
            deliver_one(&self.shared, &mut self.deliver, event);
        }
    }
}

fn deliver_one<D: FnMut(Event)>(shared: &Shared, deliver: &mut Fenced<D>, event: Event) {
    if let Some(deliver) = deliver.get_mut() {
        deliver_guarded(shared, deliver, event);
    }
}

/// Delivers an event. A panic is told of in turn, unless that is what panicked.
pub(super) fn deliver_guarded(shared: &Shared, deliver: &mut impl FnMut(Event), event: Event) {
    let is_panic = matches!(event, Event::Panicked(_));
    if let Err(message) = guard::catch(|| deliver(event))
        && !is_panic
    {
        shared.with(|connection| connection.note_panic(Panic::new("delivery", message)));
    }
}

impl Link {
    /// Returns `true` if the socket has something to write.
    fn is_unwritten(&self) -> bool {
        matches!(self, Self::Open(socket) if socket.is_unwritten())
    }

    /// The next thing that happens to the socket; never, while there is none. What came compressed is opened a piece at a
    /// time, with the rest of the loop in between.
    async fn next(
        &mut self,
        can_receive: bool,
        opener: &mut FrameOpener,
        limits: &Limits,
        shared: &Shared,
    ) -> LinkEvent {
        poll_fn(|cx| self.poll_guarded(cx, can_receive, opener, limits, shared)).await
    }

    fn poll_guarded(
        &mut self,
        cx: &mut Context<'_>,
        can_receive: bool,
        opener: &mut FrameOpener,
        limits: &Limits,
        shared: &Shared,
    ) -> Poll<LinkEvent> {
        // What panicked is dropped before it is polled again.
        let polled = guard::catch(|| self.poll_next(cx, can_receive, opener, limits));
        shared.set_unwritten(self.is_unwritten());
        polled.unwrap_or_else(|message| Poll::Ready(LinkEvent::Panicked(message)))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        can_receive: bool,
        opener: &mut FrameOpener,
        limits: &Limits,
    ) -> Poll<LinkEvent> {
        match self {
            Self::None => Poll::Pending,
            Self::Dialing(dialing) => dialing.as_mut().poll(cx).map(|outcome| match outcome {
                Ok(opened) => LinkEvent::Opened(opened),
                Err(error) => LinkEvent::NotOpened(error),
            }),
            Self::Open(socket) => poll_socket(cx, socket, can_receive, opener, limits),
        }
    }
}

fn poll_socket(
    cx: &mut Context<'_>,
    socket: &mut Socket,
    can_receive: bool,
    opener: &mut FrameOpener,
    limits: &Limits,
) -> Poll<LinkEvent> {
    if !opener.is_opening() {
        let event = ready!(socket.poll_event(cx, can_receive));
        let SocketEvent::Frame(frame) = event else {
            return Poll::Ready(LinkEvent::Socket(event));
        };
        let frame_bytes = frame.len();
        match opener.begin(frame, limits) {
            Ok(Some(body)) => return Poll::Ready(LinkEvent::Body { body, frame_bytes }),
            Ok(None) => (),
            Err(error) => return Poll::Ready(unreadable(error)),
        }
    } else if let Poll::Ready(event) = socket.poll_event(cx, false) {
        return Poll::Ready(LinkEvent::Socket(event));
    }
    let frame_bytes = opener.frame_bytes();
    match opener.proceed(PIECE_BYTES) {
        Ok(Some(body)) => Poll::Ready(LinkEvent::Body { body, frame_bytes }),
        Ok(None) => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        Err(error) => Poll::Ready(unreadable(error)),
    }
}

fn unreadable(error: FrameError) -> LinkEvent {
    LinkEvent::Socket(SocketEvent::Lost(Lost::Frame(error)))
}
