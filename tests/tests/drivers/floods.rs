//! A server that sends without pause, over a socket of the system, whoever drives the client.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use lightlike::connection::CloseReason;
use lightlike::prelude::*;
use lightlike::types::{ConnectionId, Identity};
use lightlike::{CallError, ClientBuilder};
use lightlike_core::driver::accept_key;
use lightlike_core::wire::{Protocol, ServerMessage, Text, TransactionUpdate, encode_server};
use lightlike_tests::chat::send_message;

use crate::support::{FRAME, multi_thread, tick_until, wait};

const CALL_TIMEOUT: Duration = Duration::from_millis(500);

/// The default of `close_timeout`, which the client has for the server's answer to its close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How much is written at once.
const CHUNK_BYTES: usize = 64 << 10;

fn message_frame(message: &ServerMessage) -> Vec<u8> {
    // Not compressed.
    let mut payload = vec![0];
    encode_server(message, &mut payload).unwrap();
    let len = u8::try_from(payload.len()).unwrap();
    assert!(len < 126, "a short one");
    [vec![0x82, len], payload].concat()
}

fn greeting() -> Vec<u8> {
    message_frame(&ServerMessage::InitialConnection {
        identity: Identity::ZERO,
        connection_id: ConnectionId::from_u128(1),
        token: Text::from("token"),
    })
}

/// Frames that are sent again and again, by name.
fn floods() -> [(&'static str, Vec<u8>); 3] {
    let update = ServerMessage::TransactionUpdate(TransactionUpdate::default());
    [
        ("pings", vec![0x89, 0]),
        ("long pings", [vec![0x89, 125], vec![7; 125]].concat()),
        ("messages", message_frame(&update)),
    ]
}

/// Greets one client, and floods it until it hangs up. Takes what the client sends, and answers nothing.
fn flood(listener: &TcpListener, frame: &[u8]) -> io::Result<()> {
    let (mut stream, _) = listener.accept()?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let upgrade = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {}\r\n\r\n",
        accept_key(key),
        Protocol::V3.subprotocol(),
    );
    stream.write_all(upgrade.as_bytes())?;
    stream.write_all(&greeting())?;
    let reader = stream.try_clone()?;
    let reading = thread::spawn(move || drain(reader));
    let chunk = frame.repeat(CHUNK_BYTES / frame.len());
    while stream.write_all(&chunk).is_ok() {}
    reading.join().unwrap();
    Ok(())
}

fn drain(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).is_ok_and(|read| read > 0) {}
}

/// Makes a call and closes, by `run`, which drives the client until a future is through.
fn keeps_deadlines(name: &str, db: &Client, run: &dyn Fn(Wait<'_>)) {
    let began = Instant::now();
    run(Box::pin(async {
        let answer = db.call(send_message("hello".into())).timeout(CALL_TIMEOUT).await;
        assert!(matches!(answer, Err(CallError::TimedOut { .. })), "{name}: {answer:?}");
    }));
    let took = began.elapsed();
    assert!(took <= 2 * CALL_TIMEOUT, "{name}: a call took {took:?}");
    let began = Instant::now();
    run(Box::pin(async { db.disconnect().await }));
    let took = began.elapsed();
    assert!(took <= 2 * CLOSE_TIMEOUT, "{name}: closing took {took:?}");
    assert_eq!(db.state().get(), ConnectionState::Closed(CloseReason::Requested), "{name}");
}

type Wait<'a> = std::pin::Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A server that floods one client, and where it is.
fn server(frame: Vec<u8>) -> (ClientBuilder, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let builder = Client::builder(format!("http://{}", listener.local_addr().unwrap()), "db");
    // It ends when the client has, which hangs up.
    (builder, thread::spawn(move || drop(flood(&listener, &frame))))
}

#[test]
fn no_flood_delays_a_deadline_in_a_task() {
    for (name, frame) in floods() {
        let (builder, server) = server(frame);
        let runtime = multi_thread();
        let db = runtime.block_on(builder.connect()).unwrap();
        keeps_deadlines(name, &db, &|future| runtime.block_on(future));
        server.join().unwrap();
    }
}

#[test]
fn no_flood_delays_a_deadline_on_a_thread() {
    for (name, frame) in floods() {
        let (builder, server) = server(frame);
        let db = builder.connect_blocking().unwrap();
        keeps_deadlines(name, &db, &|future| wait(future));
        server.join().unwrap();
    }
}

/// Ticks until the future is through, also where the client's end is what it waits for.
fn tick_to_the_end(db: &Client, mut future: Wait<'_>) {
    let mut cx = Context::from_waker(Waker::noop());
    while future.as_mut().poll(&mut cx).is_pending() {
        let _ = db.tick(FRAME);
        thread::yield_now();
    }
}

#[test]
fn no_flood_delays_a_deadline_of_ticks() {
    for (name, frame) in floods() {
        let (builder, server) = server(frame);
        let db = builder.build_manual().unwrap();
        let ready = |state: &ConnectionState| matches!(state, ConnectionState::Ready);
        tick_until(&db, db.state().wait_for(ready)).unwrap();
        keeps_deadlines(name, &db, &|future| tick_to_the_end(&db, future));
        server.join().unwrap();
    }
}
