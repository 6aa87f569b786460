//! The life of a client's socket: what comes in is handled in order, what the engine has to say goes out, and the end has a
//! reason that the client is told, where a real server tells it.

use super::{Socket, encode};
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use spacetimedb::client::{
    ClientConnection, ClientConnectionReceiver, DataMessage, MessageHandleError,
    SessionReservation, WsVersion,
};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};

/// Interval of the server's pings.
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// A client that was silent for so long, pongs included, is gone.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Messages of a client that wait to be handled. One more is one too many.
const INCOMING_MESSAGES: usize = 16384;

/// Time that the client may take to answer a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The text of a close frame has at most so many bytes: a control frame holds 125, the code takes two.
const CLOSE_TEXT_BYTES: usize = 123;

/// Reason for which the server ends a connection.
pub(super) enum Goodbye {
    /// The client left, or does not answer, or its socket broke: there is nobody to tell.
    Silent(&'static str),
    /// The database ended.
    DatabaseGone,
    /// The client sent what cannot be decoded, or the engine cannot go on with it.
    Error(String),
    /// The client sends faster than the module runs.
    TooManyRequests,
    /// The session's earlier connection has not ended yet. It is told to, and the client comes back.
    SessionBusy,
}

impl Goodbye {
    fn close_frame(self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Silent(_) => return None,
            Self::DatabaseGone => (CloseCode::Away, "module exited".to_owned()),
            Self::Error(text) => (CloseCode::Error, text),
            Self::TooManyRequests => (CloseCode::Again, "too many requests".to_owned()),
            Self::SessionBusy => (
                spacetimedb_client_api_messages::websocket::common::SESSION_BUSY_CLOSE_CODE.into(),
                "session busy".to_owned(),
            ),
        };
        let end = reason.floor_char_boundary(CLOSE_TEXT_BYTES);
        Some(CloseFrame { code, reason: reason[..end].into() })
    }
}

/// Runs `client_disconnected` when the actor ends, also when the engine aborts it; only then is the session free.
struct Leaving {
    client: Option<ClientConnection>,
    guards: Option<Guards>,
}

/// The client's session, and the sign that a socket is open.
type Guards = (Option<Arc<SessionReservation>>, mpsc::Sender<Infallible>);

impl Drop for Leaving {
    fn drop(&mut self) {
        let (client, guards) = (self.client.take(), self.guards.take());
        tokio::spawn(async move {
            if let Some(client) = client {
                client.disconnect().await;
            }
            drop(guards);
        });
    }
}

/// Serves a client until either side ends it.
pub(super) async fn run(
    client: ClientConnection,
    outgoing: ClientConnectionReceiver,
    socket: Socket,
    guards: Guards,
) {
    let _leaving = Leaving { client: Some(client.clone()), guards: Some(guards) };
    let (mut sink, mut stream) = socket.split();
    let (queue, queued) = mpsc::channel(INCOMING_MESSAGES);
    let mut watched = client.clone();
    let goodbye = tokio::select! {
        goodbye = receive(&mut stream, queue) => goodbye,
        goodbye = handle(&client, queued) => goodbye,
        goodbye = send(&client, outgoing, &mut sink) => goodbye,
        _ = watched.watch_module_host() => Goodbye::DatabaseGone,
    };
    let socket = sink.reunite(stream).expect("the halves of one socket");
    close(socket, goodbye).await;
}

/// Says why, then waits for the client's answer, so that nothing on its way to the client is lost to a reset.
pub(super) async fn close(mut socket: Socket, goodbye: Goodbye) {
    if let Goodbye::Silent(why) = goodbye {
        log::debug!("a socket ends: {why}");
    }
    let Some(frame) = goodbye.close_frame() else { return };
    let farewell = async {
        socket.send(Message::Close(Some(frame))).await?;
        while socket.next().await.transpose()?.is_some() {}
        anyhow::Ok(())
    };
    match tokio::time::timeout(CLOSE_TIMEOUT, farewell).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            log::debug!("a socket ends without an answer to its close frame: {error:#}")
        }
        Err(_) => log::debug!("a client does not answer its close frame"),
    }
}

/// Reads the socket and queues what is for the engine.
async fn receive(stream: &mut SplitStream<Socket>, queue: mpsc::Sender<DataMessage>) -> Goodbye {
    loop {
        let message = match tokio::time::timeout(IDLE_TIMEOUT, stream.next()).await {
            Err(_) => return Goodbye::Silent("the client is idle"),
            Ok(None) => return Goodbye::Silent("the client left"),
            Ok(Some(Err(error))) => {
                log::debug!("a socket broke: {error}");
                return Goodbye::Silent("the socket broke");
            }
            Ok(Some(Ok(Message::Binary(payload)))) => payload.into(),
            Ok(Some(Ok(Message::Text(text)))) => text.to_string().into(),
            // tungstenite answers pings and close frames.
            Ok(Some(Ok(_))) => continue,
        };
        if queue.try_send(message).is_err() {
            return Goodbye::TooManyRequests;
        }
    }
}

/// Hands what was queued to the engine, one after the other.
async fn handle(client: &ClientConnection, mut queued: mpsc::Receiver<DataMessage>) -> Goodbye {
    while let Some(message) = queued.recv().await {
        match client.handle_message(message, Instant::now()).await {
            Ok(()) => {}
            // Version 1 has told the client in a message.
            Err(MessageHandleError::Execution(_)) if client.config.version == WsVersion::V1 => {}
            Err(error) => return Goodbye::Error(format!("{error:#}")),
        }
    }
    Goodbye::Silent("nothing more comes in")
}

/// Sends what the engine has for the client, and pings.
async fn send(
    client: &ClientConnection,
    mut outgoing: ClientConnectionReceiver,
    sink: &mut SplitSink<Socket, Message>,
) -> Goodbye {
    let pool = client.module().subscriptions().bsatn_rlb_pool.clone();
    let mut ping = tokio::time::interval(PING_INTERVAL);
    let mut batch = Vec::new();
    loop {
        let sent = tokio::select! {
            messages = outgoing.recv_many(&mut batch, ClientConnectionReceiver::DEFAULT_RECV_MANY_LIMIT) => {
                if messages == 0 {
                    return Goodbye::DatabaseGone;
                }
                let payloads = encode::payloads(&mut batch, &pool, client.config);
                send_all(sink, payloads).await
            }
            _ = ping.tick() => sink.send(Message::Ping(Bytes::new())).await,
        };
        if let Err(error) = sent {
            log::debug!("a socket broke: {error}");
            return Goodbye::Silent("the socket broke");
        }
    }
}

async fn send_all(
    sink: &mut SplitSink<Socket, Message>,
    payloads: Vec<DataMessage>,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    for frame in payloads.into_iter().flat_map(encode::frames) {
        sink.feed(Message::Frame(frame)).await?;
    }
    sink.flush().await
}
