//! One connection, from its first byte to its last.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lightlike_core::wire::{ServerMessage, Text};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::handshake::{self, Accepted, Outcome};
use super::outbox::Outbox;
use super::reader::ReadSide;
use super::writer::Writer;
use crate::server::http::routes;
use crate::server::http::{Incoming, Request};
use crate::server::state::{Connection, Key, Shared};

/// The largest message that the server takes, in bytes.
const MAX_MESSAGE_BYTES: usize = 32 << 20;

/// Time for which a client may be silent, pongs included.
///
/// # Source
///
/// SpacetimeDB 2.14.0.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// The code for a client whose session another of its sockets still holds.
const SESSION_BUSY: u16 = 4000;

/// Serves one connection: HTTP requests, and a WebSocket if one of them asks for it.
///
/// Boxes, and not a type for each kind of stream: all of this would be compiled for each.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    mut reader: Box<dyn AsyncRead + Send + Sync + Unpin>,
    mut writer: Box<dyn AsyncWrite + Send + Sync + Unpin>,
) {
    let mut buffer = Vec::new();
    loop {
        let request = match Request::read(&mut reader, &mut buffer).await {
            Incoming::Request(request) => request,
            Incoming::End => return,
            Incoming::Bad(response) => {
                // The peer may be gone, which changes nothing.
                let _ = response.write(&mut writer, false).await;
                return;
            }
        };
        let keep_alive = !request.header_has("connection", "close");
        let response = match routes::subscribed_database(&request) {
            None => routes::answer(&shared, &request),
            Some(database) => match handshake::answer(&shared, &request, database) {
                Outcome::Accepted(accepted, response) => {
                    if response.write(&mut writer, true).await.is_ok() {
                        connect(shared, reader, writer, buffer, accepted).await;
                    }
                    return;
                }
                Outcome::Refused(response) => response,
                Outcome::Dropped => return,
            },
        };
        if response.write(&mut writer, keep_alive).await.is_err() || !keep_alive {
            return;
        }
    }
}

/// Runs the connection of an accepted WebSocket.
async fn connect(
    shared: Arc<Shared>,
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
    buffer: Vec<u8>,
    accepted: Accepted,
) {
    let outbox = Arc::new(Outbox::default());
    let socket = ReadSide { socket: reader, outbox: Arc::clone(&outbox) };
    let config =
        WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE_BYTES)).max_frame_size(None);
    let mut socket =
        WebSocketStream::from_partially_read(socket, buffer, Role::Server, Some(config)).await;
    let (protocol, compression) = (accepted.info.protocol, accepted.info.compression);
    let held = shared.held.subscribe();
    let writer = Writer { socket: writer, outbox: &outbox, protocol, compression, held };
    // Runs `on_disconnect` when it goes.
    let connected = Connected::new(&shared, &outbox, accepted);
    let key = connected.as_ref().map(|connected| connected.key);
    let read = async {
        read(&shared, key, &mut socket, &outbox).await;
        // What the library wrote, the answer to a close frame say, is still to be sent.
        outbox.end();
        pending::<()>().await;
    };
    tokio::select! {
        () = writer.run() => {}
        () = read => {}
    }
}

/// Reads until the peer ends the connection, breaks the protocol, or says nothing for too long.
///
/// What a client says whom the server does not want is not looked at.
async fn read(
    shared: &Arc<Shared>,
    key: Option<Key>,
    socket: &mut WebSocketStream<ReadSide<impl AsyncRead + Unpin>>,
    outbox: &Outbox,
) {
    loop {
        let message = match timeout(IDLE_TIMEOUT, socket.next()).await {
            Ok(Some(Ok(message))) => message,
            _ if outbox.is_stalled() => pending().await,
            Ok(None | Some(Err(_))) => return,
            Err(_) => return outbox.cut(),
        };
        if outbox.is_stalled() {
            pending::<()>().await;
        }
        match (message, key) {
            (Message::Binary(payload), Some(key)) => shared.receive(key, payload).await,
            (Message::Text(_), Some(key)) => shared.receive_text(key),
            _ => {}
        }
    }
}

/// A connection that the module knows of; it is told when this goes.
struct Connected {
    shared: Arc<Shared>,
    key: Key,
}

impl Connected {
    /// Lets the module see the connection. None if it is not wanted: the outbox then says how it ends.
    fn new(shared: &Arc<Shared>, outbox: &Arc<Outbox>, accepted: Accepted) -> Option<Self> {
        shared.with(|state| {
            let Accepted { info, session, token, knows_batches } = accepted;
            let holder = state.connections.values().find(|other| {
                session.is_some()
                    && other.session == session
                    && other.info.identity == info.identity
            });
            if let Some(holder) = holder {
                // The old socket is torn down, so that the client's next attempt finds the session free.
                holder.outbox.cut();
                outbox.push(super::outbox::Outgoing::Close {
                    code: SESSION_BUSY,
                    reason: "session busy".to_owned(),
                });
                return None;
            }
            if let Some(on_connect) = &shared.module.on_connect {
                let caller = state.caller(&info);
                if state.run(caller, |tx| on_connect(tx)).is_err() {
                    // No close frame, and no reason.
                    outbox.cut();
                    return None;
                }
            }
            let initial = ServerMessage::InitialConnection {
                identity: info.identity,
                connection_id: info.id,
                token: Text::from(token),
            };
            let connection = Connection {
                info,
                session,
                sets: Default::default(),
                has_subscribed: false,
                outbox: Arc::clone(outbox),
                fault: None,
                closing: false,
                knows_batches,
            };
            connection.tell(initial);
            Some(Self { shared: Arc::clone(shared), key: state.add_connection(connection) })
        })
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let Self { shared, key } = self;
        shared.with(|state| {
            let Some(connection) = state.connections.remove(key) else { return };
            state.drop_unused_views();
            if let Some(on_disconnect) = &shared.module.on_disconnect {
                let caller = state.caller(&connection.info);
                // Whatever comes of it, the client is gone.
                let _ = state.run(caller, |tx| {
                    on_disconnect(tx);
                    Ok::<(), std::convert::Infallible>(())
                });
            }
        });
    }
}
