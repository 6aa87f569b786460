//! A driver whose sockets are pipes in memory, and whose clock is tokio's paused one.

use std::sync::{Arc, Mutex};

use futures_util::SinkExt as _;
use lightlike_core::conn::{CloseReason, Config, Connection, ConnectionState, Dial, Event, Lost};
use lightlike_core::driver::{AppliedBy, Dialer, Dialing, Io, Opened, Shared, Socket, drive};
use lightlike_core::limits::Limits;
use lightlike_core::types::{ConnectionId, Identity};
use lightlike_core::wire::{Protocol, ServerMessage, Text, encode_server};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};

/// The server's end of a socket.
pub(crate) type Peer = WebSocketStream<DuplexStream>;

/// Opens one pipe, or never anything.
#[derive(Clone)]
pub(crate) struct Pipe(Arc<Mutex<Option<Box<dyn Io>>>>, Limits);

impl Pipe {
    pub(crate) fn to(stream: Box<dyn Io>, limits: Limits) -> Self {
        Self(Arc::new(Mutex::new(Some(stream))), limits)
    }
}

impl Dialer for Pipe {
    fn dial(&self, _dial: &Dial) -> Dialing {
        let (stream, limits) = (self.0.lock().unwrap().take(), self.1);
        Box::pin(async move {
            match stream {
                Some(stream) => {
                    let socket = Socket::open(stream, Vec::new(), &limits).await;
                    Ok(Opened { socket: Box::new(socket), protocol: Protocol::V3, token: None })
                }
                None => std::future::pending().await,
            }
        })
    }
}

pub(crate) struct Rig {
    pub(crate) shared: Arc<Shared>,
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) task: JoinHandle<()>,
}

impl Rig {
    /// A started driver whose socket never opens.
    pub(crate) fn stuck() -> Self {
        Self::start(Config::default(), None)
    }

    /// A started driver, and the other end of its socket. `room` is how much either end may write ahead.
    pub(crate) async fn open(config: Config, room: usize) -> (Self, Peer) {
        let (client, server) = tokio::io::duplex(room);
        let rig = Self::over(config, Box::new(client));
        (rig, WebSocketStream::from_raw_socket(server, Role::Server, None).await)
    }

    /// As `open`, and the server has greeted.
    pub(crate) async fn greeted(config: Config, room: usize) -> (Self, Peer) {
        let (mut rig, mut peer) = Self::open(config, room).await;
        peer.send(frame(&greeting())).await.unwrap();
        rig.until(|event| matches!(event, Event::State(ConnectionState::Ready))).await;
        (rig, peer)
    }

    /// A started driver over this stream.
    pub(crate) fn over(config: Config, stream: Box<dyn Io>) -> Self {
        Self::start(config, Some(stream))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the tests' driver runs in a task, as everybody's does"
    )]
    fn start(mut config: Config, stream: Option<Box<dyn Io>>) -> Self {
        config.reconnect.enabled = false;
        let limits = config.limits;
        let shared = Shared::new(Connection::new(config, None, 1));
        let (sender, events) = mpsc::channel(1024);
        let deliver = move |event| {
            // Progress says the same again, and more.
            if matches!(event, Event::Receiving(_)) && sender.capacity() < 512 {
                return;
            }
            let is_full = matches!(sender.try_send(event), Err(TrySendError::Full(_)));
            assert!(!is_full, "nobody takes the events");
        };
        let dialer = Pipe(Arc::new(Mutex::new(stream)), limits);
        let task =
            tokio::spawn(drive(Arc::clone(&shared), AppliedBy::Loop, dialer, deliver).unwrap());
        Self { shared, events, task }
    }

    /// Waits for an event, and lets those before it go.
    pub(crate) async fn until(&mut self, mut wanted: impl FnMut(&Event) -> bool) -> Event {
        loop {
            let event = self.events.recv().await.expect("the driver ended before the event");
            if wanted(&event) {
                return event;
            }
        }
    }

    /// Waits for the end, and says why.
    pub(crate) async fn lost(mut self) -> Lost {
        let closed = |event: &Event| matches!(event, Event::State(ConnectionState::Closed(_)));
        match self.until(closed).await {
            Event::State(ConnectionState::Closed(CloseReason::Lost(lost))) => {
                self.task.await.unwrap();
                lost
            }
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn greeting() -> ServerMessage {
    ServerMessage::InitialConnection {
        identity: Identity::from_le_bytes([1; 32]),
        connection_id: ConnectionId::from_u128(2),
        token: Text::from("token"),
    }
}

/// A server's frame: uncompressed.
pub(crate) fn frame(message: &ServerMessage) -> Message {
    let mut bytes = vec![0];
    encode_server(message, &mut bytes).unwrap();
    Message::Binary(bytes.into())
}
