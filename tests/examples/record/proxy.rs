//! A WebSocket proxy for one connection, which passes messages on as they are and keeps a copy.

use futures_util::{SinkExt as _, StreamExt as _};
use lightlike_core::wire::Protocol;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, accept_hdr_async, connect_async};

use crate::Result;
use crate::recording::{Recording, Side};

const PROTOCOL: &str = "sec-websocket-protocol";
const AUTHORIZATION: &str = "authorization";
/// More than a handshake takes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

type Upstream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A proxy under way.
pub(crate) struct Proxy {
    uri: String,
    task: JoinHandle<Result<Recording>>,
}

impl Proxy {
    /// Waits for a connection to the server at the base URI `server`. With `only`, the server hears of no other protocol.
    pub(crate) async fn start(server: &str, only: Option<Protocol>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let uri = format!("http://{}", listener.local_addr()?);
        let server = server.replacen("http", "ws", 1);
        Ok(Self { uri, task: tokio::spawn(run(listener, server, only)) })
    }

    /// Address at which it listens.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    /// Waits until the connection has ended.
    pub(crate) async fn finish(self) -> Result<Recording> {
        self.task.await?
    }
}

async fn run(listener: TcpListener, server: String, only: Option<Protocol>) -> Result<Recording> {
    let (socket, _) = listener.accept().await?;
    let mut head = Head::peek(&socket).await?;
    if let Some(protocol) = only {
        head.offer = Some(protocol.subprotocol().to_owned());
    }
    let (mut upstream, subprotocol) = dial(&server, &head).await?;
    let chosen = HeaderValue::from_str(&subprotocol)?;
    // The type of a refusal is the callback's, and this one refuses nobody.
    #[expect(clippy::result_large_err, reason = "tungstenite's signature")]
    let choose = |_: &Request, mut response: Response| {
        response.headers_mut().insert(PROTOCOL, chosen);
        Ok(response)
    };
    let mut client = accept_hdr_async(socket, choose).await?;

    let mut messages = Vec::new();
    loop {
        let (from, message) = tokio::select! {
            message = client.next() => (Side::Client, message),
            message = upstream.next() => (Side::Server, message),
        };
        // Either may hang up without a word, once the other has said that it is over.
        let Some(Ok(message)) = message else { break };
        messages.push((from, message.clone()));
        match from {
            Side::Client => pass(&mut upstream, message).await?,
            Side::Server => pass(&mut client, message).await?,
        }
    }
    Ok(Recording { target: head.target, subprotocol, messages })
}

/// Passes a message on. Pings and closes are answered by the socket that receives them.
async fn pass<S>(to: &mut WebSocketStream<S>, message: Message) -> Result
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    match message {
        Message::Pong(_) => Ok(()),
        // It has said so itself.
        Message::Close(frame) => Ok(to.close(frame).await.or_else(|error| match error {
            tokio_tungstenite::tungstenite::Error::ConnectionClosed => Ok(()),
            error => Err(error),
        })?),
        message => Ok(to.send(message).await?),
    }
}

/// Opens the way to the server as the client wished it, and says which protocol the server chose.
async fn dial(server: &str, head: &Head) -> Result<(Upstream, String)> {
    let mut request = format!("{server}{}", head.target).into_client_request()?;
    for (name, value) in [(PROTOCOL, &head.offer), (AUTHORIZATION, &head.authorization)] {
        if let Some(value) = value {
            request.headers_mut().insert(name, value.parse()?);
        }
    }
    let (upstream, response) = connect_async(request).await?;
    let chosen = response.headers().get(PROTOCOL);
    let chosen = chosen.map(HeaderValue::to_str).transpose()?.unwrap_or_default().to_owned();
    Ok((upstream, chosen))
}

/// Head of a client's handshake, as far as it matters before it is answered.
struct Head {
    target: String,
    offer: Option<String>,
    authorization: Option<String>,
}

impl Head {
    /// Looks at the handshake and leaves it in the socket.
    async fn peek(socket: &TcpStream) -> Result<Self> {
        let mut buffer = vec![0; MAX_HEAD_BYTES];
        loop {
            socket.readable().await?;
            let len = socket.peek(&mut buffer).await?;
            let text = std::str::from_utf8(&buffer[..len])?;
            if let Some((head, _)) = text.split_once("\r\n\r\n") {
                return Self::parse(head);
            }
            if len == 0 || len == buffer.len() {
                return Err("the client said no handshake".into());
            }
            tokio::task::yield_now().await;
        }
    }

    fn parse(head: &str) -> Result<Self> {
        let (first, headers) = head.split_once("\r\n").unwrap_or((head, ""));
        let target = first.split(' ').nth(1).ok_or("a request line without a path")?.to_owned();
        let header = |name: &str| {
            let lines = headers.lines().filter_map(|line| line.split_once(':'));
            let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
            found.next().map(|(_, value)| value.trim().to_owned())
        };
        Ok(Self { target, offer: header(PROTOCOL), authorization: header(AUTHORIZATION) })
    }
}
