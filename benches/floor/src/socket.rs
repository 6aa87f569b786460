//! As much of protocol v2 as it takes.

use std::time::Duration;

use bench_harness::{Call, Compression, Options};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Tags of the server's messages.
pub(crate) const INITIAL_CONNECTION: u8 = 0;
pub(crate) const SUBSCRIBE_APPLIED: u8 = 1;
const SUBSCRIPTION_ERROR: u8 = 3;
pub(crate) const REDUCER_RESULT: u8 = 6;

/// Tags of the client's.
const SUBSCRIBE: u8 = 0;
const CALL_REDUCER: u8 = 3;

/// Offset of the outcome in a reducer's result: behind compression, tag, request and time.
const OUTCOME_AT: usize = 1 + 1 + 4 + 8;
/// The outcomes from here on are failures.
const FIRST_FAILURE: u8 = 2;

pub(crate) struct Socket {
    stream: WebSocketStream<TcpStream>,
    requests: u32,
}

impl Socket {
    pub(crate) async fn open(options: &Options) -> Self {
        let host = options.uri.strip_prefix("http://").expect("an address with http://");
        let compression = match options.compression {
            Compression::None => "None",
            Compression::Gzip => "Gzip",
            Compression::Brotli => "Brotli",
        };
        let database = &options.database;
        let query = format!("compression={compression}&confirmed=false");
        let uri = format!("ws://{host}/v1/database/{database}/subscribe?{query}");
        let mut request = uri.into_client_request().expect("an address");
        let protocol = "v2.bsatn.spacetimedb".parse().expect("a header");
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
        let tcp = TcpStream::connect(host).await.expect("a server");
        tcp.set_nodelay(true).expect("a socket option");
        let config = WebSocketConfig::default().max_frame_size(None).max_message_size(None);
        let opened = client_async_with_config(request, tcp, Some(config)).await;
        let mut socket = Self { stream: opened.expect("a WebSocket").0, requests: 0 };
        socket.answer(INITIAL_CONNECTION).await;
        socket
    }

    /// The next message with this tag, or one that is compressed and does not show its tag.
    pub(crate) async fn answer(&mut self, tag: u8) -> Bytes {
        loop {
            let message = self.stream.next().await.expect("an open socket").expect("a frame");
            let bytes = match message {
                Message::Binary(bytes) => bytes,
                Message::Close(why) => panic!("the server hung up: {why:?}"),
                _ => continue,
            };
            if bytes[0] != 0 || bytes[1] == tag {
                let failed =
                    bytes[0] == 0 && tag == REDUCER_RESULT && bytes[OUTCOME_AT] >= FIRST_FAILURE;
                assert!(!failed, "a reducer failed: {}", String::from_utf8_lossy(&bytes));
                return bytes;
            }
            assert_ne!(bytes[1], SUBSCRIPTION_ERROR, "{}", String::from_utf8_lossy(&bytes));
        }
    }

    pub(crate) async fn feed(&mut self, message: Vec<u8>) {
        self.stream.feed(Message::Binary(message.into())).await.expect("an open socket");
    }

    pub(crate) async fn flush(&mut self) {
        self.stream.flush().await.expect("an open socket");
    }

    fn request(&mut self) -> u32 {
        self.requests += 1;
        self.requests
    }

    pub(crate) async fn subscribe(&mut self, sql: &str) -> Bytes {
        let id = self.request();
        let mut message = vec![SUBSCRIBE];
        message.extend(id.to_le_bytes());
        message.extend(id.to_le_bytes());
        message.extend(1_u32.to_le_bytes());
        put_bytes(&mut message, sql.as_bytes());
        self.feed(message).await;
        self.flush().await;
        let patience = Duration::from_secs(600);
        let answer = tokio::time::timeout(patience, self.answer(SUBSCRIBE_APPLIED)).await;
        answer.expect("an answer")
    }

    pub(crate) async fn call(&mut self, call: Call) -> Bytes {
        let id = self.request();
        self.send(call_message(id, call)).await
    }

    pub(crate) async fn call_raw(&mut self, reducer: &str, args: &[u8]) {
        let id = self.request();
        self.send(message(id, reducer, args)).await;
    }

    async fn send(&mut self, message: Vec<u8>) -> Bytes {
        self.feed(message).await;
        self.flush().await;
        self.answer(REDUCER_RESULT).await
    }
}

pub(crate) fn call_message(id: u32, call: Call) -> Vec<u8> {
    match call {
        Call::Ping(n) => message(id, "ping", &n.to_le_bytes()),
        Call::MoveEntities { from, n } => message(id, "move_entities", &range(from, n)),
        Call::EmitTicks(n) => message(id, "emit_ticks", &n.to_le_bytes()),
    }
}

pub(crate) fn range(from: u64, n: u32) -> Vec<u8> {
    [&from.to_le_bytes()[..], &n.to_le_bytes()].concat()
}

fn message(id: u32, reducer: &str, args: &[u8]) -> Vec<u8> {
    let mut message = vec![CALL_REDUCER];
    message.extend(id.to_le_bytes());
    // Flags: tell the caller of success too.
    message.push(0);
    put_bytes(&mut message, reducer.as_bytes());
    put_bytes(&mut message, args);
    message
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
}
