//! Code of the application that panics around the driver: it ends nothing but what it was part of.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use lightlike_core::conn::{
    CallRequest, CloseReason, Config, Connection, ConnectionState, Dial, DialError, Event, Lost,
    Reply,
};
use lightlike_core::driver::{AppliedBy, Budget, Dialer, Dialing, Opened, Shared, Socket, drive};
use lightlike_core::guard::Panic;
use lightlike_core::limits::Limits;
use lightlike_core::types::Timestamp;
use lightlike_core::wire::{
    ClientMessage, Protocol, QueryRows, QuerySetUpdate, ReducerOutcome, RowList, ServerMessage,
    TableName, TableRows, TableUpdate, Text, TransactionUpdate, UpdateRows, decode_client,
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::rig::{Peer, Rig, frame, greeting};

fn call(name: &'static str) -> CallRequest {
    CallRequest::Reducer { name: Text::from_static(name), args: Bytes::new() }
}

/// The client's next message.
async fn heard(peer: &mut Peer) -> ClientMessage {
    let bytes = peer.next().await.unwrap().unwrap().into_data();
    let mut messages = decode_client(&bytes, Protocol::V3, &Limits::DEFAULT);
    messages.next().unwrap().unwrap()
}

fn is_closed(event: &Event) -> bool {
    matches!(event, Event::State(ConnectionState::Closed(_)))
}

/// The method in which a stream panics.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Read,
    Write,
    Drop,
}

/// A pipe that panics once it is armed.
struct Faulty {
    pipe: DuplexStream,
    at: At,
    armed: Arc<AtomicUsize>,
}

impl Faulty {
    fn burn(&self, at: At) {
        assert!(at != self.at || self.armed.load(Ordering::Relaxed) == 0, "the stream's own fault");
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.burn(At::Drop);
    }
}

impl AsyncRead for Faulty {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.burn(At::Read);
        Pin::new(&mut self.pipe).poll_read(cx, buf)
    }
}

impl AsyncWrite for Faulty {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.burn(At::Write);
        Pin::new(&mut self.pipe).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

/// Gives faulty pipes out, whose other ends go to whoever holds the channel.
struct FaultyDialer {
    at: At,
    armed: Arc<AtomicUsize>,
    peers: mpsc::Sender<DuplexStream>,
}

impl Dialer for FaultyDialer {
    fn dial(&self, _: &Dial) -> Dialing {
        let (pipe, peer) = tokio::io::duplex(1 << 16);
        self.peers.send(peer).unwrap();
        let io = Faulty { pipe, at: self.at, armed: Arc::clone(&self.armed) };
        Box::pin(async move {
            let socket = Socket::open(Box::new(io), Vec::new(), &Limits::DEFAULT).await;
            Ok(Opened { socket: Box::new(socket), protocol: Protocol::V3, token: None })
        })
    }
}

/// A dialer that panics, at once or when it is polled.
struct PanickingDialer {
    at_once: bool,
}

impl Dialer for PanickingDialer {
    fn dial(&self, _: &Dial) -> Dialing {
        assert!(!self.at_once, "no road");
        Box::pin(async { panic!("no road") })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests' driver runs in a task, as everybody's does"
)]
fn start(config: Config, dialer: impl Dialer) -> (Arc<Shared>, tokio::sync::mpsc::Receiver<Event>) {
    let shared = Shared::new(Connection::new(config, None, 1));
    let (sender, events) = tokio::sync::mpsc::channel(1024);
    let deliver = move |event| sender.try_send(event).unwrap();
    tokio::spawn(drive(Arc::clone(&shared), AppliedBy::Loop, dialer, deliver).unwrap());
    (shared, events)
}

fn once() -> Config {
    let mut config = Config::default();
    config.reconnect.enabled = false;
    config
}

#[tokio::test(start_paused = true)]
async fn dialer_that_panics_is_an_attempt_that_failed() {
    for at_once in [true, false] {
        let (_shared, mut events) = start(once(), PanickingDialer { at_once });
        let mut told = Vec::new();
        while let Some(event) = events.recv().await {
            told.push(event);
        }
        let [.., Event::Panicked(panic), Event::State(ConnectionState::Closed(reason))] = &told[..]
        else {
            panic!("{told:?}")
        };
        assert_eq!(panic.to_string(), "dialer panicked: no road");
        let CloseReason::Lost(Lost::Dial(error @ DialError::Panicked(_))) = reason else {
            panic!("{reason:?}")
        };
        assert!(error.to_string().contains("no road"));
    }
}

#[tokio::test(start_paused = true)]
async fn dialer_that_panics_is_asked_again() {
    let mut config = Config::default();
    config.reconnect.first = true;
    let (shared, mut events) = start(config, PanickingDialer { at_once: true });
    let mut attempts = 0;
    while attempts < 3 {
        let event = events.recv().await.unwrap();
        attempts +=
            usize::from(matches!(event, Event::State(ConnectionState::Reconnecting { .. })));
    }
    shared.command(Connection::close);
    while !is_closed(&events.recv().await.unwrap()) {}
}

#[tokio::test(start_paused = true)]
async fn transport_that_panics_is_a_lost_socket() {
    for at in [At::Read, At::Write, At::Drop] {
        let (armed, (peers, came)) = (Arc::new(AtomicUsize::new(0)), mpsc::channel());
        let dialer = FaultyDialer { at, armed: Arc::clone(&armed), peers };
        let (shared, mut events) = start(Config::default(), dialer);
        assert!(matches!(events.recv().await, Some(Event::State(ConnectionState::Connecting))));
        tokio::task::yield_now().await;
        let mut peer =
            WebSocketStream::from_raw_socket(came.recv().unwrap(), Role::Server, None).await;
        peer.send(frame(&greeting())).await.unwrap();
        while !matches!(events.recv().await, Some(Event::State(ConnectionState::Ready))) {}
        armed.store(1, Ordering::Relaxed);
        let _ = shared.command(|connection, _| connection.call(call("f"), None));
        match at {
            At::Read => peer.send(frame(&greeting())).await.unwrap(),
            At::Write => (),
            At::Drop => drop(peer),
        }
        let mut told = Vec::new();
        while !matches!(told.last(), Some(Event::State(ConnectionState::Reconnecting { .. }))) {
            told.push(events.recv().await.unwrap());
        }
        let panicked = told.iter().any(|event| match event {
            Event::Panicked(panic) => {
                panic.to_string() == "transport panicked: the stream's own fault"
            }
            _ => false,
        });
        assert!(panicked, "{told:?}");
        assert!(told.iter().any(|event| matches!(event, Event::Answered { .. })), "{told:?}");
        armed.store(0, Ordering::Relaxed);
        // It goes on with the next socket.
        let peer = loop {
            lightlike_core::driver::sleep(std::time::Duration::from_secs(1)).await;
            if let Ok(peer) = came.try_recv() {
                break peer;
            }
        };
        let mut peer = WebSocketStream::from_raw_socket(peer, Role::Server, None).await;
        peer.send(frame(&greeting())).await.unwrap();
        while !matches!(events.recv().await, Some(Event::State(ConnectionState::Ready))) {}
    }
}

#[tokio::test(start_paused = true)]
async fn delivery_that_panics_loses_one_event() {
    let (client, server) = tokio::io::duplex(1 << 16);
    let pipe = Mutex::new(Some(client));
    let dialer = move || pipe.lock().unwrap().take();
    let shared = Shared::new(Connection::new(once(), None, 1));
    let (sender, mut events) = tokio::sync::mpsc::channel(1024);
    let deliver = move |event: Event| {
        assert!(!matches!(event, Event::Connected(_)), "no thanks");
        assert!(!matches!(event, Event::State(ConnectionState::Ready)), "no thanks");
        sender.try_send(event).unwrap();
    };
    let driver = drive(Arc::clone(&shared), AppliedBy::Loop, OneSocket(dialer), deliver).unwrap();
    let driven = async {
        driver.await;
    };
    let story = async {
        let mut peer = WebSocketStream::from_raw_socket(server, Role::Server, None).await;
        peer.send(frame(&greeting())).await.unwrap();
        let mut panics = 0;
        while panics < 2 {
            if let Event::Panicked(panic) = events.recv().await.unwrap() {
                assert_eq!(panic.to_string(), "delivery panicked: no thanks");
                panics += 1;
            }
        }
        let _ = shared.command(|connection, _| connection.call(call("f"), None));
        let ClientMessage::CallReducer { request_id, .. } = heard(&mut peer).await else {
            panic!("a call was made")
        };
        let timestamp = Timestamp::from_micros(1);
        let outcome = ReducerOutcome::OkEmpty;
        peer.send(frame(&ServerMessage::ReducerResult { request_id, timestamp, outcome }))
            .await
            .unwrap();
        while !matches!(
            events.recv().await,
            Some(Event::Answered { reply: Reply::Committed { .. }, .. })
        ) {}
        shared.command(Connection::close);
        drop(peer);
        while !is_closed(&events.recv().await.unwrap()) {}
    };
    tokio::join!(driven, story);
}

/// Opens what a function gives.
struct OneSocket<F>(F);

impl<F: Fn() -> Option<DuplexStream> + Send + Sync + 'static> Dialer for OneSocket<F> {
    fn dial(&self, _: &Dial) -> Dialing {
        let stream = (self.0)();
        Box::pin(async move {
            let Some(stream) = stream else { return std::future::pending().await };
            let socket = Socket::open(Box::new(stream), Vec::new(), &Limits::DEFAULT).await;
            Ok(Opened { socket: Box::new(socket), protocol: Protocol::V3, token: None })
        })
    }
}

#[tokio::test(start_paused = true)]
async fn command_that_panics_closes_with_its_reason() {
    let (mut rig, _peer) = Rig::greeted(Config::default(), 1 << 16).await;
    let _ = rig.shared.command(|connection, _| connection.call(call("f"), None));
    let command = || rig.shared.command(|_, _| panic!("half-way"));
    let panicked = catch_unwind(AssertUnwindSafe(command));
    assert!(panicked.is_err(), "it is the caller's panic too");
    let answered = rig.until(|event| matches!(event, Event::Answered { .. })).await;
    assert!(matches!(answered, Event::Answered { reply: Reply::Unknown | Reply::NotSent(_), .. }));
    let closed = rig.until(is_closed).await;
    let Event::State(ConnectionState::Closed(CloseReason::Panicked(panic))) = closed else {
        panic!("{closed:?}")
    };
    assert_eq!(panic.to_string(), "client panicked: half-way");
    rig.task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nested_command_is_refused() {
    let (mut rig, _peer) = Rig::greeted(Config::default(), 1 << 16).await;
    let shared = Arc::clone(&rig.shared);
    let nested = catch_unwind(AssertUnwindSafe(|| {
        rig.shared.command(|_, _| {
            let inner = catch_unwind(AssertUnwindSafe(|| shared.read(Connection::is_ready)));
            assert!(inner.is_err());
        });
    }));
    assert!(nested.is_ok());
    rig.shared.command(Connection::close_at_once);
    rig.until(is_closed).await;
}

/// A driver that waits for a view, and that view.
async fn held_up() -> (Rig, Peer, lightlike_core::cache::View) {
    let mut config = Config::default();
    config.limits.max_dead_rows = 1;
    let (mut rig, mut peer) = Rig::greeted(config, 1 << 20).await;
    let set =
        rig.shared.command(|connection, _| connection.subscribe(vec!["SELECT * FROM t".into()]));
    let ClientMessage::Subscribe { request_id, query_set_id, .. } = heard(&mut peer).await else {
        panic!("a subscription was asked for")
    };
    let list = |rows: &[u32]| RowList::from_rows(rows.iter().map(|row| row.to_le_bytes()));
    let table = TableName::from("t");
    let tables = vec![TableRows { table: table.clone(), rows: list(&[1, 2, 3]) }];
    let rows = QueryRows { tables };
    peer.send(frame(&ServerMessage::SubscribeApplied { request_id, query_set_id, rows }))
        .await
        .unwrap();
    rig.until(|event| matches!(event, Event::Applied(applied) if *applied == set)).await;
    let view = rig.shared.read(Connection::reader).read();
    for row in [1, 2, 3] {
        let (inserts, deletes) = (list(&[]), list(&[row]));
        let rows = vec![UpdateRows::Persistent { inserts, deletes }];
        let tables = vec![TableUpdate { table: table.clone(), rows }];
        let query_sets = vec![QuerySetUpdate { query_set_id, tables }];
        let update = TransactionUpdate { query_sets };
        peer.send(frame(&ServerMessage::TransactionUpdate(update))).await.unwrap();
    }
    rig.until(|event| matches!(event, Event::Transaction(_))).await;
    while !rig.shared.read(Connection::is_applying) {
        tokio::task::yield_now().await;
    }
    let _ = rig.shared.command(|connection, _| connection.call(call("f"), None));
    (rig, peer, view)
}

#[tokio::test(start_paused = true)]
async fn close_ends_while_a_view_is_held() {
    let (mut rig, mut peer, view) = held_up().await;
    rig.shared.command(Connection::close);
    while let Some(Ok(_)) = peer.next().await {}
    rig.until(|event| matches!(event, Event::Answered { .. })).await;
    rig.until(is_closed).await;
    rig.task.await.unwrap();
    drop(view);
}

#[tokio::test(start_paused = true)]
async fn dropped_driver_ends_while_a_view_is_held() {
    let (mut rig, _peer, view) = held_up().await;
    rig.task.abort();
    rig.until(|event| {
        matches!(event, Event::Answered { reply: Reply::Unknown | Reply::NotSent(_), .. })
    })
    .await;
    rig.until(is_closed).await;
    assert!(rig.task.await.unwrap_err().is_cancelled());
    drop(view);
}

#[test]
fn end_of_runtime_ends_driver_despite_view() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.unwrap();
    let (mut rig, peer, view) = runtime.block_on(held_up());
    drop(runtime);
    let mut told = Vec::new();
    while let Ok(event) = rig.events.try_recv() {
        told.push(event);
    }
    assert!(told.last().is_some_and(is_closed), "{told:?}");
    assert_eq!(told.iter().filter(|event| matches!(event, Event::Answered { .. })).count(), 1);
    drop((peer, view));
}

#[test]
fn blocked_driver_is_cut_off() {
    let (client, server) = tokio::io::duplex(1 << 16);
    let pipe = Mutex::new(Some(client));
    let shared = Shared::new(Connection::new(once(), None, 1));
    let (blocked, is_blocked) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let deliver = move |event| {
        if matches!(event, Event::State(ConnectionState::Ready)) {
            blocked.send(()).unwrap();
            let _ = released.recv();
        }
    };
    let dialer = OneSocket(move || pipe.lock().unwrap().take());
    let driver = drive(Arc::clone(&shared), AppliedBy::Loop, dialer, deliver).unwrap();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.unwrap().block_on(async move {
            let mut peer = WebSocketStream::from_raw_socket(server, Role::Server, None).await;
            peer.send(frame(&greeting())).await.unwrap();
            driver.await;
        });
    });
    is_blocked.recv().unwrap();
    let _ = shared.command(|connection, _| connection.call(call("f"), None));
    shared.command(Connection::close);
    assert!(shared.undriven_event().is_none(), "the driver may yet come back");
    shared.cut_off();
    let mut told = Vec::new();
    while let Some(event) = shared.undriven_event() {
        told.push(event);
    }
    assert!(
        matches!(
            told[..],
            [Event::Answered { .. }, Event::State(ConnectionState::Closed(CloseReason::Requested))]
        ),
        "{told:?}"
    );
    release.send(()).unwrap();
    thread.join().unwrap();
}

#[tokio::test(start_paused = true)]
#[expect(
    clippy::disallowed_methods,
    reason = "the tests' driver runs in a task, as everybody's does"
)]
async fn ticks_go_on_after_panic() {
    let (client, server) = tokio::io::duplex(1 << 16);
    let pipe = Mutex::new(Some(client));
    let shared = Shared::new(Connection::new(once(), None, 1));
    let dialer = OneSocket(move || pipe.lock().unwrap().take());
    let driver = drive(Arc::clone(&shared), AppliedBy::Ticks, dialer, |_| ()).unwrap();
    tokio::spawn(driver);
    let mut peer = WebSocketStream::from_raw_socket(server, Role::Server, None).await;
    peer.send(frame(&greeting())).await.unwrap();
    let (mut told, mut closed) = (Vec::new(), false);
    let mut has_called = false;
    for _ in 0..1000 {
        tokio::task::yield_now().await;
        let deliver = |event: Event| {
            told.push(format!("{event:?}"));
            assert!(!matches!(event, Event::Connected(_)), "in a tick");
        };
        closed = shared.tick(Budget::unlimited(), deliver).unwrap().closed;
        if closed {
            break;
        }
        if !has_called && shared.read(Connection::is_ready) {
            has_called = true;
            let _ = shared.command(|connection, _| connection.call(call("f"), None));
            let half = || shared.command(|_, _| panic!("half-way"));
            assert!(catch_unwind(AssertUnwindSafe(half)).is_err());
        }
    }
    assert!(closed && has_called);
    let has = |text: &str| told.iter().filter(|event| event.contains(text)).count();
    assert_eq!((has("in a tick"), has("Answered")), (1, 1), "{told:?}");
    assert!(told.last().unwrap().contains("half-way"), "{told:?}");
    let _ = Panic::new("client", "half-way");
}
