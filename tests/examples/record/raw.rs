//! A client that says what it is told to and looks only at which requests are answered: for messages that this project's
//! client does not send by itself.

use std::collections::BTreeSet;

use futures_util::{SinkExt as _, StreamExt as _};
use lightlike::connection::Compression;
use lightlike_core::limits::Limits;
use lightlike_core::wire::{
    ClientMessage, Protocol, RequestId, ServerMessage, decode_server, encode_client, open_frame,
};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::Result;

/// A socket on v3.
pub(crate) struct Raw {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    open: BTreeSet<RequestId>,
}

impl Raw {
    /// Connects, and waits to be greeted.
    pub(crate) async fn connect(
        uri: &str,
        database: &str,
        compression: Compression,
    ) -> Result<Self> {
        let base = uri.replacen("http", "ws", 1);
        let target =
            format!("{base}/v1/database/{database}/subscribe?compression={}", compression.query());
        let mut request = target.into_client_request()?;
        let offer = Protocol::V3.subprotocol().parse()?;
        request.headers_mut().insert("sec-websocket-protocol", offer);
        let (socket, _) = connect_async(request).await?;
        let mut raw = Self { socket, open: BTreeSet::new() };
        raw.next().await?;
        Ok(raw)
    }

    /// Says some messages in one frame, and waits until each is answered.
    pub(crate) async fn ask(&mut self, messages: &[ClientMessage]) -> Result {
        let mut frame = Vec::new();
        for message in messages {
            encode_client(message, &mut frame)?;
            self.open.insert(message.request_id());
        }
        self.socket.send(Message::Binary(frame.into())).await?;
        while !self.open.is_empty() {
            self.next().await?;
        }
        Ok(())
    }

    /// Waits for a frame, and returns its messages.
    pub(crate) async fn next(&mut self) -> Result<Vec<ServerMessage>> {
        loop {
            let message = self.socket.next().await.ok_or("the server hung up")??;
            let Message::Binary(frame) = message else { continue };
            let body = open_frame(frame, &Limits::default())?;
            let messages = decode_server(&body, Protocol::V3, &Limits::default());
            let messages: Vec<_> = messages.collect::<std::result::Result<_, _>>()?;
            for request in messages.iter().filter_map(ServerMessage::request_id) {
                self.open.remove(&request);
            }
            return Ok(messages);
        }
    }

    /// Says goodbye, and waits for the server to do so.
    pub(crate) async fn close(mut self) -> Result {
        self.socket.close(None).await?;
        while let Some(Ok(_)) = self.socket.next().await {}
        Ok(())
    }
}
