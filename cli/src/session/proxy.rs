//! A proxy in front of a server: it passes everything on, and keeps a copy of what is said on WebSockets.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{SinkExt as _, StreamExt as _};
use lightlike_core::conn::Server;
use lightlike_core::driver::{Io, Proxy as Via, Streams, Tls};
use lightlike_core::secret::{hide, mask_uri};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::LOCATION;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config, client_async_with_config};

use super::file::{Recording, Side};
use super::redact;
use crate::failure::{Exit, Failure, note};

const PROTOCOL: &str = "sec-websocket-protocol";
const AUTHORIZATION: &str = "authorization";
/// More than the head of a request takes.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// More than a message takes.
const MAX_MESSAGE_BYTES: usize = 1 << 30;

type Result<T = ()> = std::result::Result<T, Failure>;

/// A proxy that listens.
pub(crate) struct Proxy {
    listener: TcpListener,
    shared: Arc<Shared>,
}

struct Shared {
    server: Server,
    /// The file of the first connection; those of the others are named after it.
    path: PathBuf,
    connections: AtomicU64,
    quiet: bool,
}

impl Proxy {
    pub(crate) async fn bind(
        listen: &str,
        server: Server,
        path: PathBuf,
        quiet: bool,
    ) -> Result<Self> {
        let listener = TcpListener::bind(listen).await.map_err(|error| {
            Failure::new(Exit::Usage, format_args!("cannot listen at {listen}")).because(&error)
        })?;
        let shared = Shared { server, path, connections: AtomicU64::new(0), quiet };
        Ok(Self { listener, shared: Arc::new(shared) })
    }

    /// Address for clients.
    pub(crate) fn uri(&self) -> String {
        match self.listener.local_addr() {
            Ok(address) => format!("http://{address}"),
            Err(_) => "http://?".to_owned(),
        }
    }

    /// Serves until it is dropped. With `once`, ends with the first WebSocket.
    pub(crate) async fn run(self, once: bool) -> Result {
        let (done, mut ended) = tokio::sync::mpsc::channel::<Result>(16);
        let mut tasks = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    let Ok((socket, _)) = accepted else { continue };
                    let (shared, done) = (Arc::clone(&self.shared), done.clone());
                    tasks.spawn(async move {
                        match serve(&shared, socket).await {
                            Ok(false) => (),
                            // Nobody listens any more.
                            Ok(true) => drop(done.send(Ok(())).await),
                            Err(failure) => drop(done.send(Err(failure)).await),
                        }
                    });
                }
                Some(ended) = ended.recv() => match ended {
                    Ok(()) if once => return Ok(()),
                    Ok(()) => (),
                    Err(failure) if once => return Err(failure),
                    Err(failure) => drop(failure.report()),
                },
            }
        }
    }
}

/// Serves one connection; whether it was a WebSocket.
async fn serve(shared: &Shared, mut socket: TcpStream) -> Result<bool> {
    // A peer that says nothing has nothing to be told.
    let Some(head) = Head::peek(&socket).await else { return Ok(false) };
    let mut upstream = dial(&shared.server).await?;
    if head.is_websocket {
        return record(shared, socket, upstream, &head).await.map(|()| true);
    }
    let mut consumed = vec![0; head.len];
    let exchanged = async {
        socket.read_exact(&mut consumed).await?;
        upstream.write_all(head.for_server(&shared.server).as_bytes()).await?;
        copy_bidirectional(&mut socket, &mut upstream).await
    };
    // Whoever hangs up, the other one notices.
    let _ = exchanged.await;
    Ok(false)
}

/// Opens the way to the server.
async fn dial(server: &Server) -> Result<Box<dyn Io>> {
    let unreachable = |error: &dyn std::error::Error| {
        let message = format!("cannot reach {}", server.authority());
        Failure::new(Exit::Connection, message).because(error)
    };
    let streams = Streams::new(server.clone(), &Tls::new(), &Via::environment());
    let streams = streams.map_err(|error| unreachable(&error))?;
    streams.open().await.map_err(|error| unreachable(&error))
}

/// Passes messages on between a client and the server, and writes them down.
async fn record(
    shared: &Shared,
    mut socket: TcpStream,
    upstream: Box<dyn Io>,
    head: &Head,
) -> Result {
    let config =
        WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE_BYTES)).max_frame_size(None);
    let scheme = if shared.server.is_secure() { "wss" } else { "ws" };
    let uri = shared.server.http_uri(&head.target);
    let uri = uri.split_once(':').map_or(String::new(), |(_, rest)| format!("{scheme}:{rest}"));
    let broken = |what: &str, error: &WsError| Failure::new(Exit::Connection, what).because(error);
    let mut request =
        uri.into_client_request().map_err(|error| broken("this cannot be asked for", &error))?;
    for (name, value) in [(PROTOCOL, &head.offer), (AUTHORIZATION, &head.authorization)] {
        if let Some(value) = value.as_deref().and_then(|value| HeaderValue::from_str(value).ok()) {
            request.headers_mut().insert(name, value);
        }
    }
    let (mut upstream, response) =
        match client_async_with_config(request, upstream, Some(config)).await {
            Ok(opened) => opened,
            Err(WsError::Http(refusal)) => {
                let body = refusal.body().clone().unwrap_or_default();
                let status = refusal.status();
                let location = refusal.headers().get(LOCATION);
                refuse(&mut socket, head.len, status.as_u16(), location, &body).await;
                return Err(head.refused(status.as_u16(), location, &body));
            }
            Err(error) => return Err(broken("the server's handshake failed", &error)),
        };
    let chosen = response.headers().get(PROTOCOL).cloned();
    let subprotocol =
        chosen.as_ref().and_then(|it| it.to_str().ok()).unwrap_or_default().to_owned();
    // The type of a refusal is the callback's, and this one refuses nobody.
    #[expect(clippy::result_large_err, reason = "tungstenite's signature")]
    let choose = |_: &Request, mut response: Response| {
        if let Some(chosen) = chosen {
            response.headers_mut().insert(PROTOCOL, chosen);
        }
        Ok(response)
    };
    let client = accept_hdr_async_with_config(socket, choose, Some(config)).await;
    let mut client = client.map_err(|error| broken("the client's handshake failed", &error))?;
    let path = shared.next_path();
    let mut recording = Recording::create(path, &head.target, head.token(), &subprotocol)?;
    if !shared.quiet {
        note(format_args!("recording to {}", recording.path().display()));
    }
    loop {
        let (from, message) = tokio::select! {
            message = client.next() => (Side::Client, message),
            message = upstream.next() => (Side::Server, message),
        };
        // Either may hang up without a word, once the other has said that it is over.
        let Some(Ok(message)) = message else { break };
        recording.push(from, &message)?;
        let passed = match from {
            Side::Client => pass(&mut upstream, message).await,
            Side::Server => pass(&mut client, message).await,
        };
        if passed.is_err() {
            break;
        }
    }
    if !shared.quiet {
        let (messages, path) = (recording.messages, recording.path().display());
        note(format_args!("{messages} messages are in {path}"));
    }
    Ok(())
}

/// Passes a message on. Pings and closes are answered by the socket that receives them.
async fn pass<S>(to: &mut WebSocketStream<S>, message: Message) -> std::result::Result<(), WsError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    match message {
        Message::Pong(_) => Ok(()),
        // It may have said so itself.
        Message::Close(frame) => to.close(frame).await.or_else(|error| match error {
            WsError::ConnectionClosed => Ok(()),
            error => Err(error),
        }),
        message => to.send(message).await,
    }
}

/// Tells a client what the server said instead of opening a WebSocket.
async fn refuse(
    socket: &mut TcpStream,
    head_len: usize,
    status: u16,
    location: Option<&HeaderValue>,
    body: &[u8],
) {
    let mut consumed = vec![0; head_len];
    let mut head = format!(
        "HTTP/1.1 {status} Refused\r\ncontent-length: {}\r\nconnection: close\r\n",
        body.len()
    );
    // A header's value has no line breaks.
    if let Some(location) = location.and_then(|location| location.to_str().ok()) {
        head.push_str(&format!("location: {location}\r\n"));
    }
    head.push_str("\r\n");
    let told = async {
        socket.read_exact(&mut consumed).await?;
        socket.write_all(&[head.as_bytes(), body].concat()).await?;
        socket.shutdown().await
    };
    // A client that has gone needs no answer.
    let _ = told.await;
}

impl Shared {
    /// The next connection's file: `it.jsonl`, `it-2.jsonl`, ..
    fn next_path(&self) -> PathBuf {
        match self.connections.fetch_add(1, Ordering::Relaxed) {
            0 => self.path.clone(),
            before => numbered(&self.path, before + 1),
        }
    }
}

fn numbered(path: &Path, number: u64) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map(|it| format!(".{}", it.to_string_lossy()));
    path.with_file_name(format!("{stem}-{number}{}", extension.unwrap_or_default()))
}

/// Head of a request, as far as it matters to forwarding.
struct Head {
    /// Length in bytes, the empty line included.
    len: usize,
    text: String,
    target: String,
    is_websocket: bool,
    offer: Option<String>,
    authorization: Option<String>,
}

impl Head {
    /// Looks at a request's head and leaves it in the socket; none if there is none.
    async fn peek(socket: &TcpStream) -> Option<Self> {
        let mut buffer = vec![0; MAX_HEAD_BYTES];
        let mut before = 0;
        loop {
            socket.readable().await.ok()?;
            let len = socket.peek(&mut buffer).await.ok()?;
            if let Some(end) = buffer[..len].windows(4).position(|window| window == b"\r\n\r\n") {
                return Self::parse(std::str::from_utf8(&buffer[..end + 4]).ok()?);
            }
            if len == 0 || len == buffer.len() {
                return None;
            }
            if len == before {
                // What was looked at stays readable: wait for more of it.
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            before = len;
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (first, headers) = text.split_once("\r\n")?;
        let header = |name: &str| {
            let lines = headers.lines().filter_map(|line| line.split_once(':'));
            let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
            found.next().map(|(_, value)| value.trim().to_owned())
        };
        Some(Self {
            len: text.len(),
            text: text.to_owned(),
            target: first.split(' ').nth(1)?.to_owned(),
            is_websocket: header("upgrade").is_some_and(|it| it.eq_ignore_ascii_case("websocket")),
            offer: header(PROTOCOL),
            authorization: header(AUTHORIZATION),
        })
    }

    /// The token that the client presents in a header.
    fn token(&self) -> Option<&str> {
        let (scheme, token) = self.authorization.as_deref()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// Says that the server did not open a WebSocket. What it quotes of the token is hidden.
    fn refused(&self, status: u16, location: Option<&HeaderValue>, body: &[u8]) -> Failure {
        let hidden = |text: &str| {
            let secrets = redact::target(&self.target).1.into_iter().chain(self.token());
            secrets.fold(text.to_owned(), |text, secret| hide(&text, Some(secret)).into_owned())
        };
        let mut message = format!("the server answered {status}");
        if let Some(location) = location {
            let location = String::from_utf8_lossy(location.as_bytes()).into_owned();
            message.push_str(&format!(
                ", a redirect to {}, which is not followed",
                mask_uri(&location)
            ));
        }
        let body = String::from_utf8_lossy(body);
        if !body.trim().is_empty() {
            message.push_str(&format!(": {}", body.trim()));
        }
        Failure::new(Exit::Refused, hidden(&message))
    }

    /// The head as the server is to see it: with its own name, and one request a connection.
    fn for_server(&self, server: &Server) -> String {
        let mut lines = self.text.trim_end().split("\r\n");
        let mut head = format!("{}\r\n", self.with_base(lines.next().unwrap_or_default(), server));
        for line in lines {
            let name = line.split(':').next().unwrap_or_default();
            if !name.eq_ignore_ascii_case("host") && !name.eq_ignore_ascii_case("connection") {
                head.push_str(line);
                head.push_str("\r\n");
            }
        }
        head.push_str(&format!("host: {}\r\nconnection: close\r\n\r\n", server.authority()));
        head
    }

    /// The request line, with the path at which the server's API begins.
    fn with_base(&self, line: &str, server: &Server) -> String {
        let uri = server.http_uri(&self.target);
        let path = uri.splitn(4, '/').nth(3).map_or_else(String::new, |path| format!("/{path}"));
        line.replacen(&self.target, &path, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_is_forwarded_with_server_host() {
        let head = Head::parse(
            "GET /v1/ping HTTP/1.1\r\nHost: 127.0.0.1:1\r\nA: b\r\nConnection: keep-alive\r\n\r\n",
        );
        let head = head.unwrap();
        assert!(!head.is_websocket);
        let server = Server::parse("http://example.org:3000/base").unwrap();
        assert_eq!(
            head.for_server(&server),
            "GET /base/v1/ping HTTP/1.1\r\nA: b\r\nhost: example.org:3000\r\nconnection: close\r\n\r\n"
        );
    }

    #[test]
    fn each_connection_has_its_file() {
        assert_eq!(numbered(Path::new("a/it.jsonl"), 2), Path::new("a/it-2.jsonl"));
        assert_eq!(numbered(Path::new("it"), 3), Path::new("it-3"));
    }
}
