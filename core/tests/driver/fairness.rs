//! Deadlines under load: servers that never stop, and threads that never do.
#![expect(clippy::disallowed_methods, reason = "this measures the driver, by its clock")]

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use lightlike_core::conn::{
    CallId, CallRequest, Config, Connection, ConnectionState, Event, Reply,
};
use lightlike_core::deadline::after;
use lightlike_core::driver::{AppliedBy, Shared, drive};
use lightlike_core::wire::{ServerMessage, Text, TransactionUpdate};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::rig::{Pipe, Rig, frame, greeting};

/// Short, because a message that never ends is longer than may be soon.
const CALL_TIMEOUT: Duration = Duration::from_millis(300);
const CLOSE_TIMEOUT: Duration = Duration::from_millis(200);

/// A frame as a server sends it.
fn server_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(payload.len()).unwrap();
    assert!(len < 126, "short ones only");
    [&[first, len], payload].concat()
}

/// A socket that gives the same bytes again and again, and takes everything. It is never pending.
struct Flood {
    first: Vec<u8>,
    again: Vec<u8>,
    at: usize,
    /// What there is of it: a reader that is caught in it gets out, and fails.
    left: usize,
}

impl Flood {
    fn new(again: Vec<u8>) -> Self {
        let first = server_frame(0x82, &frame(&greeting()).into_data());
        Self { first, again, at: 0, left: 500 << 20 }
    }
}

impl AsyncRead for Flood {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while buf.remaining() > 0 && this.left > 0 {
            let unit = if this.first.is_empty() { &this.again } else { &this.first };
            let len = buf.remaining().min(unit.len() - this.at);
            buf.put_slice(&unit[this.at..this.at + len]);
            this.at += len;
            this.left = this.left.saturating_sub(len);
            if this.at == unit.len() {
                this.at = 0;
                this.first.clear();
            }
        }
        if this.again.is_empty() && buf.filled().is_empty() {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What floods there are, by name.
fn floods() -> Vec<(&'static str, Vec<u8>)> {
    let update = ServerMessage::TransactionUpdate(TransactionUpdate::default());
    vec![
        ("pings", server_frame(0x89, b"")),
        ("long pings", server_frame(0x89, &[7; 125])),
        ("pongs", server_frame(0x8a, b"")),
        ("messages", server_frame(0x82, &frame(&update).into_data())),
        ("a message without end", server_frame(0x00, &[7; 100])),
    ]
}

/// A greeted client whose server floods it.
async fn flooded(again: Vec<u8>) -> Rig {
    let mut flood = Flood::new(again);
    if flood.again[0] == 0 {
        // The frames are of a message, which begins.
        flood.first.extend(server_frame(0x02, b"\0"));
    }
    let mut config = Config::default();
    config.close_timeout = CLOSE_TIMEOUT;
    let mut rig = Rig::over(config, Box::new(flood));
    rig.until(|event| matches!(event, Event::State(ConnectionState::Ready))).await;
    rig
}

fn call(shared: &Shared, timeout: Duration) -> CallId {
    let request = CallRequest::Reducer { name: Text::from("f"), args: Bytes::new() };
    shared.command(|connection, now| connection.call(request, after(now, timeout)))
}

/// Lets time pass until the event comes; how much.
async fn passed_until(name: &str, rig: &mut Rig, wanted: impl Fn(&Event) -> bool) -> Duration {
    let began = Instant::now();
    loop {
        while let Ok(event) = rig.events.try_recv() {
            if wanted(&event) {
                return began.elapsed();
            }
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{name}: it never comes");
        tokio::time::advance(Duration::from_millis(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_flood_delays_a_call_or_the_end() {
    for (name, again) in floods() {
        let mut rig = flooded(again).await;
        let late = call(&rig.shared, CALL_TIMEOUT);
        let timed_out = |event: &Event| matches!(event, Event::Answered { call, reply: Reply::TimedOut { .. }, .. } if *call == late);
        let took = passed_until(name, &mut rig, timed_out).await;
        assert!(took <= 2 * CALL_TIMEOUT, "{name}: a call took {took:?}");

        rig.shared.command(|connection, now| connection.close(now));
        let closed = |event: &Event| matches!(event, Event::State(ConnectionState::Closed(_)));
        let took = passed_until(name, &mut rig, closed).await;
        assert!(took <= 2 * CLOSE_TIMEOUT, "{name}: closing took {took:?}");
        rig.task.await.unwrap();
    }
}

/// A greeted client on a thread of its own, on the real clock, and what it is told of calls and states.
struct OnThread {
    shared: Arc<Shared>,
    events: Receiver<Event>,
    thread: JoinHandle<()>,
}

impl OnThread {
    fn over(stream: Flood) -> Self {
        let shared = Shared::new(Connection::new(Config::default(), None, 1));
        let (told, events) = std::sync::mpsc::channel();
        let deliver = move |event: Event| {
            if matches!(
                event,
                Event::State(_) | Event::Answered { reply: Reply::TimedOut { .. }, .. }
            ) {
                // A test that is over does not listen.
                let _ = told.send(event);
            }
        };
        let dialer = Pipe::to(Box::new(stream), Config::default().limits);
        let driver = drive(Arc::clone(&shared), AppliedBy::Loop, dialer, deliver).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let thread = std::thread::spawn(move || runtime.block_on(driver));
        let started = Self { shared, events, thread };
        started.until(|event| matches!(event, Event::State(ConnectionState::Ready)));
        started
    }

    /// How long it is until such an event.
    fn until(&self, wanted: fn(&Event) -> bool) -> Duration {
        let began = Instant::now();
        while !wanted(&self.events.recv_timeout(Duration::from_secs(60)).expect("it comes")) {}
        began.elapsed()
    }

    /// A call and the end are in time, whatever else goes on.
    fn keeps_its_deadlines(self, meanwhile: impl FnOnce(&Arc<Shared>)) {
        const TIMEOUT: Duration = Duration::from_secs(1);
        call(&self.shared, TIMEOUT);
        meanwhile(&self.shared);
        let took = self.until(|event| matches!(event, Event::Answered { .. }));
        assert!(took <= 2 * TIMEOUT, "a call of a second took {took:?}");
        self.shared.command(|connection, now| connection.close(now));
        let took = self.until(|event| matches!(event, Event::State(ConnectionState::Closed(_))));
        assert!(took <= 2 * Config::default().close_timeout, "closing took {took:?}");
        self.thread.join().unwrap();
    }
}

#[test]
fn empty_frames_without_end_delay_no_deadline() {
    let mut flood = Flood::new(server_frame(0x00, b""));
    flood.first.extend(server_frame(0x02, b"\0"));
    OnThread::over(flood).keeps_its_deadlines(|_| ());
}

/// Threads that call as fast as they can, for a while.
fn hammer(shared: &Arc<Shared>) -> Vec<JoinHandle<()>> {
    const CALLS: usize = 4_000;
    let threads = (0..64).map(|_| {
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            for _ in 0..CALLS {
                call(&shared, Duration::MAX);
            }
        })
    });
    threads.collect()
}

/// A socket over which nothing comes but the greeting, and everything goes.
fn quiet() -> Flood {
    let flood = Flood::new(Vec::new());
    let left = flood.first.len();
    Flood { left, ..flood }
}

#[test]
fn threads_that_call_without_pause_delay_no_deadline() {
    let mut threads = Vec::new();
    OnThread::over(quiet()).keeps_its_deadlines(|shared| threads = hammer(shared));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
